package codegen_test

import (
	"strings"
	"testing"
)

const shelves = `CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL, bio TEXT);
CREATE TABLE books (id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES authors (id), title TEXT NOT NULL, price REAL NOT NULL);
`

func TestWhatSqlcDamagesIsTakenFromTheSource(t *testing.T) {
	p := newProject(t, map[string]string{"schema.sql": shelves, "query.sql": `-- name: First :many
-- ä
-- @scan
SELECT id, name FROM authors WHERE bio IS NOT ?;

-- name: Second :many
SELECT title FROM books WHERE id = ? AND title = ?;

-- name: Third :exec
DELETE FROM books WHERE id = ? AND title = ? AND price = ?;

-- name: Fourth :one
SELECT title FROM books WHERE id = 1234567 AND title <> 'ab';
`})
	p.database = false // sqlc's own engine refuses what sqlc has cut
	files := p.mustGenerate(t)
	code, notes := files["query.sql.go"], files[report]
	for _, want := range []string{
		"SELECT id, name FROM authors WHERE bio IS NOT ?1`", "SELECT title FROM books WHERE id = ?1 AND title = ?2`",
		"DELETE FROM books WHERE id = ?1 AND title = ?2 AND price = ?3`", "SELECT title FROM books WHERE id = 1234567 AND title <> 'ab'`",
	} {
		if !strings.Contains(code, want) {
			t.Errorf("the code lacks %s", want)
		}
	}
	for _, want := range []string{
		"query.sql:1:1 First: sqlc's own text of it is damaged (the end is missing after ", "Second: sqlc's own text of it is damaged (a stray semicolon in front)",
		"Third: sqlc's own text of it is damaged", "Fourth: sqlc's own text of it is damaged",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the report lacks %s:\n%s", want, notes)
		}
	}
	if t.Failed() {
		t.Log(code)
	}
}

func TestWhatSqlcLeavesInItsTextIsReported(t *testing.T) {
	p := newProject(t, map[string]string{"schema.sql": shelves, "query.sql": `-- name: Sorted :many
-- @scan
SELECT title FROM books ORDER BY CASE WHEN @dir = 'asc' THEN title END;
`})
	files := p.mustGenerate(t)
	if !strings.Contains(files["query.sql.go"], "CASE WHEN ?1 = 'asc'") || !strings.Contains(files[report], "query.sql:1:1 Sorted: sqlc's own text of it is damaged (@dir is left in it); this one is taken from the source") {
		t.Errorf("got\n%s\n%s", files[report], files["query.sql.go"])
	}
	p.database = false // then sqlc does not see the parameter at all
	p.mustFail(t, "query.sql:3:44 Sorted: sqlc did not see the parameter dir; it knows none; with database: {uri: \":memory:\"} in sqlc.yaml it asks an engine and sees more")
}

// With enough characters of several bytes sqlc reads the name of one query
// and the statement of another.
func TestAQueryThatSqlcTakesForAnotherIsRefused(t *testing.T) {
	text := "-- name: A :many\nSELECT id FROM authors WHERE id = 1;\n-- " + strings.Repeat("ä", 90) + "\n\n-- name: B :many\nSELECT title FROM books WHERE id = 1;\n" +
		"-- name: C :many\nSELECT title FROM books WHERE id = 1 AND title = '0123456789012345678901234567890123456789012345678901234567890123456789';\n"
	p := newProject(t, map[string]string{"schema.sql": shelves, "query.sql": text})
	p.database = false
	p.mustFail(t, "query.sql:5:1 B: sqlc loses it, because characters of several bytes stand before it in the file (the first is 'ä' in line 3, column 4)",
		"query.sql:7:1 C: sqlc calls it B, because")
}
