package stdlib_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lidodb/lido/pool"
)

const (
	numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n"
	// stuck gives one row and then looks for a second for ever.
	stuck = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i = 1"
)

// idle waits until nothing is held, and fails if that has cost a connection.
func idle(t testing.TB, db *pool.DB) {
	t.Helper()
	waitFor(t, "everything is given back", func() bool {
		st := db.Stat()
		return st.Readers.InUse == 0 && st.Writer.InUse == 0
	})
	if st := db.Stat(); st.Readers.Destroyed.Total()+st.Writer.Destroyed.Total() != 0 {
		t.Errorf("connections destroyed: %+v, %+v", st.Readers.Destroyed, st.Writer.Destroyed)
	}
}

func TestAContextThatEndsInTheMiddleOfRowsEndsThemAndFreesTheReader(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 1})
	for name, query := range map[string]string{"between two rows": numbers, "while it looks for the next": stuck} {
		ctx, cancel := context.WithCancel(context.Background())
		rows, err := handle.QueryContext(ctx, query)
		if err != nil {
			t.Fatal(err)
		}
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		if query == stuck {
			time.AfterFunc(5*time.Millisecond, cancel)
		} else {
			cancel()
		}
		for rows.Next() {
		}
		if !errors.Is(rows.Err(), context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, rows.Err())
		}
		if err := rows.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		cancel()
		idle(t, db)
		equal(t, name+": the next query", one[int](t, handle, "SELECT 1"), 1)
	}
}

func TestRowsThatAreClosedEarlyAreNotRunToTheirEnd(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 1})
	rows, err := handle.Query(stuck)
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	idle(t, db)
	if err := rows.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func TestATransactionWhoseContextEndsIsRolledBackWithItsRowsOpen(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	for _, readOnly := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		tx, err := handle.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly})
		if err != nil {
			t.Fatal(err)
		}
		if !readOnly {
			exec(t, tx, "DELETE FROM people")
		}
		rows, err := tx.Query(numbers)
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		cancel()
		for rows.Next() {
		}
		if err := tx.Commit(); err == nil {
			t.Error("the commit of a transaction whose context has ended succeeds")
		}
		if err := rows.Close(); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		idle(t, db)
		equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 2)
	}
}

func TestAnEndedContextRunsNothing(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, err := handle.Prepare("DELETE FROM people")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, run := range map[string]func() error{
		"Exec":     func() error { _, err := handle.ExecContext(ctx, "DELETE FROM people"); return err },
		"prepared": func() error { _, err := s.ExecContext(ctx); return err },
		"Query":    func() error { return handle.QueryRowContext(ctx, "DELETE FROM people RETURNING id").Scan(new(int)) },
		"several":  func() error { _, err := handle.ExecContext(ctx, "DELETE FROM people; SELECT 1"); return err },
		"SELECT":   func() error { return handle.QueryRowContext(ctx, "SELECT 1").Scan(new(int)) },
		"BeginTx":  func() error { _, err := handle.BeginTx(ctx, nil); return err },
		"Ping":     func() error { return handle.PingContext(ctx) },
	} {
		if err := run(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	idle(t, db)
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 2)
}

// Calls are cancelled at random points. What was acknowledged is there, what
// failed is not, and no connection is lost over it.
func TestNoCancelledWriteEscapesAndNoConnectionIsPoisoned(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 2})
	exec(t, handle, "CREATE TABLE t (id INTEGER PRIMARY KEY, batch INTEGER, pad TEXT)")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var acknowledged, refused atomic.Int64
	var wg sync.WaitGroup
	for worker := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, worker))
		wg.Go(func() {
			for range 60 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.Int64N(int64(2*time.Millisecond))))
				kind := rnd.IntN(5)
				const insert = "INSERT INTO t (pad) SELECT hex(randomblob(20)) FROM (" + "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n)"
				var err error
				switch kind {
				case 0:
					_, err = handle.ExecContext(ctx, insert)
				case 1:
					var rows *sql.Rows
					if rows, err = handle.QueryContext(ctx, insert+" RETURNING id"); err == nil {
						// The change is made; only its rows can still be lost.
						_ = rows.Close()
					}
				case 2:
					var tx *sql.Tx
					if tx, err = handle.BeginTx(ctx, nil); err == nil {
						if _, err = tx.ExecContext(ctx, insert); err == nil {
							err = tx.Commit()
						} else {
							_ = tx.Rollback()
						}
					}
				case 3:
					var n int
					_ = handle.QueryRowContext(ctx, "SELECT count(*) FROM t AS a, t AS b WHERE a.pad > b.pad").Scan(&n)
				case 4:
					_, err = handle.ExecContext(ctx, "BEGIN; "+insert+"; COMMIT")
				}
				switch {
				case err != nil:
					refused.Add(1)
				case kind != 3:
					acknowledged.Add(500)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	idle(t, db)
	t.Logf("%d rows acknowledged, %d calls refused", acknowledged.Load(), refused.Load())
	if refused.Load() == 0 || acknowledged.Load() == 0 {
		t.Error("nothing was cancelled, or everything")
	}
	equal(t, "rows", one[int64](t, handle, "SELECT count(*) FROM t"), acknowledged.Load())
	equal(t, "integrity", one[string](t, handle, "PRAGMA integrity_check"), "ok")
}
