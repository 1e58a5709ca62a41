package pool_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lidodb/lido"
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
	eventually(t, "the WAL is cut", func() bool { return db.Stat().Checkpoints.Truncate > 0 })
	s := db.Stat()
	if c := s.Checkpoints; c.Passive == 0 || c.Truncate == 0 || c.Full != 0 || c.Failed != 0 || c.Pages == 0 ||
		c.Last.IsZero() || c.Time < c.LastTime || c.LastTime <= 0 || s.WALFrames != 0 || s.WALBytes != 0 {
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
	held, leave, left := make(chan struct{}), make(chan struct{}), make(chan error)
	err := db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "INSERT INTO item(name) VALUES('a'); INSERT INTO item(name) VALUES('b')")
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		left <- db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
			if err := run(ctx, tx, insertItem, "c"); err != nil {
				return err
			}
			close(held)
			<-leave
			return nil
		})
	}()
	<-held
	eventually(t, "all that was committed is moved", func() bool { s := db.Stat(); return s.WALFrames > 0 && s.WALMoved == s.WALFrames })
	if c := db.Stat().Checkpoints; c.Truncate != 0 || c.Passive == 0 {
		t.Errorf("%+v", c)
	}
	close(leave)
	if err := <-left; err != nil {
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
	//                             writes a little
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
	addItems(t, db, "later", 3)
	if s := db.Stat(); s.WALFrames > 100 {
		t.Errorf("%+v", s)
	}
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
