package pool_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// counted is what a Stat says of the work done.
type counted struct{ reads, writes, commits, rollbacks, statements int64 }

func countedIn(s pool.Stat) counted {
	return counted{s.Reads, s.Writes, s.Commits, s.Rollbacks, s.Statements}
}

func TestStatCountsEveryWayOfReadingAndWriting(t *testing.T) {
	ctx := t.Context()
	boom := errors.New("boom")
	write := func(fn func(tx lido.Tx) error) func(db *pool.DB) error {
		return func(db *pool.DB) error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return fn(tx) })
		}
	}
	byHand := func(sql ...string) func(db *pool.DB) error {
		return func(db *pool.DB) error {
			return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
				for _, sql := range sql {
					if err := c.Exec(ctx, sql); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	for _, test := range []struct {
		name  string
		do    func(db *pool.DB) error
		fails bool
		want  counted
	}{
		{"single read", func(db *pool.DB) error { _, err := scalar(ctx, db, countItems); return err }, false, counted{reads: 1, statements: 1}},
		{"read closure", func(db *pool.DB) error {
			return db.Read(ctx, func(ctx context.Context, r lido.Reader) error {
				_, err := scalar(ctx, r, countItems)
				_, err2 := scalar(ctx, r, countItems)
				return errors.Join(err, err2)
			})
		}, false, counted{reads: 1, statements: 2}},
		{"single write", func(db *pool.DB) error { return run(ctx, db, insertItem, "a") }, false, counted{writes: 1, commits: 1, statements: 1}},
		{"single write that fails", func(db *pool.DB) error { return run(ctx, db, insertItem) }, true, counted{writes: 1, rollbacks: 1, statements: 1}},
		{"write closure", write(func(tx lido.Tx) error {
			return errors.Join(run(ctx, tx, insertItem, "a"),
				tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "b") }))
		}), false, counted{writes: 1, commits: 1, statements: 2}},
		{"write closure without a write", write(func(lido.Tx) error { return nil }), false, counted{writes: 1, commits: 1}},
		{"write closure that fails", write(func(tx lido.Tx) error { return errors.Join(run(ctx, tx, insertItem, "a"), boom) }), true,
			counted{writes: 1, rollbacks: 1, statements: 1}},
		{"write closure that panics", func(db *pool.DB) (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			return write(func(tx lido.Tx) error { panic("boom") })(db)
		}, true, counted{writes: 1, rollbacks: 1}},
		{"transaction that the engine ends", write(func(tx lido.Tx) error {
			_ = run(ctx, tx, insertItem, "a")
			_ = run(ctx, tx, &lido.Query{Name: "Or", SQL: "INSERT OR ROLLBACK INTO item(name) VALUES(?1)"}, "a")
			return nil
		}), true, counted{writes: 1, rollbacks: 1, statements: 2}},
		{"batch", func(db *pool.DB) error {
			return db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "a") })
		}, false, counted{writes: 1, commits: 1, statements: 1}},
		{"batch that fails", func(db *pool.DB) error {
			return db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error { return boom })
		}, true, counted{writes: 1, rollbacks: 1}},
		{"by hand", byHand("INSERT INTO item(name) VALUES('a')", "BEGIN; INSERT INTO item(name) VALUES('b'); INSERT INTO item(name) VALUES('c')", "COMMIT"), false,
			counted{writes: 2, commits: 2}},
		{"by hand, rolled back", byHand("BEGIN; INSERT INTO item(name) VALUES('b'); ROLLBACK"), false, counted{writes: 1, rollbacks: 1}},
		{"by hand, left open", byHand("BEGIN; INSERT INTO item(name) VALUES('b')"), false, counted{writes: 1, rollbacks: 1}},
		{"by hand, nothing written", byHand("BEGIN IMMEDIATE; ROLLBACK", "BEGIN IMMEDIATE; COMMIT", "SELECT 1"), false, counted{}},
		{"by hand, then typed", func(db *pool.DB) error {
			return errors.Join(byHand("INSERT INTO item(name) VALUES('a')")(db), run(ctx, db, insertItem, "b"))
		}, false, counted{writes: 2, commits: 2, statements: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := openDB(t, pool.Config{})
			before := db.Stat()
			if err := test.do(db); (err != nil) != test.fails {
				t.Fatal(err)
			}
			after := db.Stat()
			b, a := countedIn(before), countedIn(after)
			got := counted{a.reads - b.reads, a.writes - b.writes, a.commits - b.commits, a.rollbacks - b.rollbacks, a.statements - b.statements}
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if moved := after.LastCommit.After(before.LastCommit); moved != (test.want.commits > 0) {
				t.Errorf("LastCommit moved: %v", moved)
			}
		})
	}
}

func TestStatCountsBusyWaitsOfConnectionsThatAreGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := openDBAt(t, path, pool.Config{BusyTimeout: 20 * time.Millisecond})
	other, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Begin(t.Context(), sqlite.Immediate); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), db, insertItem, "a"); !errors.Is(err, lido.ErrBusy) {
		t.Fatal(err)
	}
	waits := db.Stat().BusyWaits
	if waits == 0 {
		t.Error("none counted")
	}
	w, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.Destroy(nil)
	if got := db.Stat().BusyWaits; got != waits {
		t.Errorf("%d, want %d", got, waits)
	}
}

