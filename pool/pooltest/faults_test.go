package pooltest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
)

var (
	itemSchema = fstest.MapFS{"00001_item.sql": {Data: []byte("-- +goose Up\nCREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);")}}
	insertItem = &lido.Query{Name: "InsertItem", SQL: "INSERT INTO item(name) VALUES(?1)", Writes: []string{"item"}}
	countItems = &lido.Query{Name: "CountItems", SQL: "SELECT count(*) FROM item", ReadOnly: true, Reads: []string{"item"}}
)

func insert(ctx context.Context, w lido.Writer, name string) error {
	s, err := w.PrepareWrite(ctx, insertItem)
	if err != nil {
		return err
	}
	defer s.Close()
	s.BindText(1, name)
	_, err = s.Step()
	return errors.Join(err, s.Close())
}

func countOf(ctx context.Context, r lido.Reader) (int64, error) {
	s, err := r.PrepareRead(ctx, countItems)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if _, err := s.Step(); err != nil {
		return 0, err
	}
	return s.ColumnInt64(0), s.Close()
}

// insertIn inserts in a closure, after another row.
func insertIn(ctx context.Context, db lido.Database, name string) error {
	return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		if err := insert(ctx, tx, name+" before"); err != nil {
			return err
		}
		return insert(ctx, tx, name)
	})
}

func wantCount(t *testing.T, r lido.Reader, want int64) {
	t.Helper()
	if n, err := countOf(t.Context(), r); n != want || err != nil {
		t.Errorf("%d items, want %d: %v", n, want, err)
	}
}

func isIOError(err error) bool {
	var e *lido.Error
	return errors.As(err, &e) && e.Code == 10
}

// opener is pooltest.Open or pooltest.OpenMemory.
type opener = func(t testing.TB, fsys fs.FS, cfg ...pool.Config) *pool.DB

// onBoth runs a test on a database in a file, and on one in memory.
func onBoth(t *testing.T, test func(t *testing.T, open opener)) {
	t.Run("file", func(t *testing.T) { test(t, pooltest.Open) })
	t.Run("memory", func(t *testing.T) { test(t, pooltest.OpenMemory) })
}

func TestBusyKeepsWritersOutAndLetsReadersIn(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		db := open(t, itemSchema, pool.Config{BusyTimeout: 20 * time.Millisecond})
		release := pooltest.Faults(t, db).Busy()
		if err := insert(t.Context(), db, "a"); !errors.Is(err, lido.ErrBusy) {
			t.Error(err)
		}
		if err := insertIn(t.Context(), db, "b"); !errors.Is(err, lido.ErrBusy) {
			t.Error(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if err := insert(ended, db, "c"); !errors.Is(err, context.Canceled) && !errors.Is(err, lido.ErrBusy) {
			t.Error(err)
		}
		wantCount(t, db, 0)
		release()
		release()
		if err := insert(t.Context(), db, "a"); err != nil {
			t.Error(err)
		}
	})
}

func TestAFullDiskFailsWritesUntilItIsFreed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		db := open(t, itemSchema)
		f := pooltest.Faults(t, db)
		for i := range 3 {
			free := f.DiskFull()
			if err := insert(t.Context(), db, fmt.Sprint("single ", i)); !errors.Is(err, lido.ErrFull) || errors.Is(err, lido.ErrCommitUnknown) {
				t.Error(err)
			}
			var inside error
			err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
				inside = insert(ctx, tx, fmt.Sprint("closure ", i))
				return inside
			})
			if inside != nil || !errors.Is(err, lido.ErrFull) || errors.Is(err, lido.ErrCommitUnknown) {
				t.Errorf("in the closure %v, at the commit %v", inside, err)
			}
			wantCount(t, db, int64(i))
			free()
			if err := insert(t.Context(), db, fmt.Sprint("freed ", i)); err != nil {
				t.Error(err)
			}
		}
		if s := db.Stat(); s.Writer.Created != 1 {
			t.Errorf("%d writers were opened", s.Writer.Created)
		}
	})
}

// struck runs a write whose second statement meets a fault, and looks whether
// everything of it is gone.
func struck(t *testing.T, db *pool.DB, want error) {
	t.Helper()
	var statement, after error
	err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
		if err := insert(ctx, tx, "before"); err != nil {
			return err
		}
		s, err := tx.PrepareWrite(ctx, &lido.Query{Name: "Rename", SQL: "UPDATE item SET name = 'renamed' WHERE name = 'before'", Writes: []string{"item"}})
		if err != nil {
			return err
		}
		_, statement = s.Step()
		_ = s.Close()
		after = insert(ctx, tx, "after")
		return nil // as if it had not noticed
	})
	if !errors.Is(statement, want) {
		t.Errorf("the statement says %v", statement)
	}
	if after == nil || !errors.Is(err, want) {
		t.Errorf("the next statement says %v, the transaction %v", after, err)
	}
	wantCount(t, db, 0)
	if err := insert(t.Context(), db, "a"); err != nil {
		t.Error(err)
	}
}

