package codegen_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestARefusalNamesTheOptionOrTheCommentThatHelps(t *testing.T) {
	const onlyForSqlc = `; if the statement is there only for sqlc, mark it with a comment line "-- @sqlc-only"`
	for _, c := range []struct{ schema, query, want string }{
		{"", `SELECT id FROM items WHERE name = "Ada"`, `no such column: "Ada" - should this be a string literal in single-quotes?; or set the option double_quoted_strings and open the pool with DoubleQuotedStrings`},
		{"", "SELECT slug(name) FROM items", "no such function: slug; if the program adds it, name it in the option functions"},
		{"", "SELECT id FROM items ORDER BY name COLLATE german", "no such collation sequence: german; if the program adds it, name it in the option collations"},
		{"CREATE VIRTUAL TABLE v USING spellfix1;", "SELECT 1", "no such module: spellfix1" + onlyForSqlc},
		{"CREATE TABLE sqlite_x (a);", "SELECT 1", "object name reserved for internal use: sqlite_x" + onlyForSqlc},
		{"CREATE VIRTUAL TABLE w USING fts5(a); CREATE TABLE w_data (id, block);", "SELECT 1", onlyForSqlc},
		{"CREATE VIRTUAL TABLE w USING fts5(a); ALTER TABLE w ADD COLUMN rank REAL;", "SELECT 1", "virtual tables may not be altered" + onlyForSqlc},
		{"", "SELECT gone FROM items", "no such column: gone"},
	} {
		_, err := generateHere(t, map[string]string{"schema/1.sql": items + c.schema, "queries/items.sql": "-- name: A :one\n" + c.query + ";"}, one("A"))
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s %s: got %v, want %s", c.schema, c.query, err, c.want)
		}
	}
}

func TestDoubleQuotedStringsAreTakenOnRequest(t *testing.T) {
	for _, strict := range []string{"false", "true"} {
		files := map[string]string{
			"schema/1.sql":      items + `CREATE TABLE notes (id INTEGER PRIMARY KEY, kind TEXT NOT NULL DEFAULT "plain" CHECK (kind <> "bad"));`,
			"queries/items.sql": "-- name: A :one\nSELECT id FROM items WHERE name = \"Ada\";",
		}
		if _, err := generateWith(t, []byte(`{"strict_types": `+strict+`}`), files, one("A")); err == nil {
			t.Errorf("strict_types %s: taken without the option", strict)
		}
		resp, err := generateWith(t, []byte(`{"double_quoted_strings": true, "strict_types": `+strict+`}`), files, one("A"))
		if err != nil {
			t.Errorf("strict_types %s: %v", strict, err)
			continue
		}
		if code := contents(resp, "items.sql.go"); !strings.Contains(code, `name = "Ada"`) {
			t.Errorf("got\n%s", code)
		}
	}
}

func TestAQueryThatAnswersForItsConnectionIsCalledInsideATransaction(t *testing.T) {
	const schema = items + `CREATE TABLE log (item INTEGER);
CREATE TRIGGER items_log AFTER INSERT ON items BEGIN INSERT INTO log VALUES (last_insert_rowid()); END;
CREATE VIEW last AS SELECT last_insert_rowid() AS id;`
	for sql, want := range map[string]string{
		"SELECT last_insert_rowid()": "last_insert_rowid() answers for the connection, which outside a transaction other callers use as well; take RETURNING or :execlastid, ",
		"SELECT changes()":           "changes() answers for the connection, which outside a transaction other callers use as well; take :execrows, ",
		"SELECT total_changes()":     "total_changes() answers for the connection",
		"SELECT id FROM last":        "last_insert_rowid() answers for the connection",
		"INSERT INTO log VALUES (last_insert_rowid()) RETURNING item": "last_insert_rowid() answers for the connection",
		"INSERT INTO items (name) VALUES ('a') RETURNING id":          "", // the trigger asks about its own statements
		"SELECT 'last_insert_rowid()'":                                "",
	} {
		files := map[string]string{"schema/1.sql": schema, "queries/items.sql": "-- name: A :one\n" + sql + ";"}
		strict := []byte(`{"strict_types": true}`)
		_, err := generateWith(t, strict, files, one("A"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), "queries/items.sql:2:1 A: "+want)) {
			t.Errorf("%s: got %v, want %q", sql, err, want)
		}
		resp, err := generateHere(t, files, one("A"))
		if err != nil || strings.Contains(contents(resp, report), "answers for the connection") != (want != "") {
			t.Errorf("%s without strict types: %v", sql, err)
		}
		files["queries/items.sql"] = "-- name: A :one\n-- @transaction\n" + sql + ";"
		if resp, err := generateWith(t, strict, files, one("A")); err != nil || strings.Contains(contents(resp, report), "answers for") {
			t.Errorf("%s, approved: %v", sql, err)
		}
	}
}

func TestOneFileHoldsSchemaAndQueries(t *testing.T) {
	p := newProject(t, map[string]string{"query.sql": `CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL, bio TEXT);

-- name: GetAuthor :one
SELECT * FROM authors WHERE id = ?;

-- name: CreateAuthor :one
INSERT INTO authors (name, bio) VALUES (?, ?) RETURNING *;

CREATE TABLE books (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES authors (id));

/* name: DropAuthor :exec */
DELETE FROM authors WHERE id = ?;

-- name: CountBooks :one
-- @scan
SELECT count(*) FROM books;
`})
	p.schema, p.database = "query.sql", false
	code := p.mustGenerate(t)["query.sql.go"]
	for _, name := range []string{"GetAuthor(", "CreateAuthor(", "DropAuthor(", "CountBooks("} {
		if !strings.Contains(code, ") "+name+"ctx") {
			t.Errorf("no %s in\n%s", name, code)
		}
	}
	for _, e := range typeCheck(t, filepath.Join(p.dir, "gen")) {
		t.Error(e)
	}
}
