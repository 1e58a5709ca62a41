package pool_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

var (
	insertItem = &lido.Query{Name: "InsertItem", SQL: "INSERT INTO item(name) VALUES(?1)", Writes: []string{"item"}}
	returnItem = &lido.Query{Name: "ReturnItem", SQL: "INSERT INTO item(name) VALUES(?1) RETURNING id, name", Writes: []string{"item"}}
	countItems = &lido.Query{Name: "CountItems", SQL: "SELECT count(*) FROM item", ReadOnly: true, Reads: []string{"item"}}
	endless    = &lido.Query{Name: "Endless", SQL: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n", ReadOnly: true}
	manyItems  = &lido.Query{Name: "ManyItems", SQL: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 50000000) INSERT INTO item(name) SELECT i FROM n", Writes: []string{"item"}}
)

// prepared is how many commits the Prepare of openDB makes.
const prepared = 1

// openDB opens a database with one table. The cleanup closes it and looks at
// what is left.
func openDB(t testing.TB, cfg pool.Config) *pool.DB {
	t.Helper()
	return openDBAt(t, filepath.Join(t.TempDir(), "test.db"), cfg)
}

func openDBAt(t testing.TB, path string, cfg pool.Config) *pool.DB {
	t.Helper()
	if cfg.Prepare == nil && !cfg.ReadOnly {
		cfg.Prepare = func(ctx context.Context, db *pool.DB) error {
			return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
				return c.Exec(ctx, "CREATE TABLE IF NOT EXISTS item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)")
			})
		}
	}
	db, err := pool.Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := db.Close(ctx); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("-wal is left: %v", err)
		}
	})
	return db
}

// createItem makes the table that openDB makes.
func createItem(t testing.TB, db *pool.DB) {
	t.Helper()
	if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)")
	}); err != nil {
		t.Fatal(err)
	}
}

func run(ctx context.Context, w lido.Writer, q *lido.Query, args ...string) error {
	s, err := w.PrepareWrite(ctx, q)
	if err != nil {
		return err
	}
	defer s.Close()
	for i, a := range args {
		s.BindText(i+1, a)
	}
	for {
		row, err := s.Step()
		if err != nil {
			return err
		}
		if !row {
			return s.Close()
		}
	}
}

func count(t testing.TB, ctx context.Context, r lido.Reader) int64 {
	t.Helper()
	n, err := scalar(ctx, r, countItems)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func scalar(ctx context.Context, r lido.Reader, q *lido.Query) (int64, error) {
	s, err := r.PrepareRead(ctx, q)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if row, err := s.Step(); err != nil || !row {
		return 0, errors.Join(err, errors.New("no row"))
	}
	n := s.ColumnInt64(0)
	return n, s.Close()
}

func TestAWriteIsCommittedWhenItsClosureReturnsNilAndUndoneWhenNot(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	if err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "kept") }); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	if err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		return errors.Join(run(ctx, tx, insertItem, "undone"), boom)
	}); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if err := db.Write(ctx, func(context.Context, lido.Tx) error { return boom }); err != boom {
		t.Errorf("the closure's error came back as another: %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
			_ = run(ctx, tx, insertItem, "undone by panic")
			panic("boom")
		})
	}()
	if n := count(t, ctx, db); n != 1 {
		t.Errorf("%d items, want 1", n)
	}
	if s := db.Stat(); s.Commits != prepared+1 || s.Rollbacks != 3 || s.LastCommit.IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestASingleWriteIsATransactionOfItsOwn(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	s, err := db.PrepareWrite(ctx, returnItem)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "b"} {
		s.BindText(1, name)
		row, err := s.Step()
		if !row || err != nil {
			t.Fatal(row, err)
		}
		if s.ColumnInt64(0) != int64(i+1) || s.ColumnText(1) != name || s.ColumnText(0) == "" {
			t.Error(s.ColumnInt64(0), s.ColumnText(1))
		}
		// Committed, though the row has not been left yet.
		if n := count(t, ctx, db); n != int64(i+1) {
			t.Errorf("%d items", n)
		}
		if row, err := s.Step(); row || err != nil {
			t.Fatal(row, err)
		}
		if s.Changes() != 1 || s.LastInsertID() != int64(i+1) {
			t.Error(s.Changes(), s.LastInsertID())
		}
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
	}
	s.BindText(1, "a")
	if _, err := s.Step(); !errors.Is(err, lido.ErrUnique) || !strings.Contains(err.Error(), "ReturnItem") {
		t.Error(err)
	}
	_ = s.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Step(); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
}

