package stdlib_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// keeps reports whether the only reader, or the writer, has a statement for
// query at hand: two that are prepared one after the other are then the same.
func keeps(t *testing.T, db *pool.DB, writer bool, query string) bool {
	t.Helper()
	lend := db.WithReader
	if writer {
		lend = db.WithWriter
	}
	var two [2]*sqlite.Stmt
	if err := lend(context.Background(), func(ctx context.Context, c *sqlite.Conn) error {
		for i := range two {
			s, err := c.PrepareOnce(ctx, query)
			if err != nil {
				return err
			}
			if err := s.Close(); err != nil {
				return err
			}
			two[i] = s
		}
		return nil
	}); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return two[0] == two[1]
}

// Whatever way a text takes to its connection, the first time leaves nothing
// there, and the second does.
func TestATextIsKeptFromItsSecondTimeOn(t *testing.T) {
	type on interface {
		execer
		queryer
	}
	outside := func(fn func(on on, query string)) func(handle *sql.DB, query string) {
		return func(handle *sql.DB, query string) { fn(handle, query) }
	}
	inTx := func(readOnly bool, fn func(on on, query string)) func(handle *sql.DB, query string) {
		return func(handle *sql.DB, query string) {
			tx, err := handle.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: readOnly})
			if err != nil {
				t.Fatal(err)
			}
			fn(tx, query)
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
		}
	}
	get := func(on on, query string) { equal(t, query, one[int](t, on, query), 7) }
	run := func(on on, query string) { exec(t, on, query) }
	for _, test := range []struct {
		name, query string
		writer      bool
		use         func(handle *sql.DB, query string)
	}{
		{"a query", "SELECT 7 FROM t", false, outside(get)},
		{"a query that is executed", "SELECT 8 FROM t", false, outside(run)},
		{"a change", "UPDATE t SET a = a + 1", true, outside(run)},
		{"a change that returns rows", "UPDATE t SET a = 7 RETURNING a", true, outside(get)},
		{"a change behind WITH", "WITH x AS (SELECT 1) UPDATE t SET a = 2", true, outside(run)},
		{"a statement that is neither", "CREATE TABLE IF NOT EXISTS u (a)", true, outside(run)},
		{"a query in a transaction", "SELECT 7 FROM t, t", true, inTx(false, get)},
		{"a change in a transaction", "UPDATE t SET a = a + 3", true, inTx(false, run)},
		{"a query in a transaction that reads", "SELECT 7 AS a FROM t", false, inTx(true, get)},
	} {
		t.Run(test.name, func(t *testing.T) {
			db, handle := open(t, pool.Config{MaxReaders: 1})
			exec(t, handle, "CREATE TABLE t (a)")
			exec(t, handle, "INSERT INTO t VALUES (1)")
			test.use(handle, test.query)
			if keeps(t, db, test.writer, test.query) {
				t.Error("it is kept when it has come once")
			}
			test.use(handle, test.query)
			if !keeps(t, db, test.writer, test.query) {
				t.Error("it is not kept when it has come twice")
			}
		})
	}
}

func TestAStatementThatIsPreparedIsKeptAtOnce(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 1})
	exec(t, handle, "CREATE TABLE t (a)")
	for _, test := range []struct {
		query  string
		writer bool
	}{{"SELECT count(*) FROM t", false}, {"INSERT INTO t VALUES (1)", true}} {
		s, err := handle.Prepare(test.query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Exec(); err != nil {
			t.Error(err)
		}
		if !keeps(t, db, test.writer, test.query) {
			t.Errorf("%s is not kept", test.query)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAQueryOfGeneratedCodeIsKeptAtOnce(t *testing.T) {
	ctx := context.Background()
	db, handle := open(t, pool.Config{MaxReaders: 1})
	exec(t, handle, "CREATE TABLE t (a)")
	read := &lido.Query{Name: "Count", SQL: "SELECT count(*) FROM t", ReadOnly: true}
	write := &lido.Query{Name: "Add", SQL: "INSERT INTO t VALUES (1)", Writes: []string{"t"}}
	for q, prepare := range map[*lido.Query]func(context.Context, *lido.Query) (lido.Stmt, error){read: db.PrepareRead, write: db.PrepareWrite} {
		s, err := prepare(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Step(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if !keeps(t, db, !q.ReadOnly, q.SQL) {
			t.Errorf("%s is not kept", q.SQL)
		}
	}
}

// Texts that come once must not cost the others their places.
func TestTextsThatComeOnceLeaveTheCacheToOthers(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 1, StmtCacheCount: 4})
	exec(t, handle, "CREATE TABLE t (a)")
	const again = "SELECT count(*) FROM t"
	for i := range 200 {
		if i < 2 {
			equal(t, "rows", one[int](t, handle, again), 0)
		}
		equal(t, "value", one[int](t, handle, fmt.Sprintf("SELECT %d + count(*) FROM t", i)), i)
	}
	if !keeps(t, db, false, again) {
		t.Error("a text that came twice is not kept any more")
	}
}
