package codegen

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// The generated package is type-checked before it is handed over. Code that
// does not compile is a fault of the generator, and the user should learn of it
// with the name of the query and with yesterday's code still in place.

// compilation is the generated package on its way through the type checker.
type compilation struct {
	g      *generator
	fset   *gotoken.FileSet
	files  []*ast.File            // the generated ones, then those of the folder
	own    map[string]*ast.File   // the generated ones, by name
	unseen map[gotoken.Pos]bool   // names that only a Go toolchain can look up
	errs   map[string]types.Error // the first of each query, or of each file
}

// compile checks that files make up a package that compiles.
func (g *generator) compile(files []*File) error {
	c := &compilation{g: g, fset: gotoken.NewFileSet(), own: map[string]*ast.File{}, unseen: map[gotoken.Pos]bool{}, errs: map[string]types.Error{}}
	for _, f := range files {
		if !strings.HasSuffix(f.Name, ".go") {
			continue
		}
		file, err := parser.ParseFile(c.fset, f.Name, f.Contents, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("%s: %w; %s", f.Name, err, ourFault)
		}
		c.files, c.own[f.Name] = append(c.files, file), file
		c.skip(file)
	}
	c.readFolder()
	config := types.Config{Importer: c, Error: c.complain}
	config.Check(g.opts.Package, c.fset, c.files, nil) //nolint:errcheck // complain has every error
	return c.failure()
}

const ourFault = "this is a fault of Lido and nothing was written; please report it with the query and the tables it uses"

// failure joins the errors, each with the query whose code it is in.
func (c *compilation) failure() error {
	var problems []problem
	var lines []string
	for _, q := range c.g.queries {
		if e, ok := c.errs[q.Name]; ok {
			problems = append(problems, q.src.problem(q.src.at, "the code generated for it does not compile: %s: %s; %s", c.place(e), e.Msg, ourFault))
			delete(c.errs, q.Name)
		}
	}
	sortProblems(problems)
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	for _, f := range c.files {
		if e, ok := c.errs[c.fset.File(f.Pos()).Name()]; ok {
			lines = append(lines, fmt.Sprintf("%s: the generated code does not compile: %s; %s", c.place(e), e.Msg, ourFault))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}

func (c *compilation) place(e types.Error) string {
	p := c.fset.Position(e.Pos)
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// complain keeps an error in a generated file.
func (c *compilation) complain(err error) {
	e, ok := err.(types.Error)
	if !ok || c.unseen[e.Pos] {
		return
	}
	name := c.fset.Position(e.Pos).Filename
	file := c.own[name]
	if file == nil {
		return // Go itself will complain
	}
	if q := c.g.queryOf(file, e.Pos); q != nil {
		name = q.Name
	}
	if _, ok := c.errs[name]; !ok {
		c.errs[name] = e
	}
}

// queryOf returns the query whose declarations hold a place of a file.
func (g *generator) queryOf(file *ast.File, pos gotoken.Pos) *query {
	var names []string
	for _, decl := range file.Decls {
		if pos < decl.Pos() || pos >= decl.End() {
			continue
		}
		switch d := decl.(type) {
		case *ast.FuncDecl:
			names = append(names, d.Name.Name)
			if d.Recv != nil {
				ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok {
						names = append(names, id.Name)
					}
					return true
				})
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
				case *ast.ValueSpec:
					names = append(names, s.Names[0].Name)
				}
			}
		}
	}
	for _, q := range g.queries {
		for _, name := range names {
			switch name {
			case q.Name, q.Name + "Seq", queryVar(q.Name), copyVar(q.Name), q.batchType(), q.Name + "Params", q.Name + "Row":
				return q
			}
		}
	}
	return nil
}

// skip notes the names of a generated file that the stubs do not have: what
// overrides name.
func (c *compilation) skip(file *ast.File) {
	imported := map[string]string{}
	for _, spec := range file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			name := c.packageName(p)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			imported[name] = p
		}
	}
	local := map[string]bool{}
	for i := range c.g.opts.Overrides {
		if t := c.g.opts.Overrides[i].typ; t.path == "" {
			local[bareType(t.name)] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && imported[x.Name] != "" && imported[x.Name] != waist {
				c.unseen[n.Sel.Pos()] = true
			}
		case *ast.Ident:
			if local[n.Name] {
				c.unseen[n.Pos()] = true
			}
		}
		return true
	})
}

// packageName is the name of a package that generated code imports.
func (c *compilation) packageName(importPath string) string {
	for i := range c.g.opts.Overrides {
		if t := c.g.opts.Overrides[i].typ; t.path == importPath {
			name, _, _ := strings.Cut(bareType(t.name), ".")
			return name
		}
	}
	return path.Base(importPath)
}

// Import gives the checker the stub of a package, or one without declarations.
func (c *compilation) Import(importPath string) (*types.Package, error) {
	if pkg := stubPackages()[importPath]; pkg != nil {
		return pkg, nil
	}
	pkg := types.NewPackage(importPath, c.packageName(importPath))
	pkg.MarkComplete()
	return pkg, nil
}

// readFolder adds the files of the output folder that were written by hand:
// they may declare what overrides name. Their functions are left out, for they
// are none of ours.
func (c *compilation) readFolder() {
	if c.g.opts.Out == "" {
		return
	}
	paths, _ := filepath.Glob(filepath.Join(quoteGlob(c.g.opts.Out), "*.go"))
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil || c.own[filepath.Base(p)] != nil || strings.HasSuffix(p, "_test.go") || generatedBy(string(data)) {
			continue
		}
		file, err := parser.ParseFile(c.fset, filepath.ToSlash(p), data, parser.SkipObjectResolution)
		if err != nil || file.Name.Name != c.g.opts.Package {
			continue // Go itself will complain
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				f.Body = nil
			}
		}
		c.files = append(c.files, file)
	}
}
