package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

type closure = func(ctx context.Context, tx lido.Tx) error

// batches makes a write of fn that counts how often it was run.
func batches(db *pool.DB, runs *atomic.Int64, fn closure) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error {
			runs.Add(1)
			return fn(ctx, tx)
		})
	}
}

func insertsIn(names ...string) closure {
	return func(ctx context.Context, tx lido.Tx) error {
		for _, name := range names {
			if err := run(ctx, tx, insertItem, name); err != nil {
				return err
			}
		}
		return nil
	}
}

// rollbackTaken makes the engine throw away the transaction it runs in, where
// an item is called taken.
var rollbackTaken = &lido.Query{Name: "Rollback", SQL: "INSERT OR ROLLBACK INTO item(name) VALUES('taken')", Writes: []string{"item"}}

func wantNames(t *testing.T, db *pool.DB, want ...string) {
	t.Helper()
	got, err := lido.Select[string](t.Context(), db, lido.NewSQL("Names", "SELECT name FROM item ORDER BY id"))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("items %v (%v), want %v", got, err, want)
	}
}

func TestBatchesAndSingleWritesThatWaitTogetherShareOneCommit(t *testing.T) {
	db := openDB(t, pool.Config{})
	before := db.Stat()
	var runs atomic.Int64
	errs := together(t, db,
		batches(db, &runs, insertsIn("a", "b")),
		inserts(db, insertItem, "c"),
		batches(db, &runs, insertsIn("d")),
		batches(db, &runs, func(context.Context, lido.Tx) error { return nil }),
		inserts(db, insertItem, "e"),
	)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	wantNames(t, db, "a", "b", "c", "d", "e")
	if s := db.Stat(); s.Groups != 1 || s.Grouped != 5 || s.Commits != before.Commits+5 || s.Writes != before.Writes+5 || runs.Load() != 3 {
		t.Errorf("%d runs, %+v", runs.Load(), s)
	}
	// Nobody else waits: it is a transaction of its own.
	if err := db.Batch(t.Context(), insertsIn("f")); err != nil {
		t.Error(err)
	}
	if s := db.Stat(); s.Groups != 1 || s.Commits != before.Commits+6 {
		t.Errorf("%+v", s)
	}
	wantNames(t, db, "a", "b", "c", "d", "e", "f")
}

func TestABatchThatFailsIsUndoneAloneAndGetsItsOwnError(t *testing.T) {
	db := openDB(t, pool.Config{})
	boom := errors.New("boom")
	var runs atomic.Int64
	for _, place := range []int{0, 1, 2} { // the leader, and two who follow
		writes := []func(ctx context.Context) error{inserts(db, insertItem, fmt.Sprint("a", place)), batches(db, &runs, insertsIn(fmt.Sprint("b", place)))}
		writes = slices.Insert(writes, place, batches(db, &runs, func(ctx context.Context, tx lido.Tx) error {
			return errors.Join(insertsIn("undone")(ctx, tx), boom)
		}))
		errs := together(t, db, writes...)
		if !errors.Is(errs[place], boom) {
			t.Errorf("%d: %v", place, errs[place])
		}
		if err := errors.Join(slices.Delete(errs, place, place+1)...); err != nil {
			t.Error(err)
		}
	}
	if err := db.Batch(t.Context(), func(context.Context, lido.Tx) error { return boom }); err != boom {
		t.Errorf("the closure's error came back as another: %v", err)
	}
	if s := db.Stat(); runs.Load() != 6 || s.Groups != 3 || s.Grouped != 6 || s.Rollbacks != 4 {
		t.Errorf("%d runs, %+v", runs.Load(), s)
	}
	wantNames(t, db, "a0", "b0", "a1", "b1", "a2", "b2")
}

