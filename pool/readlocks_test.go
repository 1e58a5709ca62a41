//go:build unix

package pool_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/pool"
)

// keepReading reads on n goroutines until stop is called.
func keepReading(t *testing.T, db *pool.DB, n int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := scalar(ctx, db, countItems); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

// keeps waits until read locks are kept, or, when nothing is read, until none
// is. One that is in use is not kept at that moment.
func keeps(t *testing.T, db *pool.DB, want bool) {
	t.Helper()
	what := "a lock is kept between reads"
	if !want {
		what = "no lock is kept"
	}
	eventually(t, what, func() bool { return (pool.KeptReadLocks(db) > 0) == want })
}

func TestReadLocksAreKeptWhileThereAreReadsAndNoLonger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	for _, cfg := range []pool.Config{{MaxReaders: 2}, {MaxReaders: 2, MmapBytes: -1}, {MaxReaders: 1, ReadOnly: true}} {
		t.Run(fmt.Sprintf("read-only %v, mmap %d", cfg.ReadOnly, cfg.MmapBytes), func(t *testing.T) {
			db := openDBAt(t, path, cfg)
			if !cfg.ReadOnly {
				addItems(t, db, fmt.Sprint(cfg.MmapBytes, " "), 3)
			}
			stop := keepReading(t, db, 1)
			keeps(t, db, true)
			if p := db.PinnedReaders(); len(p) > 0 {
				t.Errorf("nobody pins the WAL: %+v", p)
			}
			stop()
			keeps(t, db, false)
			stop = keepReading(t, db, 1)
			keeps(t, db, true)
			stop()
			if err := db.Close(t.Context()); err != nil { // with locks that are kept
				t.Error(err)
			}
			if n := pool.KeptReadLocks(db); n != 0 {
				t.Errorf("%d locks are kept after Close", n)
			}
		})
	}
}

func TestNoLockIsKeptThatCostsNothing(t *testing.T) {
	for name, db := range map[string]*pool.DB{
		"exclusive": openDB(t, pool.Config{Exclusive: true}),
		"in memory": openDBAt(t, pool.Memory, pool.Config{}),
	} {
		if pool.KeptReadLocks(db) >= 0 {
			t.Errorf("%s: somebody looks after its locks", name)
		}
	}
}

func TestTheWALBeginsAnewUnderSteadyReadsAndWrites(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2, WALAutocheckpointPages: 100})
	keepReading(t, db, 1)
	keeps(t, db, true)
	begun, last := 0, 0
	for deadline := time.Now().Add(20 * time.Second); begun < 5; {
		if time.Now().After(deadline) {
			t.Fatalf("the WAL began anew %d times in 20 s: %+v", begun, db.Stat())
		}
		if err := run(t.Context(), db, insertItem, time.Now().String()); err != nil {
			t.Fatal(err)
		}
		frames := db.Stat().WALFrames
		if frames < last {
			begun++
		}
		last = frames
	}
}

// Another process cuts the WAL:
//
//	this process               the other one
//	reads all the time
//	keeps its locks       ->   opens the file, writes, cuts the WAL
//	keeps none            <-   has the file open
//	keeps them again      <-   has closed it
//	reads no more
//	keeps none            ->   cuts the WAL at the first attempt
func TestAnotherProcessCutsTheWALUnderSteadyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := openDBAt(t, path, pool.Config{MaxReaders: 2, CheckpointInterval: -1})
	addItems(t, db, "a", 3)
	stop := keepReading(t, db, 1)
	keeps(t, db, true)
	_, out, end := startPeer(t, "cut", path)
	wantLine(t, out, "wrote <nil>")
	wantLine(t, out, "cut after")
	stop() // a lock that is in use counts as none; that of the only reader is not
	eventually(t, "no lock is kept while another process has the file", func() bool {
		for begin := time.Now(); time.Since(begin) < 200*time.Millisecond; { // some looks
			if _, err := scalar(t.Context(), db, countItems); err != nil {
				t.Fatal(err)
			}
			if pool.KeptReadLocks(db) > 0 {
				return false
			}
		}
		return true
	})
	end()
	wantLine(t, out, "closed <nil>")
	stop = keepReading(t, db, 1)
	keeps(t, db, true)
	stop()
	keeps(t, db, false)
	addItems(t, db, "b", 3)
	_, out, end = startPeer(t, "cut", path)
	wantLine(t, out, "wrote <nil>")
	wantLine(t, out, "cut after 1, <nil>")
	end()
	wantLine(t, out, "closed <nil>")
	if n := count(t, t.Context(), db); n != 8 {
		t.Errorf("%d items, want 8", n)
	}
}
