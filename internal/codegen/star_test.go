package codegen_test

import (
	"strings"
	"testing"

	"github.com/lidodb/lido/internal/codegen"
)

// Rows are read by position, so a wildcard is written out wherever that
// provably means the same.
func TestWildcardsAreWrittenOut(t *testing.T) {
	const schema = `CREATE TABLE a (id INTEGER PRIMARY KEY, "group" TEXT);
CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER, "odd name" TEXT);
CREATE VIEW v AS SELECT "group" FROM a;`
	for _, c := range []struct{ sql, want string }{
		{"SELECT * FROM a", `SELECT id, "group" FROM a`},
		{"SELECT x.* FROM a AS x", `SELECT x.id, x."group" FROM a AS x`},
		{"SELECT 1, b.*, 2, a.*, 3 FROM a, b", `SELECT 1, b.id, b.a_id, b."odd name", 2, a.id, a."group", 3 FROM a, b`},
		{"SELECT DISTINCT a.*, count(*) FROM a", `SELECT DISTINCT a.id, a."group", count(*) FROM a`},
		{"SELECT sqlc.embed(b), a.id * 2 FROM a, b", `SELECT b.id, b.a_id, b."odd name", a.id * 2 FROM a, b`},
		{"SELECT * FROM v", `SELECT "group" FROM v`},
		{"SELECT * FROM (SELECT * FROM a)", `SELECT id, "group" FROM (SELECT * FROM a)`},
		{"WITH c AS (SELECT * FROM a) SELECT c.* FROM c", `WITH c AS (SELECT * FROM a) SELECT c.id, c."group" FROM c`},
		{"SELECT * FROM a JOIN b ON a_id = a.id", `SELECT * FROM a JOIN b ON a_id = a.id`}, // id is ambiguous
		{"SELECT * FROM a UNION SELECT id, id FROM b", `SELECT * FROM a UNION SELECT id, id FROM b`},
		{"SELECT a.\"group\", (SELECT count(*) FROM b) FROM a", `SELECT a."group", (SELECT count(*) FROM b) FROM a`},
		{"INSERT INTO b SELECT *, 'x' FROM a RETURNING *", `INSERT INTO b SELECT *, 'x' FROM a RETURNING id, a_id, "odd name"`},
		{"DELETE FROM a WHERE id * 2 > 1 RETURNING *", `DELETE FROM a WHERE id * 2 > 1 RETURNING id, "group"`},
	} {
		if got := generatedSQL(t, schema, c.sql, width(c.want)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.sql, got, c.want)
		}
	}
}

// width is how many results the cases above have.
func width(sql string) int {
	switch {
	case strings.HasPrefix(sql, "SELECT * FROM a JOIN"):
		return 5
	case strings.HasPrefix(sql, "SELECT * FROM a UNION"):
		return 2
	}
	if _, after, ok := strings.Cut(sql, "RETURNING "); ok {
		return strings.Count(after, ",") + 1
	}
	_, list, _ := strings.Cut(sql[strings.LastIndex(sql, ") SELECT")+1:], "SELECT ")
	list = strings.ReplaceAll(list, "(SELECT count(*) FROM b)", "n")
	list, _, _ = strings.Cut(list, " FROM")
	return strings.Count(list, ",") + 1
}

// generatedSQL has the generator work on one statement with n results.
func generatedSQL(t *testing.T, schema, sql string, n int) string {
	t.Helper()
	query := one("A")
	for len(query.Columns) < n {
		query.Columns = append(query.Columns, &codegen.Column{Name: "x", Type: codegen.Identifier{Name: "any"}})
	}
	resp, err := generateHere(t, map[string]string{"schema/1.sql": schema, "queries/items.sql": "-- name: A :one\n" + sql + ";"}, query)
	if err != nil {
		t.Errorf("%s: %v", sql, err)
		return ""
	}
	for _, f := range resp.Files {
		if f.Name == "items.sql.go" {
			_, after, _ := strings.Cut(string(f.Contents), "SQL:")
			text, _, _ := strings.Cut(after[strings.Index(after, "`")+1:], "`")
			return text
		}
	}
	return ""
}

func TestAColumnThatSqlcDoesNotSeeIsLeftOutOfAWildcard(t *testing.T) {
	const schema = `CREATE TABLE a (id INTEGER PRIMARY KEY);
CREATE VIEW v AS SELECT * FROM a;
ALTER TABLE a ADD COLUMN later TEXT;`
	query := one("A")
	query.Columns[0].Name = "id"
	resp, err := generateHere(t, map[string]string{"schema/1.sql": schema, "queries/items.sql": "-- name: A :one\nSELECT * FROM v;"}, query)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range resp.Files {
		text := string(f.Contents)
		if f.Name == "items.sql.go" && !strings.Contains(text, "SELECT id FROM v") {
			t.Error(text)
		}
		if f.Name == "lido_report.txt" && !strings.Contains(text, "queries/items.sql:1:1 A: the engine finds 2 columns, sqlc 1") {
			t.Error(text)
		}
	}
}
