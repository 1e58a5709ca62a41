package codegen_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// refusedBySqlc are statements that SQLite takes and sqlc does not, each with
// another that both take. docs/from-sqlc.md lists them.
var refusedBySqlc = []struct{ name, refused, instead string }{
	{
		"UPDATE ... FROM", "UPDATE books SET price = a.born FROM authors AS a WHERE a.id = books.author_id AND a.name = ?",
		"UPDATE books SET price = (SELECT a.born FROM authors AS a WHERE a.id = books.author_id) WHERE author_id IN (SELECT id FROM authors WHERE name = ?)",
	},
	{"IS NOT DISTINCT FROM", "SELECT id FROM books WHERE author_id IS NOT DISTINCT FROM ?", "SELECT id FROM books WHERE author_id IS ?"},
	{"IS DISTINCT FROM", "SELECT id FROM books WHERE author_id IS DISTINCT FROM ?", "SELECT id FROM books WHERE author_id IS NOT ?"},
	{"AS MATERIALIZED", "WITH x AS MATERIALIZED (SELECT id FROM books) SELECT id FROM x", "WITH x AS (SELECT id FROM books) SELECT id FROM x"},
	{"AS NOT MATERIALIZED", "WITH x AS NOT MATERIALIZED (SELECT id FROM books) SELECT id FROM x", "WITH x AS (SELECT id FROM books) SELECT id FROM x"},
	{"ORDER BY in an aggregate", "SELECT group_concat(title, ',' ORDER BY title) AS t FROM books", "SELECT group_concat(title, ',') AS t FROM (SELECT title FROM books ORDER BY title)"},
	{"underscores in a number", "SELECT id FROM books WHERE price > 1_000", "SELECT id FROM books WHERE price > 1000"},
	{
		"a second ON CONFLICT", "INSERT INTO pairs (k, n) VALUES (?, ?) ON CONFLICT (k, n) DO NOTHING ON CONFLICT DO UPDATE SET v = excluded.v",
		"/* @engine INSERT INTO pairs (k, n) VALUES (?, ?) ON CONFLICT (k, n) DO NOTHING ON CONFLICT DO UPDATE SET v = excluded.v */ INSERT INTO pairs (k, n) VALUES (?, ?)",
	},
	{"a keyword as an alias", "SELECT id AS key FROM books", `SELECT id AS "key" FROM books`},
	{"a keyword as a name in sqlc.arg and sqlc.slice", "SELECT id FROM books WHERE id IN (sqlc.slice(others))", "SELECT id FROM books WHERE id IN (sqlc.slice('others'))"},
	{"sqlc.arg in ORDER BY", "SELECT id FROM books ORDER BY CASE WHEN sqlc.arg(dir) = 'asc' THEN id END", "SELECT id FROM books ORDER BY CASE WHEN @dir = 'asc' THEN id END"},
	{"sqlc.arg in ESCAPE", "SELECT id FROM books WHERE title LIKE sqlc.arg(p) ESCAPE sqlc.arg(e)", "SELECT id FROM books WHERE title LIKE @p ESCAPE @e"},
	{
		"sqlc.arg in ON CONFLICT", "INSERT INTO pairs (k, n, v) VALUES (@k, @n, @v) ON CONFLICT (k, n) DO UPDATE SET v = sqlc.arg(w)",
		"INSERT INTO pairs (k, n, v) VALUES (@k, @n, @v) ON CONFLICT (k, n) DO UPDATE SET v = @w",
	},
	{"EXCLUDE TIES", "SELECT sum(price) OVER (ORDER BY id RANGE CURRENT ROW EXCLUDE TIES) AS s FROM books",
		"/* @engine SELECT sum(price) OVER (ORDER BY id RANGE CURRENT ROW EXCLUDE TIES) AS s FROM books */ SELECT sum(price) OVER (ORDER BY id RANGE CURRENT ROW) AS s FROM books"},
	{"HAVING without GROUP BY", "SELECT sum(price) AS s FROM books HAVING s > ?", "SELECT sum(price) AS s FROM books GROUP BY NULL HAVING s > ?"},
	{
		"sqlc.embed in RETURNING", "INSERT INTO authors (name) VALUES (@name) RETURNING sqlc.embed(authors), 1 AS one",
		"/* @engine INSERT INTO authors (name) VALUES (@name) RETURNING sqlc.embed(authors), 1 AS one */ SELECT sqlc.embed(authors), 1 AS one FROM authors WHERE name = @name",
	},
	{"* over a column that needs quotes", `SELECT * FROM "order"`, `SELECT "select", "from", "a b", "type", func, "range", a_b FROM "order"`},
	{"* over VALUES", "SELECT * FROM (VALUES (1, 'a'))", "SELECT column1, column2 FROM (VALUES (1, 'a'))"},
}