func TestAReadSeesOneSnapshotFromItsBeginning(t *testing.T) {
	// reader                      writer
	// Read begins
	//                             commits an item
	// counts none
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	err := db.Read(ctx, func(inner context.Context, r lido.Reader) error {
		if err := run(ctx, db, insertItem, "later"); err != nil {
			return err
		}
		if n := count(t, inner, r); n != 0 {
			t.Errorf("the snapshot shows %d items committed after it", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, ctx, db); n != 1 {
		t.Error(n)
	}
}

func TestASavepointIsKeptOrUndoneByItself(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	boom := errors.New("boom")
	err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		if err := tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "kept") }); err != nil {
			return err
		}
		err := tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error {
			_ = run(ctx, tx, insertItem, "undone")
			return tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error {
				_ = run(ctx, tx, insertItem, "undone too")
				return boom
			})
		})
		if !errors.Is(err, boom) {
			t.Error(err)
		}
		if err := run(ctx, tx, insertItem, "kept"); !errors.Is(err, lido.ErrUnique) {
			t.Error(err)
		}
		return run(ctx, tx, insertItem, "after") // a constraint does not poison
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, ctx, db); n != 2 {
		t.Error(n)
	}
}

func TestAnInterruptedWritePoisonsItsTransaction(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		if err := run(ctx, tx, insertItem, "before"); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
		defer cancel()
		if err := run(short, tx, manyItems); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		// In autocommit now: without the poison this would stay in the file.
		if err := run(ctx, tx, insertItem, "after"); !errors.Is(err, lido.ErrInterrupted) {
			t.Errorf("%v", err)
		}
		return nil // Write must not take this for success
	})
	if !errors.Is(err, lido.ErrInterrupted) {
		t.Errorf("%v", err)
	}
	if n := count(t, ctx, db); n != 0 {
		t.Errorf("%d items escaped the transaction", n)
	}
}

