package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// together starts each write while the writer is held, waits until all are in
// the queue, and lets go. So they share a transaction, in this order, however
// busy the machine is.
func together(t *testing.T, db *pool.DB, writes ...func(ctx context.Context) error) []error {
	t.Helper()
	pool.SetGroupTimes(db, time.Minute, time.Minute)
	return inTurn(t, db, writes...)
}

// inTurn is together in a group that is bounded as it always is.
func inTurn(t *testing.T, db *pool.DB, writes ...func(ctx context.Context) error) []error {
	t.Helper()
	w, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	errs := make([]error, len(writes))
	var wg sync.WaitGroup
	for i, write := range writes {
		wg.Go(func() { errs[i] = write(t.Context()) })
		waitUntil(t, func() bool { s := db.Stat(); return s.Queued > i || s.Writer.Waiting > i })
	}
	w.Release()
	wg.Wait()
	return errs
}

func waitUntil(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); {
		if time.Now().After(deadline) {
			t.Fatal("the condition does not hold after a minute")
		}
		runtime.Gosched()
	}
}

func inserts(db *pool.DB, q *lido.Query, name string) func(ctx context.Context) error {
	return func(ctx context.Context) error { return run(ctx, db, q, name) }
}

func TestWritesThatWaitTogetherShareOneCommit(t *testing.T) {
	db := openDB(t, pool.Config{})
	var writes []func(ctx context.Context) error
	for i := range 20 {
		writes = append(writes, inserts(db, insertItem, fmt.Sprint(i)))
	}
	if err := errors.Join(together(t, db, writes...)...); err != nil {
		t.Fatal(err)
	}
	if s := db.Stat(); s.Groups != 1 || s.Grouped != 20 || s.Commits != prepared+20 {
		t.Errorf("%+v", s)
	}
	if n := count(t, t.Context(), db); n != 20 {
		t.Error(n)
	}
}

func TestAMemberThatFailsIsUndoneAlone(t *testing.T) {
	db := openDB(t, pool.Config{})
	errs := together(t, db,
		inserts(db, insertItem, "a"),
		inserts(db, insertItem, "a"), // not unique
		inserts(db, insertItem, "b"),
		inserts(db, &lido.Query{Name: "Broken", SQL: "INSERT INTO nosuch VALUES(?1)", Writes: []string{"nosuch"}}, "x"),
		inserts(db, insertItem, "c"),
	)
	for i, want := range []bool{true, false, true, false, true} {
		if (errs[i] == nil) != want {
			t.Errorf("member %d: %v", i, errs[i])
		}
	}
	if !errors.Is(errs[1], lido.ErrUnique) {
		t.Error(errs[1])
	}
	if n := count(t, t.Context(), db); n != 3 {
		t.Error(n)
	}
	if s := db.Stat(); s.Groups != 1 || s.Grouped != 3 {
		t.Errorf("%+v", s)
	}
}

func TestAMemberThatEndsTheTransactionDoesNotTakeTheOthersWithIt(t *testing.T) {
	db := openDB(t, pool.Config{})
	if err := run(t.Context(), db, insertItem, "taken"); err != nil {
		t.Fatal(err)
	}
	errs := together(t, db,
		inserts(db, insertItem, "a"),
		inserts(db, insertItem, "b"),
		inserts(db, &lido.Query{Name: "Rollback", SQL: "INSERT OR ROLLBACK INTO item(name) VALUES(?1)", Writes: []string{"item"}}, "taken"),
		inserts(db, insertItem, "c"),
	)
	if !errors.Is(errs[2], lido.ErrUnique) {
		t.Errorf("the culprit: %v", errs[2])
	}
	if err := errors.Join(errs[0], errs[1], errs[3]); err != nil {
		t.Errorf("the others: %v", err)
	}
	found, err := names(t.Context(), db)
	if len(found) != 4 || err != nil {
		t.Error(found, err)
	}
}

func TestAMemberOverItsTimeRunsAgainByItself(t *testing.T) {
	db := openDB(t, pool.Config{})
	errs := inTurn(t, db,
		inserts(db, insertItem, "a"),
		inserts(db, manyItemsUpTo, "400000"), // more than 100 ms
		inserts(db, insertItem, "b"),
	)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if n := count(t, t.Context(), db); n != 400_002 {
		t.Error(n)
	}
	if s := db.Stat(); s.BeyondGroup != 1 || s.Grouped > 2 { // it shared a commit with nobody
		t.Errorf("%+v", s)
	}
}

