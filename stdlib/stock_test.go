package stdlib_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the stock driver, to compare with

	"github.com/lidodb/lido/pool"
)

// openStock opens a file of its own with the driver that most programs come
// from.
func openStock(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "stock.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Results, counters and errors of the same statements, one after the other on
// one *sql.Conn each.
func TestAScriptComesToTheSameOnBothDrivers(t *testing.T) {
	_, handle := open(t, pool.Config{})
	stock := openStock(t)
	lidoConn, stockConn := session(t, handle), session(t, stock)
	defer lidoConn.Close()
	defer stockConn.Close()
	ctx := context.Background()
	for _, step := range []struct {
		query string
		args  []any
	}{
		{"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER DEFAULT 5)", nil},
		{"INSERT INTO t (name) VALUES (?), (?)", []any{"a", "b"}},
		{"INSERT INTO t (name) VALUES (@x)", []any{sql.Named("x", "c")}},
		{"INSERT INTO t (name) VALUES ('a')", nil},
		{"INSERT OR IGNORE INTO t (name) VALUES ('a')", nil},
		{"INSERT INTO t (name) VALUES ('a') ON CONFLICT (name) DO UPDATE SET n = n + 1", nil},
		{"REPLACE INTO t (id, name) VALUES (2, 'B')", nil},
		{"UPDATE t SET n = 7 WHERE id > ?", []any{1}},
		{"UPDATE t SET n = 7 WHERE id > 100", nil},
		{"INSERT INTO t (name) SELECT name || '2' FROM t; DELETE FROM t WHERE id = 1", nil},
		{"WITH x AS (SELECT 'with' AS v) INSERT INTO t (name) SELECT v FROM x", nil},
		{"DELETE FROM t WHERE name = 'nobody'", nil},
		{"BEGIN", nil},
		{"INSERT INTO t (name) VALUES ('tx')", nil},
		{"ROLLBACK", nil},
		{"COMMIT", nil},
		{"SAVEPOINT s; INSERT INTO t (name) VALUES ('sp'); RELEASE s", nil},
		{"INSERT INTO nothing VALUES (1)", nil},
		{"SELEKT", nil},
		{"INSERT INTO t (name) VALUES ('ret') RETURNING id", nil},
		{"CREATE TEMP TABLE scratch AS SELECT * FROM t", nil},
		{"INSERT INTO scratch (name) VALUES ('temp')", nil},
		{"PRAGMA user_version = 3", nil},
		{"DROP TABLE t", nil},
	} {
		var got [2]string
		for i, c := range []*sql.Conn{stockConn, lidoConn} {
			res, err := c.ExecContext(ctx, step.query, step.args...)
			if err != nil {
				got[i] = "an error"
			} else if id, err := res.LastInsertId(); err != nil {
				got[i] = err.Error()
			} else if strings.Contains(strings.ToUpper(step.query), "INTO T") {
				n, _ := res.RowsAffected()
				got[i] = fmt.Sprint(id, n)
			}
			for _, query := range []string{"SELECT last_insert_rowid()", "SELECT group_concat(id || name || n) FROM t"} {
				var v sql.NullString
				if err := c.QueryRowContext(ctx, query).Scan(&v); err != nil {
					v.String = "an error"
				}
				got[i] += " " + v.String
			}
		}
		if got[0] != got[1] {
			t.Errorf("%s: the stock driver: %s, Lido: %s", step.query, got[0], got[1])
		}
	}
}

// answerTo runs query and returns its columns and rows, or its error.
func answerTo(t testing.TB, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		return err.Error()
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprint(names)
	dest := make([]any, len(names))
	for i := range dest {
		dest[i] = new(sql.NullString)
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		for _, d := range dest {
			out += " " + d.(*sql.NullString).String
		}
	}
	if err := rows.Err(); err != nil {
		return err.Error() // after rows
	}
	return out + fmt.Sprint(rows.NextResultSet())
}

// resultOf runs query and returns its result, or its error.
func resultOf(db *sql.DB, query string) (out string) {
	res, err := db.Exec(query)
	if err != nil {
		return err.Error()
	}
	defer func() {
		if recover() != nil {
			out = "a panic"
		}
	}()
	id, idErr := res.LastInsertId()
	n, nErr := res.RowsAffected()
	if idErr != nil || nErr != nil {
		return fmt.Sprint(idErr, nErr)
	}
	return fmt.Sprint(id, n)
}

// Texts of one statement, of several and of none, by Query and by Exec.
func TestTextsReturnWhatTheStockDriverReturns(t *testing.T) {
	_, handle := open(t, pool.Config{})
	stock := openStock(t)
	l := newLedger()
	for _, query := range []string{
		"", " ; ", "-- nothing", "/* nothing */;",
		"SELECT 1", "SELECT 1; -- nothing", "SELECT 1; ;", "SELECT 1 WHERE 0; SELECT 2", "SELECT 1; SELECT 2 WHERE 0", "SELECT 1; SELECT 2, 3", "VALUES (1), (2)",
		"EXPLAIN QUERY PLAN SELECT 1", "WITH a AS (SELECT 1 AS b) SELECT * FROM a", "PRAGMA user_version",
		"INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES (1), (2)", "UPDATE t SET a = a", "DELETE FROM t", "CREATE TABLE IF NOT EXISTS x (a)", "PRAGMA user_version = 7",
		"INSERT INTO t (a) VALUES (3) RETURNING a", "INSERT INTO t (a) VALUES (4) RETURNING a; SELECT 9", "INSERT INTO t (a) VALUES (5); SELECT 7",
		"SELECT 1; INSERT INTO t (a) VALUES (6)", "INSERT INTO t (a) VALUES (7), (8); UPDATE t SET a = a + 10; SELECT count(*) FROM t",
		"BEGIN; INSERT INTO t (a) VALUES (9); COMMIT", "SELECT 1; SELEKT", "SELECT abs(-9223372036854775808)", "SELECT 1 UNION ALL SELECT abs(-9223372036854775808)", "SELECT * FROM nothing",
	} {
		for _, kind := range []string{"query", "exec"} {
			var got [2]string
			for i, db := range []*sql.DB{stock, handle} {
				exec(t, db, "DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER UNIQUE); INSERT INTO t (a) VALUES (100)")
				if got[i] = answerTo(t, db, query); kind == "exec" {
					exec(t, db, "DELETE FROM t WHERE a < 100")
					got[i] = resultOf(db, query)
				}
			}
			question := kind + " " + query
			if strings.Trim(query, " ;") == "" || strings.Contains(query, "nothing") && !strings.Contains(query, "SELECT") {
				question = kind + " nothing"
			}
			l.note(t, observation{topicResults, question, "", "", got[0], got[1]})
			equal(t, kind+" "+query+": rows", one[int](t, handle, "SELECT count(*) FROM t"), one[int](t, stock, "SELECT count(*) FROM t"))
		}
	}
	l.end(t, topicResults)
}