func TestStatTellsPoisonedFromRecycled(t *testing.T) {
	db := openDB(t, pool.Config{MaxLifetime: 1, LifetimeJitter: 1, IdleTimeout: -1})
	before := db.Stat()
	// One that its borrower changed is neither.
	if err := db.WithReader(t.Context(), func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, "PRAGMA cache_size=-100") }); err != nil {
		t.Fatal(err)
	}
	if _, err := scalar(t.Context(), db, countItems); err != nil {
		t.Fatal(err)
	}
	// A file that somebody cut off is in fault_test.go.
	if s := db.Stat(); s.Recycled != before.Recycled+1 || s.Poisoned != 0 || s.Readers.Destroyed.Invalid != 1 {
		t.Errorf("%+v", s)
	}
}

// TestStatHoldsItsInvariantsUnderLoad takes snapshots while everything moves.
func TestStatHoldsItsInvariantsUnderLoad(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 3})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var n atomic.Int64
	name := func() string { return fmt.Sprint(n.Add(1)) }
	for _, work := range []func(){
		func() { _ = run(ctx, db, insertItem, name()) },
		func() { _ = run(ctx, db, insertItem, name()) },
		func() { _ = run(ctx, db, insertItem, name()) },
		func() { _ = run(ctx, db, insertItem, "taken") },
		func() { _, _ = scalar(ctx, db, countItems) },
		func() {
			_ = db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
				_ = run(ctx, tx, insertItem, name())
				return errors.New("no")
			})
		},
		func() {
			_ = db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
				return c.Exec(ctx, "BEGIN; INSERT INTO item(name) VALUES('"+name()+"'); COMMIT")
			})
		},
		func() {
			c, err := db.AcquireReader(ctx)
			if err == nil {
				c.Destroy(nil)
			}
		},
	} {
		wg.Go(func() {
			for ctx.Err() == nil {
				work()
			}
		})
	}
	var last pool.Stat
	deadline := time.Now().Add(10 * time.Second)
	for i := 0; i < 500 || last.Groups == 0 || last.Reads < 100 || last.Readers.Destroyed.Broken < 10; i++ {
		if time.Now().After(deadline) {
			cancel()
			wg.Wait()
			t.Fatalf("after 10 s the load is still none: %+v", last)
		}
		runtime.Gosched()
		s := db.Stat()
		if s.Commits+s.Rollbacks > s.Writes {
			t.Errorf("%d commits and %d rollbacks, but %d writes", s.Commits, s.Rollbacks, s.Writes)
		}
		if s.Grouped < 2*s.Groups {
			t.Errorf("%d writes in %d groups", s.Grouped, s.Groups)
		}
		for _, p := range []pool.PoolStat{s.Readers, s.Writer} {
			if p.InUse+p.Idle+p.Constructing > p.Max || p.Waiting < 0 || p.EmptyAcquireCount > p.AcquireCount || p.Destroyed.Total() > p.Created {
				t.Errorf("%+v", p)
			}
		}
		for name, v := range map[string][2]int64{
			"Reads": {last.Reads, s.Reads}, "Writes": {last.Writes, s.Writes}, "Commits": {last.Commits, s.Commits},
			"Rollbacks": {last.Rollbacks, s.Rollbacks}, "Statements": {last.Statements, s.Statements},
			"QueueWaits": {last.QueueWaits, s.QueueWaits}, "QueueWait": {int64(last.QueueWait), int64(s.QueueWait)},
			"Recycled": {last.Recycled, s.Recycled}, "Poisoned": {last.Poisoned, s.Poisoned}, "BusyWaits": {last.BusyWaits, s.BusyWaits},
			"AcquireCount": {last.Readers.AcquireCount, s.Readers.AcquireCount}, "Created": {last.Readers.Created, s.Readers.Created},
			"Destroyed": {last.Readers.Destroyed.Total(), s.Readers.Destroyed.Total()}, "LastCommit": {last.LastCommit.UnixNano(), s.LastCommit.UnixNano()},
		} {
			if v[1] < v[0] {
				t.Errorf("%s went from %d to %d", name, v[0], v[1])
			}
		}
		last = s
	}
	cancel()
	wg.Wait()
	// What was being opened for those who have gone becomes idle.
	waitUntil(t, func() bool { s := db.Stat(); return s.Readers.InUse+s.Readers.Constructing+s.Writer.InUse == 0 })
	if s := db.Stat(); s.Commits+s.Rollbacks != s.Writes || s.Queued != 0 {
		t.Errorf("at rest: %+v", s)
	}
}

func TestStatCountsTheWaitForTheGroup(t *testing.T) {
	db := openDB(t, pool.Config{})
	if err := run(t.Context(), db, insertItem, "alone"); err != nil {
		t.Fatal(err)
	}
	if s := db.Stat(); s.QueueWaits != 0 || s.QueueWait != 0 {
		t.Errorf("nobody had to wait: %d, %v", s.QueueWaits, s.QueueWait)
	}
	if err := errors.Join(together(t, db, inserts(db, insertItem, "a"), inserts(db, insertItem, "b"), inserts(db, insertItem, "c"))...); err != nil {
		t.Fatal(err)
	}
	if s := db.Stat(); s.QueueWaits != 2 || s.QueueWait <= 0 { // the first leads
		t.Errorf("%d, %v", s.QueueWaits, s.QueueWait)
	}
}
