package codegen_test

import (
	"path/filepath"
	"strings"
	"testing"
)

const planSchema = items + `
CREATE TABLE parts (id INTEGER PRIMARY KEY, item INTEGER NOT NULL, size INTEGER, kind TEXT);
CREATE INDEX parts_kind ON parts (kind, size);
CREATE VIEW big AS SELECT p.id, p.size FROM parts AS p WHERE p.size > 100;
CREATE TABLE pairs (a, b, c, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE codes (code TEXT UNIQUE, name TEXT);
CREATE VIRTUAL TABLE words USING fts5(body);
`

func TestThePlanGateReportsWhatGrowsWithATable(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"SELECT 1", ""},
		{"VALUES (1), (2)", ""},
		{"SELECT column1 FROM (VALUES (1), (2)) ORDER BY column1 DESC", ""},
		{"SELECT id FROM items WHERE id = 1", ""},
		{"SELECT id FROM items WHERE id IN (1, 2, 3)", ""},
		{"SELECT value FROM json_each('[1]') ORDER BY value", ""},
		{"SELECT id FROM items WHERE id IN (SELECT value FROM json_each('[1]')) ORDER BY name", ""},
		{"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n ORDER BY i DESC", ""},
		{"WITH x AS MATERIALIZED (SELECT id FROM items WHERE id = 1) SELECT id FROM x", ""},
		{"SELECT max(id) FROM items", ""},
		{"SELECT size FROM parts WHERE kind = 'a' ORDER BY size", ""},
		{"SELECT body FROM words WHERE words MATCH 'x'", ""},
		{"SELECT body FROM words WHERE words MATCH 'x' ORDER BY rank", ""},
		{"SELECT name FROM sqlite_schema", ""},
		{"SELECT name FROM pragma_table_info('items')", ""},
		{"INSERT INTO items (name) VALUES ('x') RETURNING id", ""},

		{"SELECT c FROM pairs WHERE a = 1 AND b = 2 ORDER BY c", ""},
		{"SELECT name FROM codes WHERE code = 'x' ORDER BY name", ""},

		{"SELECT c FROM pairs WHERE a = 1 ORDER BY c", "sorts pairs for ORDER BY"},
		{"SELECT name FROM codes WHERE code > 'x' ORDER BY name", "sorts codes for ORDER BY"},
		{"SELECT id FROM items", "reads all of items"},
		{"SELECT id FROM items AS i WHERE name = 'x'", "reads all of items"},
		{"SELECT id FROM items ORDER BY name", "reads all of items; sorts items for ORDER BY"},
		{"SELECT DISTINCT name FROM items", "reads all of items; sorts items for DISTINCT"},
		{"SELECT count(*) FROM items GROUP BY name", "reads all of items; sorts items for GROUP BY"},
		{"SELECT kind FROM parts", "reads all of parts"},
		{"SELECT id FROM parts WHERE kind = 'a' ORDER BY item", "sorts parts for ORDER BY"},
		{"SELECT id FROM big", "reads all of p"},
		{"SELECT body FROM words", "reads all of words"},
		{"SELECT i.id FROM items i JOIN parts p ON p.item = i.id WHERE i.id = 1", "reads all of parts"},
		{"SELECT i.id FROM items i LEFT JOIN parts p ON p.item = i.id WHERE i.id = 1", "reads all of parts"},
		{"SELECT (SELECT count(*) FROM parts WHERE item = i.id) FROM items i WHERE i.id = 1", "reads all of parts"},
		{"SELECT id FROM items WHERE EXISTS (SELECT 1 FROM parts WHERE item = items.id) AND id = 1", "reads all of parts"},
		{"SELECT a.id FROM parts a JOIN parts b ON b.item = a.item", "reads all of parts"},
		{"SELECT name FROM items UNION SELECT kind FROM parts", "reads all of items; reads all of parts"},
		{"DELETE FROM items WHERE name = 'x' RETURNING id", "reads all of items"},
		{"UPDATE items SET name = 'y' WHERE name = 'x' RETURNING id", "reads all of items"},
		{"WITH x AS MATERIALIZED (SELECT size, count(*) AS n FROM parts GROUP BY size) SELECT n FROM x ORDER BY n", "reads all of parts; sorts parts for GROUP BY"},
		{"SELECT row_number() OVER (ORDER BY item) FROM parts WHERE kind = 'a'", "sorts parts for ORDER BY"},
	} {
		files := map[string]string{"schema/1.sql": planSchema, "queries/items.sql": "-- name: A :one\n" + c.sql + ";"}
		resp, err := generateWith(t, []byte(`{"strict_types": true}`), files, one("A")) // no notes on types
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		_, notes, _ := strings.Cut(contents(resp, report), "\n")
		_, got, _ := strings.Cut(notes, "queries/items.sql:1:1 A: ")
		got, tree, _ := strings.Cut(got, "; add an index, or approve it with -- @scan\n")
		if c.want == "" && notes != "" || !strings.HasPrefix(got, c.want) || c.want != "" && !strings.HasPrefix(tree, "    ") {
			t.Errorf("%s:\n got %s\nwant %s", c.sql, notes, c.want)
		}
		_, err = generateWith(t, []byte(`{"plan": "error"}`), files, one("A"))
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), "queries/items.sql:1:1 A: "+c.want) {
			t.Errorf("plan error, %s: got %v, want %s", c.sql, err, c.want)
		}
		for _, quiet := range []string{`{"plan": "off", "strict_types": true}`, `{"plan": "error", "strict_types": true}`} {
			files["queries/items.sql"] = "-- name: A :one\n" + c.sql + ";"
			if strings.Contains(quiet, "error") {
				files["queries/items.sql"] = "-- name: A :one\n-- @scan it is small\n" + c.sql + ";"
			}
			resp, err := generateWith(t, []byte(quiet), files, one("A"))
			if err != nil || strings.Count(contents(resp, report), "\n") != 1 {
				t.Errorf("%s, %s: got %v", quiet, c.sql, err)
			}
		}
	}
}

