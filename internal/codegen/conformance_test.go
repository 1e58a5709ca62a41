package codegen_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gopkg.in/yaml.v3"
)

// conformanceDir is where sqlc's own end-to-end cases lie.
func conformanceDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("LIDO_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join(root, "..", "shared", "conformance")
	}
	dir = filepath.Join(dir, "sqlc")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("sqlc's cases are not here (set LIDO_CONFORMANCE to their folder): %v", err)
	}
	return dir
}

// sqlcCase is a case's configuration, of either version.
type sqlcCase struct {
	Packages []map[string]any
	SQL      []struct {
		Schema, Queries any
		Gen             struct{ Go map[string]any }
	}
}

// load reads a case and copies it into a folder of its own.
func load(t *testing.T, dir, to string) *project {
	t.Helper()
	p := &project{dir: to}
	if err := os.CopyFS(p.dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	var c sqlcCase
	for _, name := range []string{"sqlc.json", "sqlc.yaml", "sqlc.yml"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		parse := yaml.Unmarshal
		if filepath.Ext(name) == ".json" {
			parse = json.Unmarshal
		}
		if err := parse(data, &c); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	p.sqlcOptions = map[string]any{}
	if len(c.SQL) == 1 {
		p.schema, p.queries, p.sqlcOptions = c.SQL[0].Schema, c.SQL[0].Queries, c.SQL[0].Gen.Go
	} else {
		for k, v := range c.Packages[0] {
			switch k {
			case "engine":
			case "name":
				p.sqlcOptions["package"] = v
			case "path":
			case "schema":
				p.schema = v
			case "queries":
				p.queries = v
			default:
				p.sqlcOptions[k] = v
			}
		}
	}
	delete(p.sqlcOptions, "out")
	p.options = p.sqlcOptions
	return p
}

func TestNamesAndTypesAreThoseOfSqlcsOwnGenerator(t *testing.T) {
	dir := conformanceDir(t)
	paths, err := filepath.Glob(filepath.Join(dir, "*", "sqlc.*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	for _, database := range []bool{false, true} {
		t.Run(fmt.Sprintf("database=%v", database), func(t *testing.T) { compareAll(t, paths, database) })
	}
}

// compareAll runs sqlc once over all cases; those that it or the plugin has to
// refuse run alone, because one failure holds back every output.
func compareAll(t *testing.T, paths []string, database bool) {
	all := t.TempDir()
	var entries []map[string]any
	var good []*project
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path))
		p := load(t, filepath.Dir(path), filepath.Join(all, name))
		p.database = database
		if words, ok := p.mustRefuse(name); ok {
			t.Run(name, func(t *testing.T) { p.mustFail(t, words) })
			continue
		}
		entries = append(entries, p.entry(name))
		good = append(good, p)
	}
	_, ok := configure(t, all, "", entries...)
	for _, p := range good {
		t.Run(filepath.Base(p.dir), func(t *testing.T) {
			if !ok {
				if stderr, ok := p.generate(t); !ok {
					t.Fatalf("options %v:\n%s", p.options, stderr)
				}
			}
			p.compare(t)
		})
	}
}

// brokenWithDatabase are cases in which sqlc itself stumbles as soon as it
// asks a database.
var brokenWithDatabase = map[string]string{
	"multibyte_comment__sqlite": "syntax error",
}

// mustRefuse reports whether a case has to fail, and a word of the complaint.
func (p *project) mustRefuse(name string) (words string, ok bool) {
	if _, err := os.Stat(filepath.Join(p.dir, "stderr.txt")); err == nil {
		return "query.sql:", true // sqlc's own suite wants it
	}
	if p.database {
		words, ok = brokenWithDatabase[name]
	}
	return words, ok
}

func (p *project) compare(t *testing.T) {
	t.Helper()
	for _, d := range differences(surfaceOf(t, filepath.Join(p.dir, "sqlcgen")), surfaceOf(t, filepath.Join(p.dir, "gen"))) {
		t.Error(d)
	}
	for _, e := range typeCheck(t, filepath.Join(p.dir, "gen")) {
		t.Errorf("does not compile: %s", e)
	}
}

func TestTheLedgersNamesAndTypesAreThoseOfSqlcsOwnGenerator(t *testing.T) {
	p := newProject(t, nil)
	for _, sub := range []string{"schema", "queries"} {
		if err := os.CopyFS(filepath.Join(p.dir, sub), os.DirFS(filepath.Join(root, sub))); err != nil {
			t.Fatal(err)
		}
	}
	p.schema, p.queries = "schema", "queries"
	p.sqlcOptions = map[string]any{"emit_json_tags": true, "sql_package": "pgx/v5"} // for :copyfrom and :batchexec
	p.options = map[string]any{"emit_json_tags": true}
	p.mustGenerate(t)
	p.compare(t)
}