func TestAPanicInABatchIsItsOwnCallersAlone(t *testing.T) {
	for name, end := range map[string]func(){
		"panic":  func() { panic("boom") },
		"Goexit": runtime.Goexit,
	} {
		for place := range 3 {
			db := openDB(t, pool.Config{})
			ends := func(ctx context.Context) error {
				ended := make(chan any, 1)
				go func() {
					returned := false
					defer func() {
						if !returned {
							ended <- recover()
						} else {
							ended <- "returned"
						}
					}()
					_ = db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error {
						if s, err := tx.PrepareWrite(ctx, returnItem); err == nil { // left open
							s.BindText(1, "undone")
							_, _ = s.Step()
						}
						end()
						return nil
					})
					returned = true
				}()
				if p := <-ended; p == "returned" || (name == "panic") != (p == "boom") {
					return fmt.Errorf("its caller saw %v", p)
				}
				return nil
			}
			var runs atomic.Int64
			writes := slices.Insert([]func(ctx context.Context) error{batches(db, &runs, insertsIn("a")), inserts(db, insertItem, "b")}, place, ends)
			if err := errors.Join(together(t, db, writes...)...); err != nil {
				t.Errorf("%s at %d: %v", name, place, err)
			}
			wantNames(t, db, "a", "b")
			if err := run(t.Context(), db, insertItem, "c"); err != nil {
				t.Error(err)
			}
			if s := db.Stat(); s.Writer.Created != 1 || s.Writer.InUse != 0 || s.Queued != 0 {
				t.Errorf("%s at %d: %+v", name, place, s)
			}
		}
	}
}

func TestABatchsHandleIsThatOfATransaction(t *testing.T) {
	// The same closure as a leader, as a follower, alone, and as a Write.
	boom := errors.New("boom")
	for name, write := range map[string]func(db *pool.DB, fn closure) error{
		"leader": func(db *pool.DB, fn closure) error {
			return together(t, db, withBatch(db, fn), inserts(db, insertItem, "other"))[0]
		},
		"follower": func(db *pool.DB, fn closure) error {
			return together(t, db, inserts(db, insertItem, "other"), withBatch(db, fn))[1]
		},
		"lone":  func(db *pool.DB, fn closure) error { return db.Batch(t.Context(), fn) },
		"alone": func(db *pool.DB, fn closure) error { return db.Batch(pool.Alone(t.Context()), fn) },
		"write": func(db *pool.DB, fn closure) error { return db.Write(t.Context(), fn) },
	} {
		t.Run(name, func(t *testing.T) {
			db := openDB(t, pool.Config{})
			var escaped lido.Tx
			var stmt lido.Stmt
			err := write(db, func(ctx context.Context, tx lido.Tx) error {
				escaped = tx
				if err := insertsIn("kept")(ctx, tx); err != nil {
					return err
				}
				for _, nested := range []error{
					db.Batch(ctx, insertsIn("x")), db.Write(ctx, insertsIn("x")), run(ctx, db, insertItem, "x"),
					db.Read(ctx, func(context.Context, lido.Reader) error { return nil }),
				} {
					if !errors.Is(nested, lido.ErrNested) {
						t.Errorf("a call on the database: %v", nested)
					}
				}
				if err := tx.Savepoint(ctx, insertsIn("also kept")); err != nil {
					return err
				}
				if err := tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error {
					return errors.Join(tx.Savepoint(ctx, insertsIn("undone")), boom)
				}); !errors.Is(err, boom) {
					return fmt.Errorf("savepoint: %w", err)
				}
				if err := run(ctx, tx, &lido.Query{Name: "Commit", SQL: "COMMIT"}); err == nil {
					t.Error("COMMIT was let through")
				}
				if _, err := tx.PrepareRead(ctx, insertItem); !errors.Is(err, lido.ErrReadOnly) {
					t.Error(err)
				}
				var err error
				stmt, err = tx.PrepareWrite(ctx, returnItem) // left on its row
				if err != nil {
					return err
				}
				stmt.BindText(1, "left open")
				_, err = stmt.Step()
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			found, err := names(t.Context(), db)
			if err != nil || !found["kept"] || !found["also kept"] || !found["left open"] || found["undone"] || found["x"] {
				t.Error(found, err)
			}
			_, err = stmt.Step()
			for _, err := range []error{err, run(t.Context(), escaped, insertItem, "escaped"), escaped.Savepoint(t.Context(), insertsIn("escaped"))} {
				if !errors.Is(err, lido.ErrClosed) {
					t.Errorf("after its end: %v", err)
				}
			}
		})
	}
}

func withBatch(db *pool.DB, fn closure) func(ctx context.Context) error {
	return func(ctx context.Context) error { return db.Batch(ctx, fn) }
}

func TestABatchThatLosesTheTransactionFailsAloneAndTheOthersRunAgain(t *testing.T) {
	for name, end := range map[string]func(err error) error{
		"and says so":  func(err error) error { return err },
		"and hides it": func(error) error { return nil },
		"and goes on":  func(error) error { return nil },
	} {
		db := openDB(t, pool.Config{})
		if err := run(t.Context(), db, insertItem, "taken"); err != nil {
			t.Fatal(err)
		}
		var runs, culprit atomic.Int64
		errs := together(t, db,
			batches(db, &runs, insertsIn("a")),
			inserts(db, insertItem, "b"),
			batches(db, &culprit, func(ctx context.Context, tx lido.Tx) error {
				err := run(ctx, tx, rollbackTaken)
				if name == "and goes on" {
					if err := run(ctx, tx, insertItem, "escaped"); err == nil {
						t.Error("the transaction is still usable")
					}
				}
				return end(err)
			}),
			batches(db, &runs, insertsIn("c")),
		)
		// By itself, too: what it failed for might have been the others' doing.
		if !errors.Is(errs[2], lido.ErrUnique) || culprit.Load() != 2 {
			t.Errorf("%s: the culprit ran %d times: %v", name, culprit.Load(), errs[2])
		}
		if err := errors.Join(errs[0], errs[1], errs[3]); err != nil {
			t.Errorf("%s: the others: %v", name, err)
		}
		wantNames(t, db, "taken", "a", "b", "c")
		if s := db.Stat(); runs.Load() != 3 || s.AbortedGroups != 1 || s.RunAgain != 3 || s.Grouped != 3 {
			t.Errorf("%s: %d runs, %+v", name, runs.Load(), s)
		}
	}
}

func TestAFailureThatRestsOnWorkThatIsLostIsNoFailure(t *testing.T) {
	// first                second               third
	// inserts a
	//                      a is taken: fails
	//                                           loses the transaction
	// fails now: b first
	//                      inserts a: succeeds
	for name, second := range map[string]func(db *pool.DB) func(ctx context.Context) error{
		"statement": func(db *pool.DB) func(ctx context.Context) error { return inserts(db, insertItem, "a") },
		"closure":   func(db *pool.DB) func(ctx context.Context) error { return withBatch(db, insertsIn("a")) },
	} {
		db := openDB(t, pool.Config{})
		if err := run(t.Context(), db, insertItem, "taken"); err != nil {
			t.Fatal(err)
		}
		boom := errors.New("boom")
		var runs atomic.Int64
		errs := together(t, db,
			batches(db, &runs, func(ctx context.Context, tx lido.Tx) error {
				if runs.Load() > 1 {
					return boom
				}
				return run(ctx, tx, insertItem, "a")
			}),
			second(db),
			withBatch(db, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, rollbackTaken) }),
		)
		if !errors.Is(errs[0], boom) || errs[1] != nil || !errors.Is(errs[2], lido.ErrUnique) {
			t.Errorf("%s: %v", name, errs)
		}
		wantNames(t, db, "taken", "a")
	}
}