func TestAMemberWithManyRowsRunsAgainByItself(t *testing.T) {
	db := openDB(t, pool.Config{})
	many := &lido.Query{Name: "Many", SQL: manyItemsUpTo.SQL + " RETURNING id", Writes: []string{"item"}}
	rows := 0
	errs := together(t, db,
		inserts(db, insertItem, "a"),
		func(ctx context.Context) error {
			s, err := db.PrepareWrite(ctx, many)
			if err != nil {
				return err
			}
			defer s.Close()
			s.BindText(1, "5000")
			for {
				row, err := s.Step()
				if err != nil || !row {
					return err
				}
				rows++
			}
		},
		inserts(db, insertItem, "b"),
	)
	if err := errors.Join(errs...); err != nil || rows != 5000 {
		t.Error(rows, err)
	}
	if n := count(t, t.Context(), db); n != 5002 {
		t.Error(n)
	}
	if s := db.Stat(); s.BeyondGroup != 1 || s.Grouped > 2 { // it shared a commit with nobody
		t.Errorf("%+v", s)
	}
}

func TestADeferredForeignKeyIsTheFaultOfTheMemberThatBreaksIt(t *testing.T) {
	db := openDB(t, pool.Config{Prepare: func(ctx context.Context, db *pool.DB) error {
		return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
			return c.Exec(ctx, `CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
				CREATE TABLE part(item TEXT REFERENCES item(name) DEFERRABLE INITIALLY DEFERRED)`)
		})
	}})
	part := &lido.Query{Name: "InsertPart", SQL: "INSERT INTO part VALUES(?1)", Writes: []string{"part"}}
	errs := together(t, db, inserts(db, insertItem, "a"), inserts(db, part, "nosuch"), inserts(db, part, "a"), inserts(db, insertItem, "nosuch"))
	if !errors.Is(errs[1], lido.ErrForeignKey) {
		t.Errorf("%v", errs[1])
	}
	if err := errors.Join(errs[0], errs[2], errs[3]); err != nil {
		t.Error(err)
	}
}

func TestAMemberSeesNothingOfTheOneBefore(t *testing.T) {
	db := openDB(t, pool.Config{})
	state := &lido.Query{Name: "State", SQL: "INSERT INTO item(name) VALUES(last_insert_rowid() || '/' || changes() || '/' || ?1)", Writes: []string{"item"}}
	errs := together(t, db, inserts(db, insertItem, "a"), inserts(db, state, "b"), inserts(db, insertItem, "c"), inserts(db, state, "d"))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), db, state, "e"); err != nil { // nor by itself
		t.Fatal(err)
	}
	found, err := names(t.Context(), db)
	if err != nil || !found["0/0/b"] || !found["0/0/d"] || !found["0/0/e"] {
		t.Error(found, err)
	}
}

func TestACallerBehindTheLeaderLeavesWhileTheWriterIsHeld(t *testing.T) {
	db := openDB(t, pool.Config{})
	w, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leader, follower := make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { leader <- run(t.Context(), db, insertItem, "leader") }()
	waitUntil(t, func() bool { return db.Stat().Queued == 1 })
	go func() { follower <- run(ctx, db, insertItem, "follower") }()
	waitUntil(t, func() bool { return db.Stat().Queued == 2 })
	cancel()
	select {
	case err := <-follower:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for the writer all the same")
	}
	w.Release()
	if err := <-leader; err != nil {
		t.Error(err)
	}
}

func TestACallerThatWaitsInTheQueueCanLeave(t *testing.T) {
	db := openDB(t, pool.Config{})
	w, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 3)
	for i, c := range []context.Context{ctx, ctx, t.Context()} { // the leader, one who waits, and one who stays
		go func() { results <- run(c, db, insertItem, fmt.Sprint(i)) }()
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
	if found, err := names(t.Context(), db); len(found) != 1 || !found["2"] || err != nil {
		t.Error(found, err)
	}
}

