package conformance_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/lidodb/lido/internal/codegen/gentest"
)

// caseDir is where sqlc's own end-to-end cases lie.
func caseDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("LIDO_CONFORMANCE")
	if dir == "" {
		root, err := gentest.Root()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(root, "..", "shared", "conformance")
	}
	dir = filepath.Join(dir, "sqlc")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("sqlc's cases are not here, so nothing is compared (set LIDO_CONFORMANCE to the folder above sqlc/): %v", err)
	}
	return dir
}

// testCase is one folder of sqlc's suite.
type testCase struct {
	name, dir       string
	schema, queries any // a path or a list of paths
	options         map[string]any
	mustFail        bool // sqlc's own suite wants it refused
	analysed        bool // and that with a database
}

// config is a case's configuration, of either version.
type config struct {
	Packages []map[string]any
	SQL      []struct {
		Schema, Queries any
		Gen             struct{ Go map[string]any }
	}
}

func loadCases(t *testing.T, dir string) []*testCase {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "sqlc.*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	var cases []*testCase
	for _, path := range paths {
		cases = append(cases, loadCase(t, path))
	}
	return cases
}

func loadCase(t *testing.T, path string) *testCase {
	t.Helper()
	c := &testCase{dir: filepath.Dir(path), options: map[string]any{}}
	c.name = strings.TrimSuffix(filepath.Base(c.dir), "__sqlite")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parse := yaml.Unmarshal
	if filepath.Ext(path) == ".json" {
		parse = json.Unmarshal
	}
	var conf config
	if err := parse(data, &conf); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(conf.SQL)+len(conf.Packages) != 1 {
		t.Fatalf("%s: want one package, got %d", path, len(conf.SQL)+len(conf.Packages))
	}
	if len(conf.SQL) == 1 {
		c.schema, c.queries, c.options = conf.SQL[0].Schema, conf.SQL[0].Queries, conf.SQL[0].Gen.Go
	} else {
		for k, v := range conf.Packages[0] {
			switch k {
			case "engine", "path":
			case "name":
				c.options["package"] = v
			case "schema":
				c.schema = v
			case "queries":
				c.queries = v
			default:
				c.options[k] = v
			}
		}
	}
	delete(c.options, "out")
	if c.options["package"] == nil {
		c.options["package"] = "db"
	}
	_, err = os.Stat(filepath.Join(c.dir, "stderr.txt"))
	c.mustFail = err == nil
	exec, _ := os.ReadFile(filepath.Join(c.dir, "exec.json"))
	c.analysed = strings.Contains(string(exec), "managed-db")
	return c
}

// entry is the case's place in a configuration. Its files are in case/NAME,
// the packages go to sqlc/NAME, lido/NAME and strict/NAME.
func (c *testCase) entry() gentest.Entry {
	strict := map[string]any{"strict_types": true}
	for k, v := range c.options {
		strict[k] = v
	}
	return gentest.Entry{
		Schema:   below("case/"+c.name, c.schema),
		Queries:  below("case/"+c.name, c.queries),
		Database: c.analysed,
		Own:      &gentest.Output{Dir: "sqlc/" + c.name, Options: c.options},
		Lido:     []gentest.Output{{Dir: "lido/" + c.name, Options: c.options}, {Dir: "strict/" + c.name, Options: strict}},
	}
}

// approved are queries that ask for the state of their connection, which strict
// types refuse without a comment. sqlc's cases have none.
var approved = map[string][]string{"builtins": {"GetChanges", "GetLastInsertRowID", "GetTotalChanges"}}

// approve writes the comment into a copy of the case.
func (c *testCase) approve(dir string) error {
	if len(approved[c.name]) == 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".sql" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, name := range approved[c.name] {
			annotation := "-- name: " + name + " :one\n"
			text = []byte(strings.Replace(string(text), annotation, annotation+"-- @transaction\n", 1))
		}
		return os.WriteFile(path, text, 0o644)
	})
}

// below puts a folder in front of a path or a list of them.
func below(folder string, paths any) any {
	list, ok := paths.([]any)
	if !ok {
		return folder + "/" + strings.TrimSuffix(paths.(string), "/")
	}
	var out []any
	for _, p := range list {
		out = append(out, below(folder, p))
	}
	return out
}

// schemaTexts are the case's schema files, in sqlc's order.
func (c *testCase) schemaTexts(t *testing.T) []string {
	t.Helper()
	list, ok := c.schema.([]any)
	if !ok {
		list = []any{c.schema}
	}
	var texts []string
	for _, p := range list {
		path := filepath.Join(c.dir, filepath.FromSlash(p.(string)))
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			files, _ = filepath.Glob(filepath.Join(path, "*.sql"))
			slices.Sort(files)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(data))
		}
	}
	return texts
}
