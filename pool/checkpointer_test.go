package pool_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/faultvfs"
	"github.com/lidodb/lido/internal/seam"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// after waits for so long, while the machine does other things.
func after(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

func TestTheWALBeginsAnewUnderASteadyWriterAndIsCutWhenAllIsQuiet(t *testing.T) {
	db := openDB(t, pool.Config{WALAutocheckpointPages: 100, CheckpointInterval: 20 * time.Millisecond})
	begun, last, n := 0, 0, 0
	for deadline := time.Now().Add(20 * time.Second); begun < 10; n++ {
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
	eventually(t, "the WAL is cut", func() bool { // after the last write: the loop may have paused for long enough too
		s := db.Stat()
		return s.Checkpoints.Truncate > 0 && s.WALFrames == 0 && s.WALBytes == 0
	})
	s := db.Stat()
	if c := s.Checkpoints; c.Passive == 0 || c.Full != 0 || c.Failed != 0 || c.Pages == 0 ||
		c.Last.IsZero() || c.Time < c.LastTime || c.LastTime <= 0 {
		t.Errorf("%+v", s)
	}
	if got := count(t, t.Context(), db); got != int64(n) {
		t.Errorf("%d items of %d", got, n)
	}
	// Once is enough.
	truncates := s.Checkpoints.Truncate
	after(100 * time.Millisecond)
	if c := db.Stat().Checkpoints; c.Truncate != truncates {
		t.Errorf("an empty WAL was cut %d times more", c.Truncate-truncates)
	}
}

func TestTheCheckpointerWorksBesideAWriterThatHoldsTheLock(t *testing.T) {
	db := openDB(t, pool.Config{CheckpointInterval: 10 * time.Millisecond})
	ctx := t.Context()
	c, err := db.AcquireWriter(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	before := db.Stat().Checkpoints // nothing is cut from here on
	if err := c.Exec(ctx, "INSERT INTO item(name) VALUES('a'); BEGIN IMMEDIATE; INSERT INTO item(name) VALUES('b')"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all that was committed is moved", func() bool {
		s := db.Stat()
		return s.WALFrames > 0 && s.WALMoved == s.WALFrames && s.Checkpoints.Passive > before.Passive
	})
	if c := db.Stat().Checkpoints; c.Truncate != before.Truncate {
		t.Errorf("%+v", c)
	}
	if err := c.Commit(); err != nil {
		t.Error(err)
	}
}

func TestTheWALIsNotCutWhileAReaderIsInUse(t *testing.T) {
	const interval = 5 * time.Millisecond
	db := openDB(t, pool.Config{CheckpointInterval: interval})
	c, err := db.AcquireReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	addItems(t, db, "item", 20)
	eventually(t, "all is moved", func() bool { s := db.Stat(); return s.WALMoved == s.WALFrames })
	after(20 * interval)
	if s := db.Stat(); s.WALBytes == 0 || s.Checkpoints.Truncate != 0 {
		t.Errorf("%+v", s)
	}
	c.Release()
	eventually(t, "the WAL is cut", func() bool { return db.Stat().WALBytes == 0 })
}

func TestAReaderThatPinsTheWALDoesNotKeepTheCheckpointerBusy(t *testing.T) {
	// reader                      writer             checkpointer
	// stands on a row
	//                             writes a lot       tries, less and less often
	// Close
	//                             writes a little    moves all of it
	//                             writes on
	//                                                the WAL begins anew
	db := openDB(t, pool.Config{WALAutocheckpointPages: 1000, CheckpointInterval: time.Hour})
	addItems(t, db, "before", 3)
	s := stand(t, t.Context(), db)
	addItems(t, db, "after", 700)
	eventually(t, "the checkpointer has tried", func() bool { return db.Stat().Checkpoints.Busy > 0 })
	st := db.Stat()
	if st.WALFrames < 1000 || st.WALMoved > 500 {
		t.Fatalf("%+v: nothing is pinned", st)
	}
	// At 250, and at twice of what was left each time.
	if c := st.Checkpoints; c.Passive > 4 || c.Busy != c.Passive || c.Truncate != 0 {
		t.Errorf("%+v", c)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	n := 0
	eventually(t, "the WAL begins anew", func() bool {
		n++
		addItems(t, db, fmt.Sprint("later", n, "-"), 1)
		return db.Stat().WALFrames < 500
	})
}

func TestCheckpointsCanBeLeftToOthers(t *testing.T) {
	db := openDB(t, pool.Config{WALAutocheckpointPages: -1, CheckpointInterval: 2 * time.Millisecond})
	addItems(t, db, "item", 50)
	after(50 * time.Millisecond)
	if s := db.Stat(); s.WALFrames < 50 || s.WALMoved != 0 || s.Checkpoints != (pool.CheckpointStat{}) {
		t.Errorf("%+v", s)
	}
	// That is not to say that nobody may.
	if res, err := db.Checkpoint(t.Context(), sqlite.Full); err != nil || res.MovedFrames != res.WALFrames {
		t.Error(res, err)
	}
	if s := db.Stat(); s.Checkpoints.Full != 1 || s.Checkpoints.Pages != int64(s.WALFrames) || s.WALMoved != s.WALFrames {
		t.Errorf("%+v", s)
	}
}

func TestWithoutACheckpointerCommitsMoveTheWAL(t *testing.T) {
	db := openDB(t, pool.Config{WALAutocheckpointPages: 10, CheckpointInterval: -1})
	addItems(t, db, "item", 50)
	if s := db.Stat(); s.WALFrames > 20 || s.Checkpoints != (pool.CheckpointStat{}) {
		t.Errorf("%+v", s)
	}
}

func TestACheckpointWaitsForTheOneThatRuns(t *testing.T) {
	// The checkpointer is at work nearly all the time; a checkpoint that met its
	// own would answer that it was busy, and have moved nothing.
	db := openDB(t, pool.Config{WALAutocheckpointPages: 4, CheckpointInterval: time.Millisecond})
	for i := range 100 {
		addItems(t, db, fmt.Sprint(i, "-"), 3)
		if res, err := db.Checkpoint(t.Context(), sqlite.Passive); err != nil || res.Busy || res.MovedFrames != res.WALFrames {
			t.Fatalf("%+v %v", res, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Checkpoint(ctx, sqlite.Passive); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
		_, err := db.Checkpoint(ctx, sqlite.Passive)
		return err
	})
	if !errors.Is(err, lido.ErrNested) {
		t.Error(err)
	}
}

// alwaysRead keeps a read under way from now on: a snapshot that lasts as long as
// given, and the next one begins before it ends. It stops at the end of the test.
func alwaysRead(t *testing.T, db *pool.DB, each time.Duration) (stop func()) {
	t.Helper()
	begin := func() *pool.Conn {
		c, err := db.AcquireReader(context.Background())
		if err == nil {
			err = c.Exec(context.Background(), "BEGIN; SELECT * FROM item LIMIT 1")
		}
		if err == nil {
			return c
		}
		t.Error(err)
		return nil
	}
	end := func(c *pool.Conn) {
		if err := c.Rollback(); err != nil {
			t.Error(err)
		}
		c.Release()
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		held := begin()
		for held != nil {
			after(each)
			select {
			case <-quit:
				end(held)
				return
			default:
			}
			next := begin()
			end(held)
			held = next
		}
	}()
	stop = sync.OnceFunc(func() { close(quit); <-ended })
	t.Cleanup(stop)
	return stop
}

func TestReadersThatOverlapWithoutAGapDoNotMakeTheWALGrow(t *testing.T) {
	var log logbook
	db := openDB(t, pool.Config{Logger: log.logger()})
	addItems(t, db, "first", 1)
	stop := alwaysRead(t, db, 5*time.Millisecond)
	long, most := strings.Repeat("x", 64<<10), 0
	for i, written := 0, 0; written < 6*room; i++ {
		if err := run(t.Context(), db, insertItem, fmt.Sprint(i, long)); err != nil {
			t.Fatal(err)
		}
		written += 2 * len(long) / 4096 // the row and its entry in the index
		most = max(most, db.Stat().WALFrames)
	}
	stop()
	// At 16,000 frames; and up to four times as many, should the machine have been
	// too busy to end a read in time.
	if s := db.Stat(); most < room || most > 9*room/2 || s.Checkpoints.Restart == 0 || s.Checkpoints.Failed != 0 {
		t.Errorf("the WAL had up to %d frames: %+v", most, s.Checkpoints)
	}
	if lines := log.lines(); len(lines) > 0 {
		t.Error(lines)
	}
}

func TestACheckpointThatKeepsFailingIsLoggedOnce(t *testing.T) {
	var log logbook
	disk := faultvfs.NewDisk()
	defer disk.Forget()
	db, err := pool.Open(seam.With(t.Context(), onDisk{disk}), filepath.Join(t.TempDir(), "test.db"), pool.Config{
		Logger: log.logger(), CheckpointInterval: 5 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	createItem(t, db)
	armed := disk.Add(faultvfs.Rule{Ops: faultvfs.Write, Files: faultvfs.Main, Code: 13})
	// Whether moving or emptying the WAL is what fails first.
	logged := func() int { return len(log.lines("checkpoint: ")) }
	for n := range 3 {
		addItems(t, db, fmt.Sprint(n, "-"), 1)
		failed := db.Stat().Checkpoints.Failed
		eventually(t, "it is tried again", func() bool { return db.Stat().Checkpoints.Failed >= failed+5 })
		if logged() != n+1 {
			t.Errorf("logged %d times, want %d", logged(), n+1)
		}
		armed.Remove()
		eventually(t, "all is moved", func() bool { s := db.Stat(); return s.WALMoved == s.WALFrames })
		armed = disk.Add(armed.Rule)
	}
	armed.Remove()
}

func TestACheckpointThatFailsIsNotTriedAgainAfterEveryWrite(t *testing.T) {
	disk := faultvfs.NewDisk()
	defer disk.Forget()
	db, err := pool.Open(seam.With(t.Context(), onDisk{disk}), filepath.Join(t.TempDir(), "test.db"), pool.Config{CheckpointInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	createItem(t, db)
	armed := disk.Add(faultvfs.Rule{Ops: faultvfs.Write, Files: faultvfs.Main, Code: 13})
	defer armed.Remove()
	addItems(t, db, strings.Repeat("x", 64<<10), 40) // 1300 pages, of which 1000 make it begin
	eventually(t, "it is tried", func() bool { return db.Stat().Checkpoints.Failed > 0 })
	for i := range 50 {
		addItems(t, db, fmt.Sprint(i, "-"), 1)
		after(time.Millisecond)
	}
	if s := db.Stat(); s.Checkpoints.Failed != 1 || s.WALFrames < 1000 {
		t.Errorf("%+v", s)
	}
}
