package codegen_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// surface is what a generated package shows: each exported struct with its
// fields, types and tags, and each method of a handle with its signature.
type surface map[string]string

// parseDir parses the Go files of a folder.
func parseDir(t testing.TB, dir string) (*token.FileSet, []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no Go files in %s: %v", dir, err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, p := range paths {
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return fset, files
}

// handles are the types that methods hang on; their own fields do not count.
var handles = []string{"Queries", "ReadQueries", "Store"}

func surfaceOf(t testing.TB, dir string) surface {
	t.Helper()
	_, files := parseDir(t, dir)
	s := surface{}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok {
						s.addType(ts)
					}
				}
			case *ast.FuncDecl:
				s.addMethod(d)
			}
		}
	}
	return s
}

func (s surface) addType(ts *ast.TypeSpec) {
	st, ok := ts.Type.(*ast.StructType)
	if !ok || !ts.Name.IsExported() || slices.Contains(handles, ts.Name.Name) {
		return
	}
	var fields []string
	for _, f := range st.Fields.List {
		tag := ""
		if f.Tag != nil {
			tag = " " + f.Tag.Value
		}
		for _, n := range f.Names {
			if !n.IsExported() {
				continue
			}
			fields = append(fields, n.Name+" "+types.ExprString(f.Type)+tag)
		}
	}
	s["type "+ts.Name.Name] = strings.Join(fields, "\n")
}

func (s surface) addMethod(d *ast.FuncDecl) {
	if d.Recv == nil {
		return
	}
	recv := strings.TrimPrefix(types.ExprString(d.Recv.List[0].Type), "*")
	if d.Name.IsExported() && strings.HasSuffix(recv, "BatchResults") {
		s["method "+recv+"."+d.Name.Name] = fieldTypes(d.Type.Params) + " -> " + fieldTypes(d.Type.Results)
	}
	if !d.Name.IsExported() || !slices.Contains(handles, recv) || slices.Contains([]string{"WithTx", "Close", "Savepoint", "Read", "Write", "Batch"}, d.Name.Name) {
		return
	}
	s["method "+d.Name.Name] = fieldTypes(d.Type.Params) + " -> " + fieldTypes(d.Type.Results)
}

func fieldTypes(list *ast.FieldList) string {
	var out []string
	if list == nil {
		return ""
	}
	for _, f := range list.List {
		for range max(1, len(f.Names)) {
			typ := types.ExprString(f.Type)
			if typ == "lido.Reader" || typ == "lido.Writer" {
				typ = "DBTX" // the database type may differ
			}
			out = append(out, typ)
		}
	}
	return strings.Join(out, ", ")
}

// differences compares two surfaces; iterators are ours alone.
func differences(want, got surface) []string {
	var diffs []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			diffs = append(diffs, fmt.Sprintf("%s\n  sqlc: %s\n  lido: %s", k, want[k], got[k]))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		base, isSeq := strings.CutSuffix(k, "Seq")
		ours := isSeq && (strings.HasPrefix(got[k], strings.SplitN(want[base], " -> ", 2)[0]) ||
			strings.Contains(got[k], "iter.Seq[") && want[base] != "") // of :many, of :copyfrom
		if _, ok := want[k]; !ok && !ours {
			diffs = append(diffs, fmt.Sprintf("%s is not in sqlc's output: %s", k, got[k]))
		}
	}
	return diffs
}

// rootImporter resolves imports from this module, wherever the importing file
// lies.
type rootImporter struct {
	types.ImporterFrom
	dir string
	mu  sync.Mutex // the importer is for one goroutine at a time
}

var checkImports = sync.OnceValue(func() *rootImporter {
	dir, err := filepath.Abs(root)
	if err != nil {
		panic(err)
	}
	return &rootImporter{ImporterFrom: importer.ForCompiler(token.NewFileSet(), "source", nil).(types.ImporterFrom), dir: dir}
})

func (r *rootImporter) Import(path string) (*types.Package, error) {
	return r.ImportFrom(path, r.dir, 0)
}

func (r *rootImporter) ImportFrom(path, _ string, mode types.ImportMode) (*types.Package, error) {
	if path == "github.com/sqlc-dev/sqlc-testdata/pkg" { // a type that sqlc's own cases name
		pkg := types.NewPackage(path, "pkg")
		name := types.NewTypeName(token.NoPos, pkg, "CustomType", nil)
		types.NewNamed(name, types.NewStruct(nil, nil), nil)
		pkg.Scope().Insert(name)
		pkg.MarkComplete()
		return pkg, nil
	}
	return r.ImporterFrom.ImportFrom(path, r.dir, mode)
}

// typeCheck compiles the package in dir as far as types go, extra files
// included, and returns the errors.
func typeCheck(t testing.TB, dir string) []string {
	t.Helper()
	fset, files := parseDir(t, dir)
	var errs []string
	config := types.Config{
		Importer: checkImports(),
		Error:    func(err error) { errs = append(errs, err.Error()) },
	}
	checkImports().mu.Lock()
	defer checkImports().mu.Unlock()
	config.Check("gen", fset, files, nil) //nolint:errcheck // collected above
	return errs
}