func TestAMemberThatGoesDownWithManyGroupsRunsByItself(t *testing.T) {
	db := openDB(t, pool.Config{})
	if err := run(t.Context(), db, insertItem, "taken"); err != nil {
		t.Fatal(err)
	}
	var runs, culprits atomic.Int64
	writes := []func(ctx context.Context) error{batches(db, &runs, insertsIn("a"))}
	for range 10 {
		// One that panics is not run again.
		culprit := batches(db, &culprits, func(ctx context.Context, tx lido.Tx) error { panic(run(ctx, tx, rollbackTaken)) })
		writes = append(writes, func(ctx context.Context) error {
			defer func() { _ = recover() }()
			return culprit(ctx)
		})
	}
	errs := together(t, db, writes...)
	if errs[0] != nil || runs.Load() != 4 || culprits.Load() != 10 {
		t.Errorf("it ran %d times and the others %d: %v", runs.Load(), culprits.Load(), errs[0])
	}
	wantNames(t, db, "taken", "a")
}

func TestACallerWhoseContextEndsWithItsGroupIsToldThatNothingWasApplied(t *testing.T) {
	db := openDB(t, pool.Config{})
	if err := run(t.Context(), db, insertItem, "taken"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var runs atomic.Int64
	errs := together(t, db,
		inserts(db, insertItem, "a"),
		func(context.Context) error { return batches(db, &runs, insertsIn("b"))(ctx) },
		func(context.Context) error { return run(ctx, db, insertItem, "c") },
		batches(db, new(atomic.Int64), func(ctx context.Context, tx lido.Tx) error {
			cancel()
			return run(ctx, tx, rollbackTaken)
		}),
	)
	for _, err := range errs[1:3] {
		if !errors.Is(err, lido.ErrGroupAborted) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if errs[0] != nil || runs.Load() != 1 {
		t.Error(errs[0], runs.Load())
	}
	wantNames(t, db, "taken", "a")
}

func TestAContextThatEndsAfterItsMembersTurnNoLongerMatters(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	var late atomic.Int64
	errs := together(t, db,
		func(context.Context) error { return db.Batch(ctx, insertsIn("a")) },
		func(context.Context) error { return run(ctx, db, insertItem, "b") },
		func(context.Context) error { return db.Batch(ctx, insertsIn("c")) },
		withBatch(db, func(ctx context.Context, tx lido.Tx) error { cancel(); return nil }),
		func(context.Context) error { return batches(db, &late, insertsIn("too late"))(ctx) },
		func(context.Context) error { return run(ctx, db, insertItem, "too late") },
	)
	if err := errors.Join(errs[:4]...); err != nil {
		t.Error(err)
	}
	if late.Load() != 0 {
		t.Error("it ran")
	}
	for _, err := range errs[4:] {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	wantNames(t, db, "a", "b", "c")
}

// openWithHook opens a database in which a query can call fn in the middle of
// a statement.
func openWithHook(t *testing.T, fn func()) *pool.DB {
	return openDB(t, pool.Config{OnConnect: func(_ context.Context, c *sqlite.Conn) error {
		return c.CreateFunction("hook", 0, false, func([]sqlite.Value) (any, error) { fn(); return int64(0), nil })
	}})
}

// hookAndMany calls hook once and goes on for long enough to be interrupted.
var hookAndMany = &lido.Query{Name: "HookAndMany", SQL: "WITH RECURSIVE n(i) AS (SELECT hook() UNION ALL SELECT i+1 FROM n WHERE i < 20000) INSERT INTO item(name) SELECT 'many' FROM n WHERE i = 20000", Writes: []string{"item"}}

func TestAWriteIsNotInterruptedWhileOthersWorkIsInItsTransaction(t *testing.T) {
	for _, first := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		db := openWithHook(t, cancel)
		var wrote error
		writes := []func(context.Context) error{
			inserts(db, insertItem, "a"),
			func(context.Context) error {
				return db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error {
					inner, stop := context.WithCancel(ctx)
					defer stop()
					wrote = run(inner, tx, hookAndMany)
					return nil
				})
			},
			inserts(db, insertItem, "b"),
		}
		place := 1
		if first {
			writes[0], writes[1], place = writes[1], writes[0], 0
		}
		errs := together(t, db, writes...)
		if err := errs[place]; !errors.Is(err, context.Canceled) {
			t.Errorf("first %v: the one who left: %v", first, err)
		}
		errs[place] = nil
		if err := errors.Join(errs...); err != nil {
			t.Errorf("first %v: the others: %v", first, err)
		}
		// A first member takes nobody down, and need not be waited for.
		if errors.Is(wrote, lido.ErrInterrupted) != first {
			t.Errorf("first %v: its statement: %v", first, wrote)
		}
		if s := db.Stat(); s.AbortedGroups != 0 {
			t.Errorf("first %v: %+v", first, s)
		}
		wantNames(t, db, "a", "b")
	}
}

func TestASingleWriteIsNotInterruptedWhileOthersWorkIsInItsTransaction(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	db := openWithHook(t, cancel)
	errs := together(t, db,
		inserts(db, insertItem, "a"),
		func(context.Context) error { return run(ctx, db, hookAndMany) },
		inserts(db, insertItem, "b"),
	)
	if err := errors.Join(errs...); err != nil { // it got through after all
		t.Error(err)
	}
	if s := db.Stat(); s.AbortedGroups != 0 || s.Grouped != 3 {
		t.Errorf("%+v", s)
	}
	wantNames(t, db, "a", "many", "b")
}

func TestABatchOverItsTimeRunsAgainByItself(t *testing.T) {
	// It stops at the statement after its time, or in the middle of one.
	for name, fn := range map[string]closure{
		"between statements": func(ctx context.Context, tx lido.Tx) error {
			for begin := time.Now(); time.Since(begin) < 150*time.Millisecond; {
				if _, err := scalar(ctx, tx, countItems); err != nil {
					return fmt.Errorf("the closure's own words: %v", err)
				}
			}
			return insertsIn("long")(ctx, tx)
		},
		"between statements, hidden": func(ctx context.Context, tx lido.Tx) error {
			for begin := time.Now(); time.Since(begin) < 150*time.Millisecond; {
				_, _ = scalar(ctx, tx, countItems)
			}
			_ = insertsIn("long")(ctx, tx)
			return nil
		},
		"in a savepoint": func(ctx context.Context, tx lido.Tx) error {
			for begin := time.Now(); time.Since(begin) < 150*time.Millisecond; {
				if err := tx.Savepoint(ctx, func(context.Context, lido.Tx) error { return nil }); err != nil {
					return err
				}
			}
			return insertsIn("long")(ctx, tx)
		},
		"in a statement": func(ctx context.Context, tx lido.Tx) error {
			if err := run(ctx, tx, manyItemsUpTo, "400000"); err != nil {
				return err
			}
			if err := run(ctx, tx, &lido.Query{Name: "Clear", SQL: "DELETE FROM item WHERE name NOT IN ('a', 'b')", Writes: []string{"item"}}); err != nil {
				return err
			}
			return insertsIn("long")(ctx, tx)
		},
	} {
		for _, first := range []bool{false, true} {
			db := openDB(t, pool.Config{})
			var runs atomic.Int64
			writes := []func(ctx context.Context) error{inserts(db, insertItem, "a"), batches(db, &runs, fn), inserts(db, insertItem, "b")}
			if first {
				writes[0], writes[1] = writes[1], writes[0]
			}
			pool.SetGroupTimes(db, time.Minute, 100*time.Millisecond)
			if err := errors.Join(inTurn(t, db, writes...)...); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			found, err := names(t.Context(), db)
			if err != nil || len(found) != 3 || !found["long"] || runs.Load() != 2 {
				t.Errorf("%s: %d runs, %v %v", name, runs.Load(), found, err)
			}
			s := db.Stat()
			if s.BeyondGroup != 1 {
				t.Errorf("%s: %+v", name, s)
			}
			if inside := name == "in a statement" && !first; (s.AbortedGroups == 1) != inside {
				t.Errorf("%s, first %v: %d groups aborted", name, first, s.AbortedGroups)
			}
		}
	}
}

func TestABatchThatTakesLongButAsksForNothingAfterItsTimeIsKept(t *testing.T) {
	db := openDB(t, pool.Config{})
	var runs atomic.Int64
	errs := inTurn(t, db,
		inserts(db, insertItem, "a"),
		batches(db, &runs, func(ctx context.Context, tx lido.Tx) error {
			err := insertsIn("b")(ctx, tx)
			for begin := time.Now(); time.Since(begin) < 120*time.Millisecond; {
				runtime.Gosched()
			}
			return err
		}),
	)
	if err := errors.Join(errs...); err != nil || runs.Load() != 1 {
		t.Error(runs.Load(), err)
	}
	wantNames(t, db, "a", "b")
}

func TestADeferredForeignKeyIsTheFaultOfTheBatchThatBreaksIt(t *testing.T) {
	db := openDB(t, pool.Config{Prepare: func(ctx context.Context, db *pool.DB) error {
		return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
			return c.Exec(ctx, `CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
				CREATE TABLE part(item TEXT REFERENCES item(name));
				CREATE TABLE late(item TEXT REFERENCES item(name) DEFERRABLE INITIALLY DEFERRED)`)
		})
	}})
	part := &lido.Query{Name: "InsertPart", SQL: "INSERT INTO part VALUES(?1)", Writes: []string{"part"}}
	late := &lido.Query{Name: "InsertLate", SQL: "INSERT INTO late VALUES(?1)", Writes: []string{"late"}}
	deferAll := &lido.Query{Name: "Defer", SQL: "PRAGMA defer_foreign_keys=ON"}
	errs := together(t, db,
		withBatch(db, func(ctx context.Context, tx lido.Tx) error { // in the wrong order, and right in the end
			return errors.Join(run(ctx, tx, late, "a"), run(ctx, tx, deferAll), run(ctx, tx, part, "a"), insertsIn("a")(ctx, tx))
		}),
		withBatch(db, func(ctx context.Context, tx lido.Tx) error { // not deferred any more
			if err := run(ctx, tx, part, "b"); !errors.Is(err, lido.ErrForeignKey) {
				t.Errorf("a foreign key that is checked at once: %v", err)
			}
			return nil
		}),
		withBatch(db, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, late, "nosuch") }),
		withBatch(db, func(ctx context.Context, tx lido.Tx) error {
			return errors.Join(run(ctx, tx, deferAll), run(ctx, tx, part, "nosuch"))
		}),
		inserts(db, part, "nosuch"),
		inserts(db, insertItem, "nosuch"),
	)
	for _, err := range errs[2:5] {
		if !errors.Is(err, lido.ErrForeignKey) {
			t.Error(err)
		}
	}
	if err := errors.Join(errs[0], errs[1], errs[5]); err != nil {
		t.Error(err)
	}
	wantNames(t, db, "a", "nosuch")
}