func TestACancelledContextEndsEveryWait(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 1})
	ctx := t.Context()
	held := func(fn func()) {
		r, err := db.AcquireReader(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		w, err := db.AcquireWriter(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Release()
		fn()
	}
	held(func() { // waiting for a connection
		for name, wait := range map[string]func(ctx context.Context) error{
			"Read": func(ctx context.Context) error {
				return db.Read(ctx, func(context.Context, lido.Reader) error { return nil })
			},
			"Write": func(ctx context.Context) error {
				return db.Write(ctx, func(context.Context, lido.Tx) error { return nil })
			},
			"PrepareRead":   func(ctx context.Context) error { _, err := scalar(ctx, db, countItems); return err },
			"PrepareWrite":  func(ctx context.Context) error { return run(ctx, db, insertItem, "x") },
			"AcquireReader": func(ctx context.Context) error { _, err := db.AcquireReader(ctx); return err },
			"Checkpoint":    func(ctx context.Context) error { _, err := db.Checkpoint(ctx, sqlite.Passive); return err },
		} {
			short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
			if err := wait(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
			if err := wait(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s with an expired context: %v", name, err)
			}
		}
	})
	for range 20 { // inside a statement
		short, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
		if _, err := scalar(short, db, endless); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		if n := count(t, ctx, db); n != 0 {
			t.Error(n)
		}
	}
	// between fn and COMMIT
	short, cancel := context.WithCancel(ctx)
	err := db.Write(short, func(ctx context.Context, tx lido.Tx) error {
		defer cancel()
		return run(ctx, tx, insertItem, "too late")
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := count(t, ctx, db); n != 0 {
		t.Error(n)
	}
	if s := db.Stat(); s.Readers.InUse != 0 || s.Writer.InUse != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAHandleThatOutlivesItsClosureIsErrClosed(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	var leaked lido.Tx
	var stmt lido.Stmt
	err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		leaked = tx
		var err error
		stmt, err = tx.PrepareWrite(ctx, returnItem)
		if err != nil {
			return err
		}
		stmt.BindText(1, "a")
		_, err = stmt.Step()
		return err // with the statement open, on its row
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaked.PrepareRead(ctx, countItems); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	if err := leaked.Savepoint(ctx, nil); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	stmt.BindText(1, "b")
	if _, err := stmt.Step(); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	_ = stmt.ColumnText(1)
	if err := stmt.Close(); err != nil {
		t.Error(err)
	}
	if n := count(t, ctx, db); n != 1 {
		t.Error(n)
	}
}

func TestAQueryThatWritesIsRefusedByAReader(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	if _, err := db.PrepareRead(ctx, insertItem); !errors.Is(err, lido.ErrReadOnly) {
		t.Error(err)
	}
	// A query that lies about itself meets the engine's own answer.
	liar := *insertItem
	liar.ReadOnly = true
	lie := func(ctx context.Context, r lido.Reader) error {
		s, err := r.PrepareRead(ctx, &liar)
		if !errors.Is(err, lido.ErrReadOnly) || s != nil {
			t.Error(s, err)
		}
		return nil
	}
	err := errors.Join(lie(ctx, db), db.Read(ctx, lie),
		db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return lie(ctx, tx) }))
	if n := count(t, ctx, db); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestTransactionControlInAQueryIsRefused(t *testing.T) {
	db := openDB(t, pool.Config{})
	for _, sql := range []string{"COMMIT", "BEGIN", "ROLLBACK", "SAVEPOINT x", "ATTACH ':memory:' AS x"} {
		err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
			return run(ctx, tx, &lido.Query{Name: "Control", SQL: sql})
		})
		if err == nil {
			t.Errorf("%s was let through", sql)
		}
	}
}

// TestAFolderThatCannotBeWrittenToIsNamed runs as a user who is bound by the
// modes of folders, which root is not.
func TestNothingEscapesThroughAnotherHandleOfALostTransaction(t *testing.T) {
	// INSERT OR ROLLBACK makes the engine throw the whole transaction away,
	// whichever handle it ran on; the others must know at once.
	rollback := &lido.Query{Name: "Rollback", SQL: "INSERT OR ROLLBACK INTO item(name) VALUES(?1)", Writes: []string{"item"}}
	boom := errors.New("boom")
	for name, lose := range map[string]func(ctx context.Context, outer, inner lido.Tx) error{
		"the outer handle": func(ctx context.Context, outer, inner lido.Tx) error {
			_ = run(ctx, inner, rollback, "taken")
			return run(ctx, outer, insertItem, "escaped")
		},
		"the inner handle": func(ctx context.Context, outer, inner lido.Tx) error {
			_ = run(ctx, outer, rollback, "taken")
			return run(ctx, inner, insertItem, "escaped")
		},
		"a savepoint": func(ctx context.Context, outer, inner lido.Tx) error {
			_ = run(ctx, inner, rollback, "taken")
			return outer.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "escaped") })
		},
	} {
		db := openDB(t, pool.Config{})
		if err := run(t.Context(), db, insertItem, "taken"); err != nil {
			t.Fatal(err)
		}
		err := db.Write(t.Context(), func(ctx context.Context, outer lido.Tx) error {
			return outer.Savepoint(ctx, func(ctx context.Context, inner lido.Tx) error {
				if err := lose(ctx, outer, inner); err == nil {
					t.Errorf("%s is still usable", name)
				}
				return boom
			})
		})
		if err == nil {
			t.Errorf("%s: Write reports success", name)
		}
		if n := count(t, t.Context(), db); n != 1 {
			t.Errorf("%s: %d items, want 1", name, n)
		}
	}
}
