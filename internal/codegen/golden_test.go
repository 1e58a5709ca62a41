package codegen_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden/gen anew")

// golden is the project of testdata/golden.
func golden(t testing.TB) *project {
	t.Helper()
	p := newProject(t, nil)
	for _, sub := range []string{"schema", "queries"} {
		if err := os.CopyFS(filepath.Join(p.dir, sub), os.DirFS(filepath.Join("testdata", "golden", sub))); err != nil {
			t.Fatal(err)
		}
	}
	p.schema, p.queries = "schema", "queries"
	p.options = map[string]any{"emit_interface": true, "emit_json_tags": true, "strict_types": true,
		"time_format": map[string]any{"loans.due": "unixmilli", "authors.created_at": "lido"},
		"overrides": []any{
			map[string]any{"column": "books.pages", "go_type": "int32"},
			map[string]any{"column": "loans.reader", "go_type": "encoding/json.Number"}, // text with a name of its own
			map[string]any{"column": "books.anything", "go_type": "encoding/json.Number"},
		}}
	return p
}

// dropBulk leaves out the commands that sqlc's own generator has for pgx only.
func (p *project) dropBulk(t testing.TB) {
	t.Helper()
	if err := os.Remove(filepath.Join(p.dir, "queries", "bulk.sql")); err != nil {
		t.Fatal(err)
	}
}

func TestGeneratedCodeIsTheGoldenOne(t *testing.T) {
	p := golden(t)
	got := p.mustGenerate(t)
	dir := filepath.Join("testdata", "golden", "gen")
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		for name, text := range got {
			write(t, filepath.Join(dir, name), text)
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want := read(t, filepath.Join(dir, name)); want != got[name] {
			t.Errorf("%s differs from the golden file; if that is meant, run go test -run Golden -update", name)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(got) {
		t.Errorf("%d golden files, %d generated", len(entries), len(got))
	}
}

func TestGeneratingTwiceGivesTheSameBytes(t *testing.T) {
	p := golden(t)
	each := p.mustGenerateEach(t, p.options, p.options)
	if first, second := each[0].output(t), each[1].output(t); !maps.Equal(first, second) {
		t.Error("the second run differs from the first")
	}
}
