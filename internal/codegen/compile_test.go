package codegen_test

import (
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/internal/codegen"
)

// goodFiles are a package as the generator writes it.
func goodFiles() map[string]string {
	return map[string]string{
		"models.go": "package gen\n\nimport \"time\"\n\ntype Item struct {\n\tID int64\n\tAt time.Time\n}\n",
		"db.go":     "package gen\n\nimport \"github.com/lidodb/lido\"\n\nconst _ = lido.GenV1\n\ntype ReadQueries struct{ r lido.Reader }\n",
		"q.sql.go": `package gen

import (
	"context"

	"github.com/lidodb/lido"
)

var getItemQuery = lido.Query{Name: "GetItem"}

func (q *ReadQueries) GetItem(ctx context.Context, id int64) (Item, error) {
	var i Item
	stmt, err := q.r.PrepareRead(ctx, &getItemQuery)
	if err != nil {
		return i, err
	}
	defer stmt.Close()
	stmt.BindInt64(1, id)
	i.ID = stmt.ColumnInt64(0)
	return i, stmt.Close()
}
`,
	}
}

func TestCompile_namesTheQueryWhoseCodeDoesNotCompile(t *testing.T) {
	if err := codegen.Compile(goodFiles(), "GetItem"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, old, new, want string }{
		{"q.sql.go", "stmt.ColumnInt64(0)", "stmt.ColumnText(0)", "q.sql:1:1 GetItem: the code generated for it does not compile: q.sql.go:19: cannot use stmt.ColumnText(0)"},
		{"q.sql.go", "stmt.BindInt64(1, id)", "v := id", "q.sql:1:1 GetItem: the code generated for it does not compile: q.sql.go:18: declared and not used: v"},
		{"q.sql.go", "i.ID =", "i.Name =", "q.sql:1:1 GetItem: the code generated for it does not compile: q.sql.go:19: i.Name undefined (type Item has no field or method Name)"},
		{"q.sql.go", "stmt.BindInt64", "lido.BindNothing", "q.sql:1:1 GetItem: the code generated for it does not compile: q.sql.go:18: undefined: lido.BindNothing"},
		{"q.sql.go", "id int64", "ctx int64", "q.sql:1:1 GetItem: the code generated for it does not compile: q.sql.go:11: ctx redeclared in this block"},
		{"q.sql.go", "id int64", "getItemQuery int64", "q.sql:1:1 GetItem: the code generated for it does not compile: q.sql.go:13: cannot use &getItemQuery"},
		{"q.sql.go", `"GetItem"`, "1", "q.sql:1:1 GetItem: the code generated for it does not compile: q.sql.go:9: cannot use 1"},
		{"models.go", "time.Time", "int64", `models.go:3: the generated code does not compile: "time" imported and not used`},
		{"models.go", "At ", "ID ", "models.go:7: the generated code does not compile: ID redeclared"},
		{"models.go", "struct {", "struct", "models.go: models.go:6:2: expected"},
		{"models.go", "time.Time", "time.Duration", ""}, // which exists, for all that is known here
	} {
		files := goodFiles()
		if !strings.Contains(files[c.file], c.old) {
			t.Fatalf("%s holds no %q", c.file, c.old)
		}
		files[c.file] = strings.Replace(files[c.file], c.old, c.new, 1)
		err := codegen.Compile(files, "GetItem")
		if c.want == "" && err != nil {
			t.Errorf("%s for %s: %v", c.new, c.old, err)
		}
		if c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want) || !strings.Contains(err.Error(), "a fault of Lido and nothing was written; please report it")) {
			t.Errorf("%s for %s: got %v, want %s", c.new, c.old, err, c.want)
		}
	}
}

func TestCompile_leavesOtherPackagesToGo(t *testing.T) {
	const overrides = `{"overrides": [{"column": "items.id", "go_type": {"type": "Code"}}, {"column": "items.name", "go_type": "example.com/go-text.Name"}]}`
	for name, files := range map[string]map[string]string{
		"a type that is written later": nil,
		"a type that is there":         {"gen/code.go": "package gen\n\nimport \"elsewhere\"\n\ntype Code elsewhere.Int\n\nfunc broken() int {}\n"},
		"a file of another package":    {"gen/x_test.go": "package gen_test\n\nvar Queries int\n"},
		"a file that does not parse":   {"gen/broken.go": "package gen\n\ntype Code struct {\n"},
	} {
		if err := answer(t, overrides, files, "GetItem"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What stubs declare is what the packages declare, as far as it goes.
func TestStubs_areWhatThePackagesDeclare(t *testing.T) {
	checkImports().mu.Lock()
	defer checkImports().mu.Unlock()
	for path, stub := range codegen.Stubs() {
		real, err := checkImports().Import(path)
		if err != nil {
			t.Fatal(err)
		}
		if stub.Name() != real.Name() {
			t.Errorf("%s is called %s, not %s", path, real.Name(), stub.Name())
		}
		for _, name := range stub.Scope().Names() {
			got, want := stub.Scope().Lookup(name), real.Scope().Lookup(name)
			if want == nil {
				t.Errorf("%s has no %s", path, name)
				continue
			}
			for _, d := range stubDifferences(got, want) {
				t.Errorf("%s.%s: %s", path, name, d)
			}
		}
	}
}

// stubDifferences says what a stub has that the package has otherwise.
func stubDifferences(got, want types.Object) (list []string) {
	text := func(t types.Type) string { return types.TypeString(t, nil) }
	differ := func(what string, got, want types.Type) {
		if text(got) != text(want) {
			list = append(list, what+" is a "+text(want)+", not a "+text(got))
		}
	}
	if _, isType := want.(*types.TypeName); !isType {
		if _, isConst := want.(*types.Const); !isConst {
			differ("it", got.Type(), want.Type())
		}
		return list
	}
	differ("it", got.Type(), want.Type()) // the names of its type parameters
	switch under := got.Type().Underlying().(type) {
	case *types.Struct:
		for f := range under.Fields() {
			obj, _, _ := types.LookupFieldOrMethod(want.Type(), true, want.Pkg(), f.Name())
			if obj == nil {
				list = append(list, "it has no field "+f.Name())
				continue
			}
			differ(f.Name(), f.Type(), obj.Type())
		}
	case *types.Interface:
		for m := range under.Methods() {
			obj, _, _ := types.LookupFieldOrMethod(want.Type(), true, want.Pkg(), m.Name())
			if obj == nil {
				list = append(list, "it has no method "+m.Name())
				continue
			}
			differ(m.Name(), m.Type(), obj.Type())
		}
		if under.NumEmbeddeds() == 0 && under.NumMethods() == 0 {
			differ("what it allows", under, want.Type().Underlying())
		}
	default:
		differ("what it is made of", under, want.Type().Underlying())
	}
	return list
}

// A query of which the code would not compile leaves yesterday's code alone.
func TestCompile_writesNothingThatDoesNotCompile(t *testing.T) {
	p := newProject(t, map[string]string{"schema.sql": "CREATE TABLE t (a TEXT NOT NULL);", "query.sql": "-- name: Q :many\n-- @scan\nSELECT a FROM t;\n"})
	p.options = map[string]any{"overrides": []any{map[string]any{"column": "t.a", "go_type": map[string]any{"type": "chan<-"}}}}
	p.mustFail(t, "the generated code does not", "this is a fault of Lido and nothing was written")
	if _, err := os.Stat(filepath.Join(p.dir, "gen")); !os.IsNotExist(err) {
		t.Errorf("the output folder: %v", err)
	}
}