func TestADiskThatIsFullInAStatementTakesTheTransactionWithIt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		db := open(t, itemSchema)
		pooltest.Faults(t, db).DiskFullIn("Rename")
		struck(t, db, lido.ErrFull)
	})
}

func TestAnInterruptedQueryFailsOnceAndTakesItsTransactionWithIt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		db := open(t, itemSchema)
		f := pooltest.Faults(t, db)
		f.Interrupt("CountItems")
		if _, err := countOf(t.Context(), db); !errors.Is(err, lido.ErrInterrupted) {
			t.Error(err)
		}
		wantCount(t, db, 0)
		f.Interrupt(insertItem.SQL) // by its text
		if err := insert(t.Context(), db, "a"); !errors.Is(err, lido.ErrInterrupted) {
			t.Error(err)
		}
		f.Interrupt("Rename")
		struck(t, db, lido.ErrInterrupted)
		cancel := f.Interrupt("")
		cancel()
		wantCount(t, db, 1)
	})
}

func TestACorruptPageIsAnErrorAndCostsTheConnection(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		db := open(t, itemSchema)
		f := pooltest.Faults(t, db)
		f.Corrupt("CountItems")
		if _, err := countOf(t.Context(), db); !errors.Is(err, lido.ErrCorrupt) {
			t.Error(err)
		}
		wantCount(t, db, 0)
		if s := db.Stat(); s.Readers.Destroyed.Invalid != 1 {
			t.Errorf("%+v", s.Readers)
		}
	})
}

func TestAKilledWriterFailsOneWrite(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		db := open(t, itemSchema)
		f := pooltest.Faults(t, db)
		f.KillWriter()
		if err := insert(t.Context(), db, "a"); !isIOError(err) {
			t.Error(err)
		}
		wantCount(t, db, 0)
		if err := insert(t.Context(), db, "a"); err != nil {
			t.Error(err)
		}
		err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
			if err := insert(ctx, tx, "b"); err != nil {
				return err
			}
			f.KillWriter()
			return nil
		})
		if !isIOError(err) || !errors.Is(err, lido.ErrCommitUnknown) {
			t.Error(err)
		}
		wantCount(t, db, 1)
		if err := insert(t.Context(), db, "b"); err != nil {
			t.Error(err)
		}
		if s := db.Stat(); s.Writer.Created != 3 || s.Writer.Destroyed.Invalid != 2 {
			t.Errorf("%+v", s.Writer)
		}
	})
}

func TestABeginThatFailsGivesTheConnectionBackOrClosesIt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		db := open(t, itemSchema, pool.Config{BusyTimeout: 10 * time.Millisecond})
		f := pooltest.Faults(t, db)
		never := func(context.Context, lido.Tx) error { t.Error("ran without a transaction"); return nil }
		release := f.Busy()
		if err := db.Write(t.Context(), never); !errors.Is(err, lido.ErrBusy) {
			t.Error(err)
		}
		if w := db.Stat().Writer; w.InUse != 0 || w.Idle != 1 || w.Destroyed.Total() != 0 {
			t.Errorf("%+v", w)
		}
		release()
		f.KillWriter()
		if err := db.Write(t.Context(), never); !isIOError(err) || errors.Is(err, lido.ErrCommitUnknown) {
			t.Error(err)
		}
		if w := db.Stat().Writer; w.InUse != 0 || w.Idle != 0 || w.Destroyed.Invalid != 1 {
			t.Errorf("%+v", w)
		}
		if err := insertIn(t.Context(), db, "a"); err != nil {
			t.Error(err)
		}
	})
}

func TestAKilledReaderFailsOneRead(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		db := open(t, itemSchema)
		f := pooltest.Faults(t, db)
		wantCount(t, db, 0)
		f.KillReaders()
		if _, err := countOf(t.Context(), db); !isIOError(err) {
			t.Error(err)
		}
		wantCount(t, db, 0)
		if err := insert(t.Context(), db, "a"); err != nil {
			t.Error(err)
		}
	})
}

func TestASlowCommitIsSeenThroughAfterItsContextHasEnded(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		db := open(t, itemSchema)
		f := pooltest.Faults(t, db)
		stop := f.SlowCommit(30 * time.Millisecond)
		begun, release := f.BlockCommit()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-begun
			cancel()
			release()
		}()
		start := time.Now()
		if err := insert(ctx, db, "a"); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d < 30*time.Millisecond {
			t.Errorf("took %v", d)
		}
		wantCount(t, db, 1)
		stop()
		if err := insert(t.Context(), db, "b"); err != nil {
			t.Error(err)
		}
	})
}

func TestReadersGoOnWhileACommitIsBlocked(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		// writer                      reader
		// commit begins, is blocked
		//                             sees nothing of it
		// released, returns
		//                             sees it
		db := open(t, itemSchema)
		begun, release := pooltest.Faults(t, db).BlockCommit()
		result := make(chan error)
		go func() { result <- insertIn(t.Context(), db, "a") }()
		<-begun
		wantCount(t, db, 0)
		select {
		case err := <-result:
			t.Fatalf("a blocked commit returned: %v", err)
		default:
		}
		release()
		if err := <-result; err != nil {
			t.Error(err)
		}
		wantCount(t, db, 2)
	})
}

