package codegen_test

import (
	"strings"
	"testing"

	"github.com/lidodb/lido/internal/codegen"
)

func TestStray_whatSqlcDropsIsAnError(t *testing.T) {
	const first = "-- name: First :one\nSELECT id FROM items;\n"
	for _, c := range []struct{ what, text, want string }{
		{"nothing wrong", first + "-- a comment at the end\n", ""},
		{"a lone semicolon", first + ";\n;\n", ""},
		{"a semicolon in a text and in a comment", "-- name: First :one\nSELECT id FROM items WHERE name = 'a; SELECT 2' /* ; SELECT 3 */; -- ; SELECT 4\n", ""},
		{"a name in a comment", "/* write\n-- name: X :one\nabove a query */\n" + first, ""},
		{"a second statement", first + "\n  DELETE FROM items;\n",
			`queries/items.sql:4:3 First: a second statement stands under this name, and only the first would run; write "-- name: Name :command" above the second, or take it out`},
		{"on the same line", "-- name: First :one\nSELECT id FROM items; SELECT 2;\n", "queries/items.sql:2:23 First: a second statement stands under this name"},
		{"after the last semicolon", first + "SELECT 2", "queries/items.sql:3:1 First: a second statement stands under this name"},
		{"three of them", first + "SELECT 2;\nSELECT 3;\n", "queries/items.sql:3:1 First: a second statement stands under this name"},
		{"a comment of its own", first + "-- All of them.\nSELECT 2;\n", "queries/items.sql:4:1 First: a second statement stands under this name"},
		{"a statement of the schema", first + "CREATE TABLE more (id);\n", "queries/items.sql:3:1 First: a second statement stands under this name"},
		{"a statement before all names", "PRAGMA foreign_keys = ON;\n" + first,
			`queries/items.sql:1:1: no name stands above this statement, so nothing could run it; write "-- name: Name :command" there, or move it into the schema`},
		{"a name that is misspelt", "-- nmae: Lost :one\nSELECT 2;\n" + first, "queries/items.sql:2:1: no name stands above this statement"},
		{"a name at the end", first + "-- name: Last :many\n", "queries/items.sql:3:1 Last: no statement follows this name"},
		{"a name before a semicolon", "-- name: Empty :exec\n;\n" + first, "queries/items.sql:1:1 Empty: no statement follows this name"},
		{"a name before a comment", first + "-- name: Last :many\n-- SELECT 1;\n", "queries/items.sql:3:1 Last: no statement follows this name"},
		{"two names", "-- name: First :one\n-- name: Second :many\nSELECT id FROM items;\n",
			"queries/items.sql:2:1 Second: the statement is called First already; end the one before with a semicolon, or take out one of the names"},
		{"no semicolon between two", "-- name: First :one\nSELECT id FROM items\n-- name: Second :many\nWHERE id = 1;\n", "queries/items.sql:3:1 Second: the statement is called First already"},
		{"two of one name", first + "-- name: First :many\nSELECT 2;\n", "queries/items.sql:3:1 First: queries/items.sql:1 has a query of this name already"},
		{"two statements for the engine", "-- name: First :one\n/* @engine\nSELECT id FROM items; DELETE FROM items;\n*/\nSELECT id FROM items;\n", "queries/items.sql:3:"},
	} {
		_, err := generateHere(t, map[string]string{"schema/1.sql": items, "queries/items.sql": c.text}, one("First"))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.what, err, c.want)
		}
	}
}

// A file that is schema and queries at once has statements without names.
func TestStray_aSchemaNeedsNoNames(t *testing.T) {
	for text, want := range map[string]string{
		items + "INSERT INTO items VALUES (1, 'a');\n-- name: First :one\nSELECT id FROM items;\nCREATE INDEX i ON items (name);\n": "",
		items + "-- name: First :one\nSELECT id FROM items;\nDELETE FROM items;\n":                                                  "both.sql:4:1 First: a second statement stands under this name",
		items + "SELECT 1;\n-- name: First :one\nSELECT id FROM items;\n":                                                           "both.sql:2:1: no name stands above this statement",
	} {
		problems := codegen.Strays("both.sql", text, true)
		if got := strings.Join(problems, "\n"); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
