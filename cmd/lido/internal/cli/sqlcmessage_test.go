package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido/cmd/lido/internal/cli"
)

func TestARefusedQueryIsPlacedAndNamed(t *testing.T) {
	dir := t.TempDir()
	const text = `-- name: First :one
SELECT id FROM items;

-- Second is broken: colour is no column.
-- name: Second :many
-- @scan
SELECT id, -- colour comes later
       colour
FROM items;

-- name: Third :exec
DELETE FORM items;
`
	if err := os.WriteFile(filepath.Join(dir, "items.sql"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"items.sql:4:1: sqlite3: SQL logic error: no such column: colour":        "items.sql:8:8 Second: no such column: colour",
		"items.sql:7:1: sqlite3: SQL logic error: no such column: items.colour":  "items.sql:8:8 Second: no such column: items.colour",
		"items.sql:11:1: sqlite3: SQL logic error: near \"FORM\": syntax error":  "items.sql:12:8 Third: near \"FORM\": syntax error",
		"items.sql:12:1: sqlite3: SQL logic error: something else":               "items.sql:12:1 Third: something else",
		"nowhere.sql:4:1: sqlite3: SQL logic error: no such column: colour":      "nowhere.sql:4:1: sqlite3: SQL logic error: no such column: colour",
		"items.sql:2:1: relation \"x\" does not exist":                           "items.sql:2:1: relation \"x\" does not exist",
		"queries/items.sql:22:12 Broken: no such column: colour (SQLite code 1)": "queries/items.sql:22:12 Broken: no such column: colour (SQLite code 1)",
	} {
		if got := cli.ExplainRefusal(dir, line); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", line, got, want)
		}
	}
}