func TestACommitOfUnknownOutcomeIsLostOrKept(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		for _, level := range []pool.Synchronous{pool.SynchronousNormal, pool.SynchronousFull} {
			for outcome, want := range map[pooltest.Outcome]int64{pooltest.Lost: 0, pooltest.Kept: 1} {
				db := open(t, itemSchema, pool.Config{Synchronous: level})
				f := pooltest.Faults(t, db)
				wantCount(t, db, 0) // a reader that is open sees it too
				f.LoseCommit(outcome)
				if err := insert(t.Context(), db, "single"); !errors.Is(err, lido.ErrCommitUnknown) {
					t.Error(err)
				}
				wantCount(t, db, want)
				f.LoseCommit(outcome)
				if err := insertIn(t.Context(), db, "closure"); !errors.Is(err, lido.ErrCommitUnknown) {
					t.Error(err)
				}
				wantCount(t, db, 3*want)
				if err := insert(t.Context(), db, "after"); err != nil {
					t.Error(err)
				}
				wantCount(t, db, 3*want+1)
			}
		}
	})
}

// together starts each write while the writer is held, so that they share a
// transaction.
func together(t *testing.T, db *pool.DB, writes ...func() error) []error {
	t.Helper()
	writer, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	errs := make([]error, len(writes))
	var wg sync.WaitGroup
	for i, write := range writes {
		wg.Go(func() { errs[i] = write() })
		for deadline := time.Now().Add(10 * time.Second); db.Stat().Queued <= i; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatal("the writes did not queue up")
			}
		}
	}
	writer.Release()
	wg.Wait()
	return errs
}

func TestAnAbortedGroupIsRunAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		for struckMember := range 2 { // the closure is the first, or it is what the engine stops
			db := open(t, itemSchema)
			struck, _ := pooltest.Faults(t, db).AbortGroup()
			runs := 0
			single := func(name string) func() error {
				return func() error { return insert(t.Context(), db, name) }
			}
			writes := []func() error{single("a"), single("b"), single("c")}
			writes = slices.Insert(writes, struckMember, func() error {
				return db.Batch(t.Context(), func(ctx context.Context, tx lido.Tx) error {
					runs++
					return insert(ctx, tx, "closure")
				})
			})
			errs := together(t, db, writes...)
			select {
			case <-struck:
			default:
				t.Error("no group was aborted")
			}
			if runs != 2 {
				t.Errorf("the closure ran %d times", runs)
			}
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
			wantCount(t, db, 4)
		}
	})
}

func TestAFullDiskFailsEveryWriteOfAGroup(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open opener) {
		db := open(t, itemSchema)
		f := pooltest.Faults(t, db)
		var writes []func() error
		for i := range 3 {
			writes = append(writes, func() error { return insert(t.Context(), db, fmt.Sprint(i)) })
		}
		free := f.DiskFull()
		for _, err := range together(t, db, writes...) {
			if !errors.Is(err, lido.ErrFull) || !errors.Is(err, lido.ErrGroupAborted) {
				t.Error(err)
			}
		}
		wantCount(t, db, 0)
		free()
		f.LoseCommit(pooltest.Kept)
		for _, err := range together(t, db, writes...) {
			if !errors.Is(err, lido.ErrCommitUnknown) {
				t.Error(err)
			}
		}
		wantCount(t, db, 3)
	})
}

func TestAProgramThatOpensItsOwnDatabaseIsWithinReach(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "own.db")
	db, err := pool.Open(pooltest.WithFaults(t.Context(), t), path, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pooltest.Faults(t, db).Corrupt("Any")
	s, err := db.PrepareRead(t.Context(), &lido.Query{Name: "Any", SQL: "SELECT 1", ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Step(); !errors.Is(err, lido.ErrCorrupt) {
		t.Error(err)
	}
	_ = s.Close()
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFaultsOfADatabaseOutOfReachSaysHowToBringItThere(t *testing.T) {
	db, err := pool.Open(t.Context(), filepath.Join(t.TempDir(), "own.db"), pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{TB: t}
	func() {
		defer func() { _ = recover() }()
		pooltest.Faults(w, db)
	}()
	if len(w.failures) != 1 {
		t.Error(w.failures)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAFaultEndsWithItsTestAndConcernsItsDatabaseAlone(t *testing.T) {
	a, b := pooltest.Open(t, itemSchema), pooltest.Open(t, itemSchema)
	t.Run("full", func(t *testing.T) {
		f := pooltest.Faults(t, a)
		f.DiskFull()
		f.Interrupt("CountItems")
		f.SlowCommit(time.Hour)
		if err := insert(t.Context(), a, "x"); !errors.Is(err, lido.ErrFull) {
			t.Error(err)
		}
		if err := insert(t.Context(), b, "x"); err != nil {
			t.Error(err)
		}
		wantCount(t, b, 1)
	})
	if err := insert(t.Context(), a, "x"); err != nil {
		t.Error(err)
	}
	wantCount(t, a, 1)
}