func TestABatchSeesNoRowidAndNoChangesOfTheOneBefore(t *testing.T) {
	db := openDB(t, pool.Config{})
	state := func(want string) func(context.Context) error {
		return withBatch(db, func(ctx context.Context, tx lido.Tx) error {
			got, err := lido.Select[string](ctx, tx, lido.NewSQL("State", "SELECT last_insert_rowid() || '/' || changes()"))
			if err != nil || !slices.Equal(got, []string{"0/0"}) {
				t.Errorf("%s: %v %v", want, got, err)
			}
			return insertsIn(want)(ctx, tx)
		})
	}
	if err := errors.Join(together(t, db, inserts(db, insertItem, "a"), state("b"), state("c"))...); err != nil {
		t.Error(err)
	}
	if err := state("by itself")(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNobodyWorksOnAConnectionThatABatchHasChanged(t *testing.T) {
	db := openDB(t, pool.Config{})
	errs := together(t, db,
		inserts(db, insertItem, "a"),
		withBatch(db, func(ctx context.Context, tx lido.Tx) error {
			return run(ctx, tx, &lido.Query{Name: "Temp", SQL: "CREATE TEMP TABLE item(name)"})
		}),
		inserts(db, insertItem, "b"),
	)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	wantNames(t, db, "a", "b")
	if s := db.Stat(); s.Writer.Created != 2 || s.Groups != 1 {
		t.Errorf("%+v", s)
	}
}

func TestABatchIsRefusedWhereAWriteIs(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(context.Context, lido.Tx) error { t.Error("it ran"); return nil }
	if err := db.Batch(ctx, never); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Batch(t.Context(), never); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	r := openDBAt(t, db.Path(), pool.Config{ReadOnly: true})
	if err := r.Batch(t.Context(), never); !errors.Is(err, lido.ErrReadOnly) {
		t.Error(err)
	}
}

func TestABatchThatWaitsInTheQueueCanLeaveAndNeverRuns(t *testing.T) {
	db := openDB(t, pool.Config{})
	w, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 3)
	for i, c := range []context.Context{ctx, ctx, t.Context()} { // the leader, one who waits, and one who stays
		go func() {
			results <- db.Batch(c, func(ctx context.Context, tx lido.Tx) error {
				if i < 2 {
					t.Errorf("%d ran", i)
				}
				return insertsIn("stays")(ctx, tx)
			})
		}()
		waitUntil(t, func() bool { return db.Stat().Queued > i })
	}
	cancel()
	for range 2 {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	w.Release()
	if err := <-results; err != nil {
		t.Error(err)
	}
	wantNames(t, db, "stays")
}

func TestCloseNamesTheBatchThatHoldsTheWriter(t *testing.T) {
	db := openDB(t, pool.Config{})
	running, goOn := make(chan struct{}), make(chan struct{})
	results := make(chan []error, 1)
	go func() {
		results <- together(t, db,
			inserts(db, insertItem, "a"),
			withBatch(db, func(ctx context.Context, tx lido.Tx) error { close(running); <-goOn; return nil }),
		)
	}()
	<-running
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := db.Close(ctx)
	if held, ok := errors.AsType[*pool.HeldError](err); !ok || !strings.Contains(held.Error(), "batch_test.go") {
		t.Errorf("%v", err)
	}
	close(goOn)
	<-results
}
