package codegen

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// names collects what a scope declares, and by whom.
type names struct {
	owner    map[string]string
	problems []string
}

func (n *names) add(name, owner, remedy string) {
	if first, ok := n.owner[name]; ok {
		n.problems = append(n.problems, fmt.Sprintf("%s and %s are both called %s; %s", first, owner, name, remedy))
		return
	}
	n.owner[name] = owner
}

// checkNames fails when two things would share a name in the generated
// package, and says which and what to do about it.
func (g *generator) checkNames() error {
	pkg := &names{owner: map[string]string{}}
	store := g.opts.StoreName
	for _, name := range []string{"ReadQueries", "Queries", "New", "errNoTransaction", "execResult", "scanColumn", "inTransaction"} {
		pkg.add(name, "Lido's own "+name, "")
	}
	if g.uses(":copyfrom") {
		pkg.add("copyQuery", "Lido's own copyQuery", "")
	}
	if g.uses(":batch") {
		for _, name := range []string{"ErrBatchAlreadyClosed", "batchResults", "newBatch", "readBatch", "writeBatch"} {
			pkg.add(name, "Lido's own "+name, "")
		}
	}
	if *g.opts.EmitStore {
		remedy := "set the option store_name"
		pkg.add(store, "the generated type "+store, remedy)
		pkg.add("New"+store, "the generated function New"+store, remedy)
	}
	if g.opts.EmitInterface {
		for _, name := range []string{"ReadQuerier", "Querier", "Storer"} {
			pkg.add(name, "the generated interface "+name, "")
		}
	}
	for _, m := range g.models {
		remedy := "set the option rename"
		if *g.opts.EmitStore && (m.name == store || m.name == "New"+store) {
			remedy = "set the option store_name (or rename for the model)"
		}
		pkg.add(m.name, "the model of table "+m.table.Name, remedy)
	}
	methods := &names{owner: map[string]string{}}
	if g.opts.Compat {
		pkg.add("DBTX", "the type DBTX of compat", "")
	}
	if g.opts.EmitPreparedQueries {
		pkg.add("Prepare", "the function Prepare of emit_prepared_queries", "")
		methods.add("Close", "the method Close of emit_prepared_queries", "")
	}
	for _, own := range []string{"ReadQueries", "WithTx", "Savepoint", "Queries", "r", "w"} {
		methods.add(own, "Lido's own "+own, "")
	}
	if *g.opts.EmitStore {
		for _, own := range []string{"Read", "Write", "Batch", "db"} {
			methods.add(own, "the method "+own+" of "+store, "")
		}
	}
	for _, q := range g.queries {
		owner := "the query " + q.Name + " (" + q.src.where() + ")"
		methods.add(q.Name, owner, "give the query another name")
		if q.Cmd == ":many" || q.Cmd == ":copyfrom" {
			methods.add(q.Name+"Seq", "the iterator form of "+owner, "give the query another name")
		}
		for _, name := range q.extraNames() {
			pkg.add(name, owner, "give the query another name")
		}
		pkg.add(queryVar(q.Name), owner, "give the query another name")
		if g.opts.EmitExportedQueries && q.Cmd != ":copyfrom" {
			pkg.add(exported(q.Name), "the SQL of "+owner, "leave out the option emit_exported_queries, or rename")
		}
		for _, v := range []*value{&q.arg, &q.ret} {
			if v.emit {
				remedy := "give the query another name"
				if v.typeName() == store {
					remedy = "set the option store_name"
				}
				pkg.add(v.typeName(), "the struct of "+owner, remedy)
			}
		}
	}
	g.declared = map[string]bool{}
	for name := range pkg.owner {
		g.declared[name] = true
	}
	problems := g.hiding(pkg.owner)
	if err := g.checkFolder(pkg, methods); err != nil {
		return err
	}
	problems = slices.Concat(problems, g.nameless(), pkg.problems, methods.problems)
	slices.Sort(problems)
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "\n"))
	}
	return nil
}

// checkFolder looks at the Go files that lie in the output folder and were not
// generated.
func (g *generator) checkFolder(pkg, methods *names) error {
	if g.opts.Out == "" {
		return nil
	}
	for _, p := range []string{reportName, g.opts.Plans} {
		name := filepath.Join(g.opts.Out, p)
		if data, err := os.ReadFile(name); err == nil && p != "" {
			if why := g.foreign(filepath.ToSlash(name), string(data)); why != "" {
				pkg.problems = append(pkg.problems, why)
			}
		}
	}
	paths, err := filepath.Glob(filepath.Join(quoteGlob(g.opts.Out), "*.go"))
	if err != nil {
		return err
	}
	for _, p := range paths {
		name := filepath.ToSlash(p)
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		text := string(data)
		if g.writes(filepath.Base(p)) {
			if why := g.foreign(name, text); why != "" {
				pkg.problems = append(pkg.problems, why)
			}
			continue
		}
		if generatedBy(text) {
			if strings.Contains(text, generatedMark) {
				pkg.problems = append(pkg.problems, name+" was generated once and is no longer; delete it")
			}
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), p, data, parser.SkipObjectResolution)
		if err != nil {
			continue // Go itself will complain
		}
		if file.Name.Name != g.opts.Package {
			if g.otherPackage(name, file.Name.Name, text) {
				pkg.problems = append(pkg.problems, fmt.Sprintf("%s is of package %s, and the generated code of package %s; set the option package or out", name, file.Name.Name, g.opts.Package))
			}
			continue
		}
		for _, decl := range file.Decls {
			g.checkDecl(pkg, methods, name, decl)
		}
	}
	return nil
}

// quoteGlob keeps a folder's name from being read as a pattern.
func quoteGlob(dir string) string {
	if filepath.Separator == '\\' {
		return dir
	}
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(dir)
}

func generatedBy(text string) bool {
	head, _, _ := strings.Cut(text, "\npackage ")
	return strings.Contains(head, generatedMark) || strings.Contains(head, "// Code generated by sqlc. DO NOT EDIT.")
}

// writes reports whether this run writes the file.
func (g *generator) writes(name string) bool {
	if name == g.opts.OutputDBFileName || name == g.opts.OutputModelsFileName || g.opts.EmitInterface && name == g.opts.OutputQuerierFileName ||
		g.uses(":copyfrom") && name == g.opts.OutputCopyFromFileName || g.uses(":batch") && name == g.opts.OutputBatchFileName {
		return true
	}
	return slices.ContainsFunc(g.queries, func(q *query) bool {
		return name == queryFileName(q.Filename, g.opts.OutputFilesSuffix)
	})
}

func (g *generator) checkDecl(pkg, methods *names, file string, decl ast.Decl) {
	check := func(scope *names, name string) {
		if _, ok := scope.owner[name]; ok && name != "_" && name != "init" {
			remedy := "give one another name"
			if name == g.opts.StoreName || name == "New"+g.opts.StoreName {
				remedy = "set the option store_name"
			}
			scope.add(name, "a declaration in "+file, remedy)
		}
	}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			check(pkg, d.Name.Name)
			return
		}
		typ := d.Recv.List[0].Type
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		if id, ok := typ.(*ast.Ident); ok && slices.Contains([]string{"Queries", "ReadQueries", g.opts.StoreName}, id.Name) {
			check(methods, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				check(pkg, s.Name.Name)
			case *ast.ValueSpec:
				for _, id := range s.Names {
					check(pkg, id.Name)
				}
			}
		}
	}
}