func TestThePlansOfAllQueriesGoIntoOneFile(t *testing.T) {
	files := map[string]string{
		"schema/1.sql": planSchema,
		"queries/b.sql": "-- name: Z :one\nSELECT id FROM items WHERE id IN (SELECT item FROM parts) ORDER BY name;\n" +
			"-- name: M :one\nPRAGMA user_version;\n",
		"queries/a.sql": "\n\n-- name: Y :one\nSELECT 1;\n-- name: Gone :one\n-- @unchecked\nSELECT id FROM elsewhere;",
	}
	write := func() string {
		resp, err := generateWith(t, []byte(`{"plans": "docs/plans.txt", "plan": "off"}`), files, one("Z"), one("Y"), one("M"), one("Gone"))
		if err != nil {
			t.Fatal(err)
		}
		return contents(resp, "docs/plans.txt")
	}
	got := write()
	_, body, _ := strings.Cut(got, "\n")
	want := `
queries/a.sql Gone
  (unchecked)

queries/a.sql Y
  SCAN CONSTANT ROW

queries/b.sql M
  (no plan)

queries/b.sql Z
  SEARCH items USING INTEGER PRIMARY KEY (rowid=?)
  LIST SUBQUERY 1
    SCAN parts
  USE TEMP B-TREE FOR ORDER BY
`
	if body != want || !strings.HasPrefix(got, "Plans of SQLite 3.") {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	files["queries/b.sql"] = "\n\n-- moved down\n\n" + files["queries/b.sql"]
	if again := write(); again != got {
		t.Errorf("a line more in a file changed the plans:\n%s", again)
	}
}

func TestThePlansLieWhereTheOptionSays(t *testing.T) {
	p := newProject(t, map[string]string{"schema.sql": planSchema, "query.sql": "-- name: A :one\nSELECT id FROM items WHERE id = ?;\n"})
	p.options = map[string]any{"plans": "docs/plans.txt"}
	if stderr, ok := p.generate(t); !ok {
		t.Fatal(stderr)
	}
	if got := read(t, filepath.Join(p.dir, "gen", "docs", "plans.txt")); !strings.HasSuffix(got, "\nquery.sql A\n  SEARCH items USING INTEGER PRIMARY KEY (rowid=?)\n") {
		t.Errorf("got:\n%s", got)
	}
}