func TestGroupCommitCanBeSwitchedOffForACallAndForADatabase(t *testing.T) {
	// Each then waits for the writer by itself, in the order in which they came.
	for _, off := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			db := openDB(t, pool.Config{NoGroupCommit: off})
			before := db.Stat()
			ctx := t.Context()
			if !off {
				ctx = pool.Alone(ctx)
			}
			w, err := db.AcquireWriter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for _, write := range []func() error{
				func() error { return run(ctx, db, insertItem, "a") },
				func() error { return db.Write(ctx, insertsIn("b")) },
				func() error { return run(ctx, db, insertItem, "c") },
				func() error { return db.Batch(ctx, insertsIn("d")) },
				func() error { return run(ctx, db, insertItem, "e") },
			} {
				wg.Go(func() {
					if err := write(); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			w.Release()
			wg.Wait()
			if s := db.Stat(); s.Groups != 0 || s.Commits != before.Commits+5 {
				t.Errorf("%+v", s)
			}
			wantNames(t, db, "a", "b", "c", "d", "e")
		})
	}
}

func TestWritesKeepTheirOrderInAGroup(t *testing.T) {
	db := openDB(t, pool.Config{})
	var writes []func(ctx context.Context) error
	for i := range 50 {
		writes = append(writes, inserts(db, insertItem, fmt.Sprintf("%02d", i)))
	}
	if err := errors.Join(together(t, db, writes...)...); err != nil {
		t.Fatal(err)
	}
	var got []string
	rows, err := lido.Select[string](t.Context(), db, lido.NewSQL("Names", "SELECT name FROM item ORDER BY id"))
	got = append(got, rows...)
	if err != nil || len(got) != 50 || !slices.IsSorted(got) {
		t.Error(got, err)
	}
}

func TestAPanicInAStatementReachesItsOwnCaller(t *testing.T) {
	// The cache is small because it is never given back; see package sqlite.
	db := openDB(t, pool.Config{CacheBytes: 64 << 10, OnConnect: func(_ context.Context, c *sqlite.Conn) error {
		return c.CreateCollation("panics", func(a, b string) int { panic("boom") })
	}})
	if err := run(t.Context(), db, manyItemsUpTo, "3"); err != nil {
		t.Fatal(err)
	}
	sorted := &lido.Query{Name: "Sorted", SQL: "INSERT INTO item(name) SELECT name || 'x' FROM item ORDER BY name COLLATE panics", Writes: []string{"item"}}
	var seen any
	errs := together(t, db,
		inserts(db, insertItem, "a"),
		func(ctx context.Context) error {
			defer func() { seen = recover() }()
			return run(ctx, db, sorted)
		},
		inserts(db, insertItem, "b"),
	)
	if err := errors.Join(errs[0], errs[2]); err != nil || seen != "boom" {
		t.Errorf("the others: %v; its caller saw %v", err, seen)
	}
	if n := count(t, t.Context(), db); n != 5 {
		t.Error(n)
	}
}

func TestAWriteThatWaitsGoesBeforeThoseWhoComeWhileAGroupRuns(t *testing.T) {
	// group                       later
	// the first member begins
	//                             a single write queues up
	// the group ends
	// With a Write waiting, the single write is not let in; without, it is.
	for _, waits := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			db := openDB(t, pool.Config{})
			w, err := db.AcquireWriter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			start := func(write func(ctx context.Context) error) {
				wg.Go(func() {
					if err := write(t.Context()); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			start(withBatch(db, func(ctx context.Context, tx lido.Tx) error {
				start(inserts(db, insertItem, "later"))
				return insertsIn("first")(ctx, tx)
			}))
			start(inserts(db, insertItem, "second"))
			want := []string{"first", "second", "later"}
			if waits {
				want = []string{"first", "second", "Write", "later"}
				start(func(ctx context.Context) error { return db.Write(ctx, insertsIn("Write")) })
			}
			w.Release()
			wg.Wait()
			wantNames(t, db, want...)
			if s := db.Stat(); s.Groups != 1 || (s.Grouped == 3) == waits {
				t.Errorf("a Write waits: %v; %+v", waits, s)
			}
		})
	}
}

