package codegen_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// operatorCases are results, with whether one of the rows of operands makes a
// NULL of them. Where caution is set no row does, and the generator cannot know.
var operatorCases = []struct {
	expr          string
	null, caution bool
}{
	{expr: "m = 3"}, {expr: "n = 3", null: true}, {expr: "3 == n", null: true}, {expr: "m <> n", null: true}, {expr: "k != s", null: true},
	{expr: "m < 3"}, {expr: "n < 3", null: true}, {expr: "n <= m", null: true}, {expr: "m > n", null: true}, {expr: "3 >= n", null: true},
	{expr: "m = NULL", null: true}, {expr: "t.n = 3", null: true}, {expr: "t.m = t.id"},

	{expr: "n IS 3"}, {expr: "n IS NOT 3"}, {expr: "n IS NULL"}, {expr: "n IS NOT NULL"}, {expr: "n ISNULL"}, {expr: "n NOTNULL"}, {expr: "n NOT NULL"},
	{expr: "n IS TRUE"}, {expr: "n = m IS NULL"}, {expr: "n + 1 IS 3"},
	{expr: "n IS NULL = m"}, {expr: "n IS NULL = n", null: true}, {expr: "m = (n IS NULL)"}, {expr: "NOT n IS NULL"}, {expr: "NOT (n IS NULL)"},

	{expr: "k LIKE 'a%'"}, {expr: "s LIKE 'a%'", null: true}, {expr: "s NOT LIKE 'a%'", null: true}, {expr: "k LIKE s", null: true},
	{expr: "s LIKE 'a' ESCAPE '!'", null: true}, {expr: "k LIKE 'a!%' ESCAPE '!'"}, {expr: "k NOT LIKE 'a'"},
	{expr: "k GLOB 'a*'"}, {expr: "s GLOB 'a*'", null: true}, {expr: "s NOT GLOB 'a*'", null: true},
	{expr: "k REGEXP 'a'"}, {expr: "s REGEXP 'a'", null: true}, {expr: "s NOT REGEXP 'a'", null: true}, {expr: "k REGEXP s", null: true},

	{expr: "m BETWEEN 1 AND 3"}, {expr: "n BETWEEN 1 AND 3", null: true}, {expr: "m BETWEEN n AND 3", null: true}, {expr: "m BETWEEN 1 AND n", null: true},
	{expr: "n NOT BETWEEN 1 AND 3", null: true}, {expr: "m NOT BETWEEN 1 AND 3"}, {expr: "m BETWEEN 1 AND 3 AND k = 'a'"}, {expr: "m BETWEEN 1 AND 3 AND n = 1", null: true},
	{expr: "m BETWEEN (n IS NULL) AND n", null: true}, {expr: "m BETWEEN (n IS NULL) AND 7"}, {expr: "m BETWEEN 1 AND n IS NULL"},
	{expr: "m BETWEEN 0 BETWEEN n AND 1 AND 3", null: true},

	{expr: "m IN (1, 2)"}, {expr: "n IN (1, 2)", null: true}, {expr: "m IN (1, n)", null: true}, {expr: "m IN (1, NULL)", null: true}, {expr: "n NOT IN (1)", null: true},
	{expr: "m NOT IN (1)"}, {expr: "n IN ()"}, {expr: "m IN (SELECT b FROM u)"}, {expr: "m IN (SELECT a FROM u)", null: true}, {expr: "n IN (SELECT b FROM u)", null: true},
	{expr: "m NOT IN (SELECT a FROM u)", null: true}, {expr: "m IN (SELECT t.n FROM u AS t2)", null: true}, {expr: "m IN (SELECT max(b) FROM e)", null: true},
	{expr: "m IN (SELECT b FROM u UNION SELECT a FROM u)", null: true}, {expr: "m IN (SELECT e.b FROM u LEFT JOIN e ON e.id = u.id)", null: true},
	{expr: "m IN (SELECT b FROM (SELECT a AS b FROM u))", null: true}, {expr: "m IN (SELECT t.b FROM u AS t)"}, {expr: "m IN (SELECT t.a FROM u AS t)", null: true},
	{expr: "m IN (WITH w AS (SELECT a FROM u) SELECT a FROM w)", null: true},
	{expr: "m IN (VALUES (1), (NULL))", null: true},

	{expr: "n = 1 AND m = 1", null: true}, {expr: "m = 1 AND k = 'a'"}, {expr: "n = 1 OR m = 9", null: true}, {expr: "m = 1 OR k = 'a'"}, {expr: "NOT n", null: true}, {expr: "NOT m"},
	{expr: "NOT n = 1 AND m = 1", null: true}, {expr: "NOT (m = 1 OR s = 'a')", null: true}, {expr: "n IS NULL AND m = 1"}, {expr: "n IS NULL OR n = 1", caution: true},
	{expr: "(m = 1 OR k = 'a') AND NOT m = 2"}, {expr: "m = 1 OR n IS NOT NULL AND n > 3", caution: true},

	{expr: "n + 1", null: true}, {expr: "m + 1"}, {expr: "m - n", null: true}, {expr: "m * n", null: true}, {expr: "m * 2 - id"}, {expr: "-n", null: true}, {expr: "-m"}, {expr: "+n", null: true}, {expr: "~n", null: true}, {expr: "~m"},
	{expr: "m - -1"}, {expr: "m - -n", null: true}, {expr: "m & 1"}, {expr: "n | 1", null: true}, {expr: "m << n", null: true}, {expr: "m >> 1"},
	{expr: "m / 2"}, {expr: "n / 2", null: true}, {expr: "m / n", null: true}, {expr: "m % 2"}, {expr: "m % n", null: true}, {expr: "m / 0", null: true}, {expr: "m % 0.5", null: true}, {expr: "m / 0.5"}, {expr: "m / 0x0", null: true},
	{expr: "m / 1e-400", null: true}, {expr: "m % 0x10"}, {expr: "m * 2 / 3 + 1"}, {expr: "1 + m / 0", null: true}, {expr: "m / 2 > 1"}, {expr: "m / (id - 1)", null: true},
	{expr: "k || 'x'"}, {expr: "s || 'x'", null: true}, {expr: "k || 1 = 'a'"}, {expr: "'{}' -> 'a'", null: true}, {expr: "'{}' ->> 'a' = 'b'", null: true},
	{expr: "n COLLATE NOCASE = 1", null: true}, {expr: "k COLLATE NOCASE = 'A'"}, {expr: "k = 'A' COLLATE NOCASE"},

	{expr: "(n, m) = (1, 1)", null: true}, {expr: "(k, m) = ('a', 2)"}, {expr: "(m, k) < (1, s)", null: true},
	{expr: "EXISTS (SELECT 1 FROM u)"}, {expr: "NOT EXISTS (SELECT a FROM u)"}, {expr: "EXISTS (SELECT 1 FROM e) = n", null: true},
	{expr: "(SELECT count(*) FROM u) > 1"}, {expr: "(SELECT b FROM e) > 1", null: true}, {expr: "(SELECT b FROM u LIMIT 1) = 1", caution: true},
	{expr: "CASE WHEN m > 1 THEN 1 ELSE 2 END"}, {expr: "CASE WHEN m > 1 THEN NULL ELSE 2 END", null: true}, {expr: "CASE WHEN m > 1 THEN n ELSE 2 END", null: true},
	{expr: "CASE m WHEN 1 THEN 2 END = 2", null: true}, {expr: "CASE n WHEN 1 THEN 2 ELSE 3 END = 2"}, {expr: "CASE WHEN m = 1 THEN CASE WHEN m = 2 THEN 1 END ELSE 0 END", null: true},
	{expr: "CASE WHEN n = 1 AND m = 1 THEN 1 ELSE 2 END + m"}, {expr: "CASE WHEN n IS NULL THEN 0 ELSE m END > 1"},
	{expr: "coalesce(n, 0) > 1"}, {expr: "ifnull(n, m) + 1"}, {expr: "coalesce(n, r) = 1", null: true}, {expr: "nullif(m, 1) = 1", null: true}, {expr: "iif(m > 1, n, 2) = 2", null: true}, {expr: "iif(n > 1, m, 2) = 2"},
	{expr: "length(k) > 1"}, {expr: "length(s) > 1", null: true}, {expr: "lower(k) = 'a'"}, {expr: "upper(s) LIKE 'A'", null: true}, {expr: "date(k) = k", null: true},
	{expr: "date('now') = k"}, {expr: "unixepoch() - m > 0"}, {expr: "strftime('%Y', 'now') = k"}, {expr: "strftime('%Q', 'now') = k", null: true},
	{expr: "json_extract('{}', '$.a') = 1", null: true}, {expr: "abs(m) + abs(n)", null: true}, {expr: "max(m, n) > 1", null: true}, {expr: "CAST(n AS TEXT) = '1'", null: true}, {expr: "CAST(CAST(m AS TEXT) AS INTEGER) = 1"},
	{expr: "row_number() OVER (ORDER BY id) > 1"}, {expr: "lag(m) OVER (ORDER BY id) = m", null: true}, {expr: "sum(m) OVER (ORDER BY id ROWS BETWEEN 2 FOLLOWING AND 3 FOLLOWING) > 1", null: true},
	{expr: "rowid = 1"}, {expr: "id = 1"}, {expr: "TRUE = n", null: true},

	{expr: "m = @p"}, {expr: "n = @p", null: true}, {expr: "m = sqlc.narg(p)", null: true}, {expr: "m IN (sqlc.slice(p))"}, {expr: "n IN (sqlc.slice(p))", null: true},
	{expr: "m > @p AND k = 'a'"}, {expr: "m IN (@p, 2)"}, {expr: "m BETWEEN @p AND 7"},
}

