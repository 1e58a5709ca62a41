package conformance_test

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/lidodb/lido/internal/codegen/gentest"
)

//go:embed grammar.yaml
var grammarFile []byte

const grammarSchema = `
CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, n INTEGER, tags JSON NOT NULL DEFAULT '[]');
CREATE TABLE u (t_id INTEGER, n INTEGER, a TEXT UNIQUE, b TEXT UNIQUE);
CREATE TABLE odd (id INTEGER PRIMARY KEY, "a-b" TEXT);
CREATE VIRTUAL TABLE texts USING fts5(body);
`

func TestWhatSqlcRefusesHasAWayRound(t *testing.T) {
	var list []struct {
		What, Refused, Instead string
		Database               bool
	}
	if err := yaml.Unmarshal(grammarFile, &list); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(database bool, queries string) error {
		if err := gentest.WriteFiles(dir, map[string]string{"schema.sql": grammarSchema, "query.sql": queries}); err != nil {
			t.Fatal(err)
		}
		err := gentest.Generate(t.Context(), dir, []gentest.Entry{{
			Schema: "schema.sql", Queries: "query.sql", Database: database, Lido: []gentest.Output{{Dir: "gen"}},
		}})
		var refusal *gentest.Refusal
		if err != nil && !errors.As(err, &refusal) {
			t.Fatal(err)
		}
		return err
	}
	root, err := gentest.Root()
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(filepath.Join(root, "docs", "from-sqlc.md"))
	if err != nil {
		t.Fatal(err)
	}
	good := ""
	for i, g := range list {
		cmd := ":many"
		if strings.HasPrefix(g.Refused, "UPDATE") {
			cmd = ":exec"
		}
		query := func(sql string) string { return fmt.Sprintf("-- name: Q%d %s\n%s;\n", i, cmd, sql) }
		if run(!g.Database, query(g.Refused)) == nil {
			t.Errorf("%s is accepted: %s", g.What, g.Refused)
		}
		if g.Database {
			g.Instead = g.Refused
		}
		good += query(g.Instead)
		for _, text := range []string{g.What, g.Refused, g.Instead} {
			if !strings.Contains(strings.ReplaceAll(string(document), `\|`, "|"), text) {
				t.Errorf("docs/from-sqlc.md does not show %q", text)
			}
		}
	}
	if err := run(true, good); err != nil {
		t.Error(err)
	}
}