func command(sql string) string {
	for _, verb := range []string{"INSERT", "UPDATE"} {
		if (strings.HasPrefix(sql, verb) || strings.Contains(sql, "*/ "+verb)) && !strings.Contains(sql, "RETURNING") {
			return ":exec"
		}
	}
	return ":many"
}

func TestWhatSqlcRefusesHasAWayRound(t *testing.T) {
	schema := read(t, corner+"/schema/1_corner.sql")
	var instead strings.Builder
	dir := t.TempDir()
	write(t, filepath.Join(dir, "schema.sql"), schema)
	var entries []map[string]any
	for i, c := range refusedBySqlc { // each is an entry of its own, for sqlc stops reading a file where it refuses it
		p := &project{schema: "schema.sql", queries: fmt.Sprintf("refused%d.sql", i), database: true}
		write(t, filepath.Join(dir, p.queries.(string)), "-- name: A "+command(c.refused)+"\n"+c.refused+";\n")
		entries = append(entries, p.entry(""))
		fmt.Fprintf(&instead, "-- name: Q%d %s\n%s;\n", i, command(c.instead), c.instead)
	}
	writeConfig(t, dir, "", entries...)
	stderr, _ := refusal(t, dir)
	for i, c := range refusedBySqlc {
		if !strings.Contains(stderr, fmt.Sprintf("refused%d.sql:", i)) {
			t.Errorf("%s: sqlc takes it now; strike it from the list", c.name)
		}
	}
	p := newProject(t, map[string]string{"schema.sql": schema, "query.sql": instead.String()})
	p.mustGenerate(t)
	for _, e := range typeCheck(t, p.dir+"/gen") {
		t.Error(e)
	}
}

func TestTheEngineGetsTheStatementInTheComment(t *testing.T) {
	s, ctx := filled(t), t.Context()
	equal(t, "UPDATE FROM", must(s.RepriceFrom(ctx, "Bob")), int64(1))
	equal(t, "an aggregate in order", must(s.TitlesInOrder(ctx, sql.NullInt64{Int64: 2, Valid: true})), text("two"))

	whole := must(s.AddWhole(ctx, "Daniel"))
	equal(t, "an embed of what is returned", whole.Author.Name, "Daniel")
	equal(t, "beside it", whole.Letters, int64(6))

	for text, want := range map[string]string{
		"/* @engine SELECT id, name FROM items */ SELECT id":      "queries/items.sql:2:12 A: sqlc sees 1 column, the engine 2",
		"/* @engine SELECT id FROM gone */ SELECT id FROM items":  "queries/items.sql:2:12 A: no such table: gone",
		"/* @engine SELECT id FROM items WHERE id = @x */ SELECT": "queries/items.sql:2:44 A: sqlc did not see the parameter x",
		"/* @engine */ SELECT id FROM items":                      "",
		"/* @engineer */ SELECT id FROM items":                    "",
		"-- @engine SELECT\nSELECT id FROM items":                 "",
	} {
		_, err := generateHere(t, map[string]string{"schema/1.sql": items, "queries/items.sql": "-- name: A :one\n" + text + ";"}, one("A"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
