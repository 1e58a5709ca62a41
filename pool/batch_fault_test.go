package pool_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"
)

// openFaulty opens a database in which faults can be provoked.
func openFaulty(t *testing.T, cfg pool.Config) (*pool.DB, *pooltest.Injector) {
	t.Helper()
	db := pooltest.OpenPath(t, filepath.Join(t.TempDir(), "test.db"), cfg)
	err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)")
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, pooltest.Faults(t, db)
}

func TestWhenTheCommitOfAGroupFailsEveryoneIsToldThatNothingWasApplied(t *testing.T) {
	db, faults := openFaulty(t, pool.Config{})
	free := faults.DiskFull()
	var runs atomic.Int64
	for i, err := range together(t, db, inserts(db, insertItem, "a"), batches(db, &runs, insertsIn("b")), inserts(db, insertItem, "c")) {
		if !errors.Is(err, lido.ErrGroupAborted) || !errors.Is(err, lido.ErrFull) {
			t.Errorf("member %d: %v", i, err)
		}
	}
	free()
	wantNames(t, db)
	if s := db.Stat(); runs.Load() != 1 || s.Rollbacks != 3 || s.Groups != 0 {
		t.Errorf("%d runs, %+v", runs.Load(), s)
	}
	if err := db.Batch(t.Context(), insertsIn("after")); err != nil {
		t.Error(err)
	}
}

func TestWhenTheCommitOfAGroupIsUnknownEveryoneIsToldSo(t *testing.T) {
	for _, outcome := range []pooltest.Outcome{pooltest.Lost, pooltest.Kept} {
		db, faults := openFaulty(t, pool.Config{})
		faults.LoseCommit(outcome)
		for i, err := range together(t, db, inserts(db, insertItem, "a"), withBatch(db, insertsIn("b")), inserts(db, insertItem, "c")) {
			if !errors.Is(err, lido.ErrCommitUnknown) || errors.Is(err, lido.ErrGroupAborted) {
				t.Errorf("member %d: %v", i, err)
			}
		}
		if outcome == pooltest.Kept {
			wantNames(t, db, "a", "b", "c")
		} else {
			wantNames(t, db)
		}
		// The documented way to find out: write the same again, under its key.
		for i, err := range together(t, db, inserts(db, insertItem, "a"), withBatch(db, insertsIn("b")), inserts(db, insertItem, "c")) {
			if errors.Is(err, lido.ErrUnique) != bool(outcome) || err != nil && !bool(outcome) {
				t.Errorf("member %d, again: %v", i, err)
			}
		}
		wantNames(t, db, "a", "b", "c")
	}
}

func TestACommitThatHasBegunIsSeenThroughAfterItsMembersContextsHaveEnded(t *testing.T) {
	db, faults := openFaulty(t, pool.Config{})
	begun, release := faults.BlockCommit()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
		release()
	}()
	errs := together(t, db,
		func(context.Context) error { return run(ctx, db, insertItem, "a") },
		func(context.Context) error { return db.Batch(ctx, insertsIn("b")) },
	)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	wantNames(t, db, "a", "b")
}

func TestAGroupThatTheEngineAbortsRunsAgainCulpritAndAll(t *testing.T) {
	db, faults := openFaulty(t, pool.Config{})
	done, _ := faults.AbortGroup()
	var first, second atomic.Int64
	errs := together(t, db, batches(db, &first, insertsIn("a")), batches(db, &second, insertsIn("b")), inserts(db, insertItem, "c"))
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	<-done
	if first.Load() != 2 || second.Load() != 2 {
		t.Errorf("%d and %d runs, want 2", first.Load(), second.Load())
	}
	found, err := names(t.Context(), db)
	if err != nil || len(found) != 3 {
		t.Error(found, err)
	}
}

func TestABatchThatIsInterruptedInAGroupRunsAgainByItself(t *testing.T) {
	for place := range 2 {
		db, faults := openFaulty(t, pool.Config{})
		once := &lido.Query{Name: "Once", SQL: "INSERT INTO item(name) VALUES('once')", Writes: []string{"item"}}
		faults.Interrupt(once.Name)
		var runs atomic.Int64
		writes := []func(ctx context.Context) error{inserts(db, insertItem, "a"), inserts(db, insertItem, "b")}
		writes = slices.Insert(writes, place, batches(db, &runs, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, once) }))
		if err := errors.Join(together(t, db, writes...)...); err != nil {
			t.Errorf("at %d: %v", place, err)
		}
		if found, err := names(t.Context(), db); err != nil || len(found) != 3 || runs.Load() != 2 {
			t.Errorf("at %d: %d runs, %v %v", place, runs.Load(), found, err)
		}
	}
}

func TestAnIOErrorInAMemberSparesTheOthers(t *testing.T) {
	db, faults := openFaulty(t, pool.Config{})
	var runs atomic.Int64
	for _, hidden := range []bool{false, true} {
		faults.Corrupt("CountItems")
		errs := together(t, db,
			inserts(db, insertItem, "a"+map[bool]string{true: " again"}[hidden]),
			withBatch(db, func(ctx context.Context, tx lido.Tx) error {
				if _, err := scalar(ctx, tx, countItems); err != nil && !hidden {
					return err
				}
				return nil
			}),
			batches(db, &runs, insertsIn("b"+map[bool]string{true: " again"}[hidden])),
		)
		if errors.Is(errs[1], lido.ErrCorrupt) == hidden {
			t.Errorf("hidden %v: the one who met it: %v", hidden, errs[1])
		}
		if err := errors.Join(errs[0], errs[2]); err != nil {
			t.Error(err)
		}
	}
	wantNames(t, db, "a", "b", "a again", "b again")
	// Nothing was committed on the connection that met it.
	if s := db.Stat(); s.Writer.Created < 2 || s.Poisoned < 1 || s.AbortedGroups != 2 {
		t.Errorf("%+v", s)
	}
}

func TestAMemberThatFailedIsToldWhyOnlyOnceTheCommitHasWorked(t *testing.T) {
	// That a name is taken would be an acknowledgement of the one who took it.
	for name, fault := range map[string]func(*pooltest.Injector){
		"disk full":      func(f *pooltest.Injector) { t.Cleanup(f.DiskFull()) },
		"commit unknown": func(f *pooltest.Injector) { f.LoseCommit(pooltest.Lost) },
	} {
		db, faults := openFaulty(t, pool.Config{})
		fault(faults)
		leaves := func(ctx context.Context) error { // after it has failed
			ctx, cancel := context.WithCancel(ctx)
			return db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error {
				defer cancel()
				return insertsIn("a")(ctx, tx)
			})
		}
		errs := together(t, db, inserts(db, insertItem, "a"), inserts(db, insertItem, "a"), withBatch(db, insertsIn("a")), leaves)
		if errs[0] == nil {
			t.Fatalf("%s: the commit worked", name)
		}
		for _, err := range errs[1:] {
			if !errors.Is(err, lido.ErrGroupAborted) || errors.Is(err, lido.ErrUnique) || errors.Is(err, lido.ErrCommitUnknown) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