const operands = `CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, m INTEGER NOT NULL, s TEXT, k TEXT NOT NULL, r REAL);
CREATE TABLE u (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER NOT NULL);
CREATE TABLE e (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER NOT NULL);
`

const operandRows = `INSERT INTO t VALUES (1, 1, 1, 'a', 'a', 1.5), (2, NULL, 1, NULL, 'a', NULL), (3, 0, 2, 'b', 'b', 0), (4, NULL, 3, NULL, '', NULL), (5, 2, 0, '', 'A', 2);
INSERT INTO u VALUES (1, 7, 8), (2, NULL, 9);
`

// Where no row makes a NULL, the type holds none, and where one does, it does.
// NOT is asked too because sqlc types it, which it does not for IN and others.
func TestWhatAnOperatorMakesOfNullsIsWhatTheEngineMakesOfThem(t *testing.T) {
	var queries strings.Builder
	for i, c := range operatorCases {
		fmt.Fprintf(&queries, "-- name: Q%d :many\n-- @scan\nSELECT %s AS x FROM t;\n", i, c.expr)
		fmt.Fprintf(&queries, "-- name: N%d :many\n-- @scan\nSELECT NOT (%s) AS x FROM t;\n", i, c.expr)
	}
	p := newProject(t, map[string]string{"schema.sql": operands, "query.sql": queries.String()})
	p.options = map[string]any{"strict_types": true, "functions": []string{"regexp/2"}}
	text := p.mustGenerate(t)["query.sql.go"]

	conn, err := sqlite.Open(t.Context(), ":memory:", sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := errors.Join(sqlite.Regexp(t.Context(), conn), conn.Exec(t.Context(), operands+operandRows)); err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("@p", "1", "sqlc.narg(p)", "NULL", "sqlc.slice(p)", "1, 2")
	for i, c := range operatorCases {
		null := false
		stmt, err := conn.Prepare(t.Context(), "SELECT "+values.Replace(c.expr)+" FROM t")
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		row, err := stmt.Step()
		for ; row && err == nil; row, err = stmt.Step() {
			null = null || stmt.ColumnType(0) == lido.Null
		}
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
		}
		if err := stmt.Close(); err != nil {
			t.Error(err)
		}
		if null != c.null {
			t.Errorf("%s: the engine makes a NULL: %v", c.expr, null)
		}
		for _, name := range []string{"Q", "N"} {
			_, rest, _ := strings.Cut(text, fmt.Sprintf(" %s%d(ctx context.Context", name, i))
			_, rest, _ = strings.Cut(rest, ") ([]")
			typ, _, _ := strings.Cut(rest, ", error)")
			if holds := strings.HasPrefix(typ, "sql.Null"); holds != (c.null || c.caution) && (typ != "interface{}" || name == "N") {
				t.Errorf("%s%d, %s, is a %s", name, i, c.expr, typ)
			}
		}
	}
}