func TestWhoLeadsTheNextGroupQueuesForTheWriterLikeAnybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, pool.Config{})
		w, err := db.AcquireWriter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		full := pool.WithSynchronous(t.Context(), pool.SynchronousFull)
		var wg sync.WaitGroup
		for _, write := range []func() error{
			func() error { return run(t.Context(), db, insertItem, "leads") },
			func() error { return run(t.Context(), db, insertItem, "follows") },
			func() error { return run(full, db, insertItem, "leads the next") },
			func() error { return db.Write(t.Context(), insertsIn("Write")) },
			func() error { return run(full, db, insertItem, "follows that") },
		} {
			wg.Go(func() {
				if err := write(); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		w.Release()
		wg.Wait()
		wantNames(t, db, "leads", "follows", "Write", "leads the next", "follows that")
	})
}

func TestThoseWhoWaitTogetherForAnotherProcessGiveUpTogether(t *testing.T) {
	db := openDB(t, pool.Config{BusyTimeout: 100 * time.Millisecond})
	other, err := sqlite.Open(t.Context(), db.Path(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Begin(t.Context(), sqlite.Immediate); err != nil {
		t.Fatal(err)
	}
	before := db.Stat().Writer.AcquireCount
	var writes []func(ctx context.Context) error
	for i := range 10 {
		writes = append(writes, inserts(db, insertItem, fmt.Sprint(i)), withBatch(db, insertsIn(fmt.Sprint(i))))
	}
	for _, err := range together(t, db, writes...) {
		if !errors.Is(err, lido.ErrBusy) {
			t.Error(err)
		}
	}
	// One by one they would have waited twenty times as long.
	if n := db.Stat().Writer.AcquireCount - before; n != 2 {
		t.Errorf("the writer was taken %d times, want once by the test and once by the group", n)
	}
	if err := other.Rollback(); err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), db, insertItem, "after"); err != nil {
		t.Error(err)
	}
	wantNames(t, db, "after")
}

func TestALeaderThatLeavesWhileItWaitsForAnotherProcessTakesNobodyWithIt(t *testing.T) {
	db := openDB(t, pool.Config{})
	other, err := sqlite.Open(t.Context(), db.Path(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Begin(t.Context(), sqlite.Immediate); err != nil {
		t.Fatal(err)
	}
	w, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	leader, followers := make(chan error, 1), make(chan error, 2)
	go func() { leader <- run(ctx, db, insertItem, "leader") }()
	waitUntil(t, func() bool { return db.Stat().Queued == 1 })
	go func() { followers <- run(t.Context(), db, insertItem, "follower") }()
	waitUntil(t, func() bool { return db.Stat().Queued == 2 })
	go func() { followers <- run(ctx, db, insertItem, "leaves too") }()
	waitUntil(t, func() bool { return db.Stat().Queued == 3 })
	waits := w.BusyWaits()
	conn := w.Conn
	w.Release()
	waitUntil(t, func() bool { return conn.BusyWaits() > waits })
	cancel()
	if err := <-leader; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-followers; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := other.Rollback(); err != nil {
		t.Error(err)
	}
	if err := <-followers; err != nil {
		t.Error(err)
	}
	wantNames(t, db, "follower")
}

func TestAStatementThatFailsLeavesNothingThoughItAsksTo(t *testing.T) {
	// OR FAIL keeps what the statement did before it failed. That is for a
	// transaction to decide about; a write by itself is applied or is not.
	for _, noGroup := range []bool{false, true} {
		db := openDB(t, pool.Config{NoGroupCommit: noGroup})
		half := &lido.Query{Name: "Half", SQL: "INSERT OR FAIL INTO item(name) VALUES(?1), ('b'), (?1), ('c')", Writes: []string{"item"}}
		whole := &lido.Query{Name: "Whole", SQL: "INSERT OR FAIL INTO item(name) VALUES(?1), ('d') RETURNING id", Writes: []string{"item"}}
		if err := run(t.Context(), db, half, "a"); !errors.Is(err, lido.ErrUnique) {
			t.Error(err)
		}
		if err := run(t.Context(), db, whole, "e"); err != nil {
			t.Error(err)
		}
		errs := together(t, db, inserts(db, half, "f"), inserts(db, whole, "d"), inserts(db, insertItem, "g"))
		if !errors.Is(errs[0], lido.ErrUnique) || !errors.Is(errs[1], lido.ErrUnique) || errs[2] != nil {
			t.Error(errs)
		}
		wantNames(t, db, "e", "d", "g")
		err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
			if err := run(ctx, tx, half, "h"); !errors.Is(err, lido.ErrUnique) {
				t.Error(err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		wantNames(t, db, "e", "d", "g", "h", "b")
	}
}
