package pool_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// withExits gives every connection an SQL function that ends its goroutine. The
// caches are small because they are never given back; see package sqlite.
func withExits() pool.Config {
	return pool.Config{CacheBytes: 64 << 10, OnConnect: func(_ context.Context, c *sqlite.Conn) error {
		return c.CreateFunction("exits", 0, false, func([]sqlite.Value) (any, error) { runtime.Goexit(); return nil, nil })
	}}
}

var (
	insertExits = &lido.Query{Name: "InsertExits", SQL: "INSERT INTO item(name) VALUES(exits())", Writes: []string{"item"}}
	returnExits = &lido.Query{Name: "ReturnExits", SQL: "INSERT INTO item(name) VALUES('x') RETURNING exits()", Writes: []string{"item"}}
	selectExits = &lido.Query{Name: "SelectExits", SQL: "SELECT exits()", ReadOnly: true}
)

// ends runs do on a goroutine of its own and reports whether do returned.
func ends(do func() error) (returned bool) {
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = do()
		returned = true
	})
	wg.Wait()
	return returned
}

// Whatever ran on the connection is undone, the connection is never lent again,
// and the pool goes on.
func TestAFunctionThatEndsItsGoroutineCostsOneConnection(t *testing.T) {
	type use = func(ctx context.Context, db *pool.DB) error
	uses := map[string]use{
		"read": func(ctx context.Context, db *pool.DB) error { _, err := scalar(ctx, db, selectExits); return err },
		"read closure": func(ctx context.Context, db *pool.DB) error {
			return db.Read(ctx, func(ctx context.Context, r lido.Reader) error { _, err := scalar(ctx, r, selectExits); return err })
		},
		"borrowed reader": func(ctx context.Context, db *pool.DB) error {
			return db.WithReader(ctx, func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, "SELECT exits()") })
		},
		"borrowed writer": func(ctx context.Context, db *pool.DB) error {
			return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
				return c.Exec(ctx, "BEGIN; INSERT INTO item(name) VALUES('a'); INSERT INTO item(name) VALUES(exits())")
			})
		},
	}
	for name, q := range map[string]*lido.Query{"insert": insertExits, "returning": returnExits} {
		closure := func(ctx context.Context, tx lido.Tx) error {
			if err := run(ctx, tx, insertItem, "a"); err != nil {
				return err
			}
			return tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, q) })
		}
		uses["single "+name] = func(ctx context.Context, db *pool.DB) error { return run(ctx, db, q) }
		uses["alone "+name] = func(ctx context.Context, db *pool.DB) error { return run(pool.Alone(ctx), db, q) }
		uses["write "+name] = func(ctx context.Context, db *pool.DB) error { return db.Write(ctx, closure) }
		uses["batch "+name] = func(ctx context.Context, db *pool.DB) error { return db.Batch(ctx, closure) }
	}
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			db := openDB(t, withExits())
			if ends(func() error { return use(t.Context(), db) }) {
				t.Error("the goroutine went on")
			}
			s := db.Stat()
			if s.Poisoned != 1 || s.Faults != 0 || s.Readers.InUse+s.Writer.InUse != 0 || s.Queued != 0 {
				t.Errorf("%d connections poisoned, %d faults, %d and %d in use, %d queued", s.Poisoned, s.Faults, s.Readers.InUse, s.Writer.InUse, s.Queued)
			}
			if err := run(t.Context(), db, insertItem, "a"); err != nil {
				t.Error(err)
			}
			if n := count(t, t.Context(), db); n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

