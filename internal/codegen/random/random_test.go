package random_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/lidodb/lido/internal/codegen/gentest"
	"github.com/lidodb/lido/internal/codegen/random"
)

func TestMain(m *testing.M) {
	gentest.Plugin()
	goleak.VerifyTestMain(m)
}

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// variants are the configurations that each project is generated with.
var variants = []struct {
	name     string
	database bool
	options  map[string]any
}{
	{"plain", false, map[string]any{}},
	{"strict", true, map[string]any{"strict_types": true, "emit_empty_slices": true}},
	{"pointers", true, map[string]any{"emit_pointers_for_null_types": true, "emit_result_struct_pointers": true, "emit_params_struct_pointers": true}},
	{"limit", true, map[string]any{"query_parameter_limit": 4, "emit_json_tags": true}},
	{"nilable", true, map[string]any{"strict_types": true, "emit_pointers_for_null_types": true, "wrap_errors": true}},
}

// In LIDO_RANDOM_CASES cases, from the schemas and queries of LIDO_RANDOM_SEED
// (0 takes another one every time).
func TestGeneratedCodeDoesWhatTheStockDriverDoes(t *testing.T) {
	if testing.Short() {
		t.Skip("runs sqlc, which takes minutes to compile")
	}
	cases, seed := setting(t, "LIDO_RANDOM_CASES", 300), setting(t, "LIDO_RANDOM_SEED", 1)
	if seed == 0 {
		seed = rand.IntN(1 << 30)
	}
	t.Logf("LIDO_RANDOM_SEED=%d LIDO_RANDOM_CASES=%d", seed, cases)
	dir := t.TempDir()
	mod, err := gentest.NewModule(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var imports, list strings.Builder
	queries := 0
	for i, v := range variants {
		project := random.Generate(8, 60).Example(seed + i)
		project = generate(t, dir, v.name, project, gentest.Entry{
			Schema: v.name + "/schema.sql", Queries: v.name + "/query.sql", Database: v.database,
			Lido: []gentest.Output{{Dir: v.name + "/gen", Options: v.options}},
		})
		order(t, filepath.Join(dir, v.name, "gen", "query.sql.go"), &project)
		queries += len(project.Queries)
		data, err := json.Marshal(project)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&imports, "\t%s %q\n", v.name, mod.Path+"/"+v.name+"/gen")
		fmt.Fprintf(&list, "\t\t{Name: %q, Project: %q, New: func(w lido.Writer) any { return %s.New(w) }},\n", v.name, data, v.name)
	}
	program := "package program\n\nimport (\n\t\"testing\"\n\n\t\"github.com/lidodb/lido\"\n\t\"github.com/lidodb/lido/internal/codegen/random/prove\"\n" + imports.String() +
		")\n\nfunc TestAll(t *testing.T) {\n\tprove.Check(t, []prove.Package{\n" + list.String() + "\t})\n}\n"
	if err := gentest.WriteFiles(dir, map[string]string{"program/all_test.go": program}); err != nil {
		t.Fatal(err)
	}
	out, err := mod.Run("test", "-count=1", "-v", "./program", "-rapid.checks="+strconv.Itoa(cases), "-rapid.seed="+strconv.Itoa(seed), "-rapid.nofailfile")
	t.Logf("%d packages with %d queries\n%s", len(variants), queries, out)
	if err != nil {
		t.Error(err)
	}
}

// maxRefused is how many of a project's queries may be refused. Without a
// database sqlc overlooks parameters (in BETWEEN after OR, say), and what it
// overlooks Lido refuses.
const maxRefused = 20

// place finds the line in a complaint.
var place = regexp.MustCompile(`query\.sql:(\d+)`)

// generate runs sqlc on a project, and again without the queries that were
// refused. It returns what is left.
func generate(t *testing.T, dir, name string, p random.Project, entry gentest.Entry) random.Project {
	t.Helper()
	all := len(p.Queries)
	for {
		err := gentest.WriteFiles(dir, map[string]string{name + "/schema.sql": p.SchemaText(), name + "/query.sql": p.SourceText()})
		if err != nil {
			t.Fatal(err)
		}
		err = gentest.Generate(t.Context(), dir, []gentest.Entry{entry})
		var refusal *gentest.Refusal
		switch {
		case err == nil:
			return p
		case !errors.As(err, &refusal):
			t.Fatal(err)
		}
		left := without(t, p, refusal.Stderr)
		if len(left.Queries) == len(p.Queries) || all-len(left.Queries) > maxRefused {
			t.Fatalf("%s: %v", name, err)
		}
		p = left
	}
}

// without leaves out the queries that a complaint names.
func without(t *testing.T, p random.Project, complaint string) random.Project {
	t.Helper()
	drop := map[int]string{}
	for line := range strings.Lines(complaint) {
		m := place.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		at, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range p.Queries {
			if at -= strings.Count(q.Source, "\n") + 1; at <= 0 {
				drop[i] = strings.TrimSpace(line)
				break
			}
		}
	}
	left := random.Project{Tables: p.Tables}
	for i, q := range p.Queries {
		if why, ok := drop[i]; ok {
			t.Logf("refused: %s\n%s", why, q.Source)
			continue
		}
		left.Queries = append(left.Queries, q)
	}
	return left
}

// numbered is a parameter that says its number.
var numbered = regexp.MustCompile(`(?i)^p(\d+)$`)

// order finds out in which order the generated methods take the parameters.
func order(t *testing.T, path string, p *random.Project) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{} // of the values, by method or struct
	list := func(fields *ast.FieldList) (all []string) {
		for _, f := range fields.List {
			for _, n := range f.Names {
				all = append(all, n.Name)
			}
		}
		return all
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names[n.Name.Name] = list(n.Type.Params)[1:]
		case *ast.TypeSpec:
			if s, ok := n.Type.(*ast.StructType); ok {
				names[n.Name.Name] = list(s.Fields)
			}
		}
		return true
	})
	for i := range p.Queries {
		q := &p.Queries[i]
		values, ok := names[q.Name+"Params"]
		if !ok {
			values = names[q.Name]
		}
		q.Order = numbers(values)
	}
}

// numbers are those of named parameters by their names; the others get what is
// left, in their order.
func numbers(names []string) []int {
	list := make([]int, len(names))
	taken := map[int]bool{}
	for i, name := range names {
		if m := numbered.FindStringSubmatch(name); m != nil {
			list[i], _ = strconv.Atoi(m[1])
			taken[list[i]] = true
		}
	}
	next := 1
	for i, n := range list {
		for ; n == 0; next++ {
			if !taken[next] {
				n, list[i] = next, next
			}
		}
	}
	return list
}
