package stdlib_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lidodb/lido/pool"
)

// listener writes down what a pool.Tracer is told.
type listener struct{ heard []string }

var _ pool.TransactionTracer = (*listener)(nil)

func (l *listener) TraceQueryStart(ctx context.Context, data pool.TraceQueryStartData) context.Context {
	l.heard = append(l.heard, "start "+data.Query.SQL)
	return ctx
}

func (l *listener) TraceQueryEnd(_ context.Context, data pool.TraceQueryEndData) {
	l.heard = append(l.heard, fmt.Sprintf("end %s: %d rows, %d changes, failed %t", data.Query.SQL, data.Rows, data.Changes, data.Err != nil))
}

func (l *listener) TraceTransactionStart(ctx context.Context, data pool.TraceTransactionStartData) context.Context {
	l.heard = append(l.heard, fmt.Sprintf("begin, read-only %t", data.ReadOnly))
	return ctx
}

func (l *listener) TraceTransactionEnd(_ context.Context, data pool.TraceTransactionEndData) {
	l.heard = append(l.heard, fmt.Sprintf("%v, failed %t", data.Outcome, data.Err != nil))
}

func TestThePoolsTracerHearsEveryStatement(t *testing.T) {
	var l listener
	_, handle := open(t, pool.Config{Tracer: &l})
	ctx := context.Background()
	expect := func(what string, want ...string) {
		t.Helper()
		if got := strings.Join(l.heard, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s: heard\n%s\nwant\n%s", what, got, strings.Join(want, "\n"))
		}
		l.heard = nil
	}
	exec(t, handle, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
	expect("several",
		"start CREATE TABLE t (id INTEGER PRIMARY KEY)", "end CREATE TABLE t (id INTEGER PRIMARY KEY): 0 rows, 0 changes, failed false",
		"start INSERT INTO t VALUES (1), (2)", "end INSERT INTO t VALUES (1), (2): 0 rows, 2 changes, failed false")
	exec(t, handle, "DELETE FROM t WHERE id = 1")
	expect("a change", "start DELETE FROM t WHERE id = 1", "end DELETE FROM t WHERE id = 1: 0 rows, 1 changes, failed false")
	equal(t, "id", one[int](t, handle, "INSERT INTO t VALUES (3) RETURNING id"), 3)
	expect("a returned row", "start INSERT INTO t VALUES (3) RETURNING id", "end INSERT INTO t VALUES (3) RETURNING id: 1 rows, 1 changes, failed false")
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM t"), 2)
	expect("a query", "start SELECT count(*) FROM t", "end SELECT count(*) FROM t: 1 rows, 0 changes, failed false")
	if _, err := handle.Exec("INSERT INTO t VALUES (3)"); err == nil {
		t.Error("a second 3")
	}
	expect("a failure", "start INSERT INTO t VALUES (3)", "end INSERT INTO t VALUES (3): 0 rows, 0 changes, failed true")

	tx := begin(t, handle)
	rows := next(t, tx, "SELECT id FROM t")
	if !rows.Next() {
		t.Error(rows.Err())
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	exec(t, tx, "DELETE FROM t")
	if _, err := tx.Exec("SELEKT"); err == nil {
		t.Error("SELEKT is executed")
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	expect("a transaction", "begin, read-only false",
		"start SELECT id FROM t", "end SELECT id FROM t: 2 rows, 0 changes, failed false",
		"start DELETE FROM t", "end DELETE FROM t: 0 rows, 2 changes, failed false",
		"start SELEKT", "end SELEKT: 0 rows, 0 changes, failed true", "committed, failed false")

	ro, err := handle.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := ro.Rollback(); err != nil {
		t.Error(err)
	}
	expect("a snapshot", "begin, read-only true", "rolled back, failed false")

	exec(t, handle, "INSERT INTO t VALUES (5)")
	l.heard = nil
	tx = begin(t, handle)
	if _, err := tx.Exec("INSERT OR ROLLBACK INTO t VALUES (5)"); err == nil {
		t.Error("a second 5")
	}
	if err := tx.Commit(); err == nil {
		t.Error("what was lost is committed")
	}
	expect("a transaction that is lost", "begin, read-only false",
		"start INSERT OR ROLLBACK INTO t VALUES (5)", "end INSERT OR ROLLBACK INTO t VALUES (5): 0 rows, 0 changes, failed true", "rolled back, failed true")

	holder := begin(t, handle)
	l.heard = nil
	if _, err := handle.BeginTx(soon(t), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	expect("a wait in vain", "begin, read-only false", "rolled back, failed true")
	if err := holder.Rollback(); err != nil {
		t.Error(err)
	}
}