// A group runs on its leader's goroutine, which ends with the statement of
// another. That one is told that nothing was applied, and the others run again.
func TestAFunctionThatEndsItsGoroutineInAGroupTakesOnlyTheLeader(t *testing.T) {
	for _, order := range [][]string{{"exits", "a", "b"}, {"a", "exits", "b"}, {"a", "b", "exits"}} {
		t.Run(strings.Join(order, " "), func(t *testing.T) {
			db := openDB(t, withExits())
			outcome := map[string]error{} // of those that returned
			var mu sync.Mutex
			var writes []func(ctx context.Context) error
			for _, name := range order {
				writes = append(writes, func(ctx context.Context) error {
					ends(func() (err error) {
						if name == "exits" {
							err = run(ctx, db, insertExits)
						} else {
							err = run(ctx, db, insertItem, name)
						}
						mu.Lock()
						defer mu.Unlock()
						outcome[name] = err
						return err
					})
					return nil
				})
			}
			_ = together(t, db, writes...)
			rows := int64(0)
			for i, name := range order {
				err, returned := outcome[name]
				switch {
				case i == 0:
					if returned {
						t.Errorf("%s led, and its goroutine went on: %v", name, err)
					}
				case name == "exits":
					if !errors.Is(err, lido.ErrGroupAborted) {
						t.Errorf("%s: %v", name, err)
					}
				default:
					rows++
					if !returned || err != nil {
						t.Errorf("%s: %v, %v", name, returned, err)
					}
				}
			}
			if n := count(t, t.Context(), db); n != rows {
				t.Errorf("%d rows, want %d", n, rows)
			}
		})
	}
}

// Who is inside the group when it ends runs again, also one that had failed for
// what the leader wrote; a Batch closure runs twice.
func TestWhoIsInAGroupThatAGoexitEndsRunsAgain(t *testing.T) {
	db := openDB(t, withExits())
	var runs atomic.Int64
	var leader, exits bool
	var aborted error
	errs := together(t, db,
		func(ctx context.Context) error {
			leader = ends(func() error { return run(ctx, db, insertItem, "a") })
			return nil
		},
		inserts(db, insertItem, "a"), // is there, until the leader is gone
		inserts(db, insertItem, "b"),
		batches(db, &runs, insertsIn("c", "d")),
		func(ctx context.Context) error {
			exits = ends(func() error { aborted = run(ctx, db, insertExits); return nil })
			return nil
		},
		inserts(db, insertItem, "e"), // not inside yet
	)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if leader || !exits || !errors.Is(aborted, lido.ErrGroupAborted) {
		t.Errorf("the leader returned: %v, the culprit: %v, %v", leader, exits, aborted)
	}
	if runs.Load() != 2 {
		t.Errorf("the closure ran %d times", runs.Load())
	}
	wantNames(t, db, "a", "b", "c", "d", "e")
	if s := db.Stat(); s.AbortedGroups != 1 || s.RunAgain != 3 || s.Queued != 0 || s.Writer.InUse != 0 {
		t.Errorf("%+v", s)
	}
}

// A goroutine that ends in the middle of COMMIT leaves those whose work it is
// with an outcome that is not known. Those who failed beside it, and were undone
// before, are told so.
func TestAGoexitInTheCommitOfAGroupLeavesItsOutcomeUnknown(t *testing.T) {
	var armed atomic.Bool
	db := openDB(t, pool.Config{OnConnect: func(_ context.Context, c *sqlite.Conn) error {
		c.OnEnding(func(sqlite.Ending) {
			if armed.CompareAndSwap(true, false) {
				runtime.Goexit()
			}
		})
		return nil
	}})
	var leader bool
	first := true
	errs := together(t, db,
		func(ctx context.Context) error {
			leader = ends(func() error {
				return db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error {
					if first {
						first = false
						armed.Store(true)
					}
					return run(ctx, tx, insertItem, "a")
				})
			})
			return nil
		},
		inserts(db, insertItem, "b"),
		inserts(db, insertItem, "a"),
	)
	if leader || !errors.Is(errs[1], lido.ErrCommitUnknown) || !errors.Is(errs[2], lido.ErrGroupAborted) {
		t.Errorf("the leader returned: %v; the others: %v", leader, errs)
	}
	wantNames(t, db, "a", "b") // it was committed
	if err := run(t.Context(), db, insertItem, "c"); err != nil {
		t.Error(err)
	}
	if s := db.Stat(); s.Queued != 0 || s.Writer.InUse != 0 {
		t.Errorf("%+v", s)
	}
}
