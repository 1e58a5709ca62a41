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
	if testing.Short() {
		t.Skip("runs sqlc, which takes minutes to compile")
	}
	var list []struct {
		What, Refused, Instead string
		Database               bool
	}
	if err := yaml.Unmarshal(grammarFile, &list); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	entry := func(file, queries string, database bool) gentest.Entry {
		if err := gentest.WriteFiles(dir, map[string]string{"schema.sql": grammarSchema, file: queries}); err != nil {
			t.Fatal(err)
		}
		return gentest.Entry{Schema: "schema.sql", Queries: file, Database: database, Lido: []gentest.Output{{Dir: "gen"}}}
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
	var refused []gentest.Entry // an entry each, for sqlc stops reading a file where it refuses it
	for i, g := range list {
		cmd := ":many"
		if strings.HasPrefix(g.Refused, "UPDATE") {
			cmd = ":exec"
		}
		query := func(sql string) string { return fmt.Sprintf("-- name: Q%d %s\n%s;\n", i, cmd, sql) }
		refused = append(refused, entry(fmt.Sprintf("refused%d.sql", i), query(g.Refused), !g.Database))
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
	if err := gentest.Configure(dir, refused); err != nil {
		t.Fatal(err)
	}
	var refusal *gentest.Refusal
	if err := gentest.RunAlone(t.Context(), dir); !errors.As(err, &refusal) {
		t.Fatal(err)
	}
	for i, g := range list {
		if !strings.Contains(refusal.Stderr, fmt.Sprintf("refused%d.sql", i)) {
			t.Errorf("%s is accepted: %s", g.What, g.Refused)
		}
	}
	if err := gentest.Generate(t.Context(), dir, []gentest.Entry{entry("query.sql", good, true)}); err != nil {
		t.Error(err)
	}
}
