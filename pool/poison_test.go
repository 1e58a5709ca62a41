package pool_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/faultvfs"
	"github.com/lidodb/lido/internal/seam"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// answering has the engine answer the statements of one query with a code.
type answering struct {
	query string
	code  *atomic.Int64
}

func (s answering) Open(_, vfs string) (seam.Hooks, error) {
	return seam.Hooks{
		Armed: func() bool { return s.code.Load() != 0 },
		Statement: func(query, _ string) int {
			if query != s.query {
				return 0
			}
			return int(s.code.Swap(0))
		},
	}, nil
}

// TestAPoisonedConnectionIsNotHandedOn provokes each answer after which a
// connection works on pages or locks that no longer match the file.
//
// https://www.sqlite.org/rescode.html
func TestAPoisonedConnectionIsNotHandedOn(t *testing.T) {
	const (
		ioerr, corrupt, protocol, notADB = 10, 11, 15, 26
		shortRead, fsync, fstat          = 522, 1034, 1802
		dbMoved                          = 1032
		full, busy, interrupt            = 13, 5, 9 // harmless
	)
	ctx := t.Context()
	for _, code := range []int64{ioerr, corrupt, protocol, notADB, shortRead, fsync, fstat, dbMoved, full, busy, interrupt} {
		harmless := code == full || code == busy || code == interrupt
		poison := &lido.Query{Name: "Poison", SQL: "UPDATE item SET name = name", Writes: []string{"item"}}
		look := &lido.Query{Name: "Poison", SQL: "SELECT count(*) FROM item", ReadOnly: true}
		for name, way := range map[string]struct {
			writer bool
			run    func(db *pool.DB) error
		}{
			"single read": {false, func(db *pool.DB) error { _, err := scalar(ctx, db, look); return err }},
			"read in a closure": {false, func(db *pool.DB) error {
				return db.Read(ctx, func(ctx context.Context, r lido.Reader) error { _, err := scalar(ctx, r, look); return err })
			}},
			"single write": {true, func(db *pool.DB) error { return run(ctx, db, poison) }},
			"write in a closure": {true, func(db *pool.DB) error {
				return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, poison) })
			}},
			"by hand": {true, func(db *pool.DB) error {
				return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
					s, err := c.Prepare(ctx, poison.SQL)
					if err != nil {
						return err
					}
					s.Query = "Poison"
					_, err = s.Step()
					return errors.Join(err, s.Close())
				})
			}},
		} {
			answer := answering{"Poison", new(atomic.Int64)}
			db, err := pool.Open(seam.With(ctx, answer), filepath.Join(t.TempDir(), "test.db"), pool.Config{MaxReaders: 1})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
				return c.Exec(ctx, "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE); INSERT INTO item(name) VALUES('a')")
			}); err != nil {
				t.Fatal(err)
			}
			lend := db.WithReader
			if way.writer {
				lend = db.WithWriter
			}
			conn := func() (c *sqlite.Conn) {
				t.Helper()
				err := lend(ctx, func(_ context.Context, got *sqlite.Conn) error {
					c = got
					return got.Broken()
				})
				if err != nil {
					t.Errorf("%d, %s: %v", code, name, err)
				}
				return c
			}
			before := conn()
			answer.code.Store(code)
			var e *lido.Error
			if err := way.run(db); !errors.As(err, &e) || e.Extended != int(code) {
				t.Errorf("%d, %s: %v", code, name, err)
			}
			if after := conn(); (after == before) != harmless {
				t.Errorf("%d, %s: the connection was handed on: %v", code, name, after == before)
			}
			if n := count(t, ctx, db); n != 1 {
				t.Errorf("%d, %s: %d rows", code, name, n)
			}
			if err := db.Close(ctx); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestAFsyncThatFailsAtACommitLeavesItsOutcomeUnknown(t *testing.T) {
	disk := faultvfs.NewDisk()
	defer disk.Forget()
	ctx := t.Context()
	db, err := pool.Open(seam.With(ctx, onDisk{disk}), filepath.Join(t.TempDir(), "test.db"), pool.Config{Synchronous: pool.SynchronousFull})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)")
	}); err != nil {
		t.Fatal(err)
	}
	broken := func(write func() error) {
		t.Helper()
		rule := disk.Add(faultvfs.Rule{Ops: faultvfs.Sync, Files: faultvfs.WAL, Nth: 1, Code: faultvfs.Failure(faultvfs.Sync)})
		defer rule.Remove()
		var e *lido.Error
		if err := write(); !errors.Is(err, lido.ErrCommitUnknown) || !errors.As(err, &e) || e.Extended != 1034 {
			t.Errorf("%v", err)
		}
		if rule.Fired() != 1 {
			t.Errorf("%d syncs failed", rule.Fired())
		}
		if err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return nil }); err != nil {
			t.Errorf("the next transaction: %v", err)
		}
	}
	broken(func() error { return run(ctx, db, insertItem, "single") })
	broken(func() error {
		return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "closure") })
	})
	broken(func() error {
		w, err := db.AcquireWriter(ctx)
		if err != nil {
			t.Fatal(err)
		}
		errs := make([]error, 3)
		var wg sync.WaitGroup
		for i, name := range []string{"x", "y", "z"} {
			wg.Go(func() { errs[i] = run(ctx, db, insertItem, name) })
		}
		waitUntil(t, func() bool { return db.Stat().Queued == 3 })
		w.Release()
		wg.Wait()
		for _, err := range errs {
			if !errors.Is(err, lido.ErrCommitUnknown) {
				t.Errorf("a member of the group: %v", err)
			}
		}
		return errs[0]
	})
	if s := db.Stat(); s.Poisoned != 3 {
		t.Errorf("%+v", s)
	}
	if err := db.Close(ctx); err != nil {
		t.Error(err)
	}
}
