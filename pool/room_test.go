package pool_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// room is how many frames of the WAL make the checkpointer make room.
const room = 16_000

var longName = strings.Repeat("x", 64<<10)

// lengthen writes until the WAL has so many frames.
func lengthen(t *testing.T, db *pool.DB, frames int) {
	t.Helper()
	for s := db.Stat(); s.WALFrames < frames; s = db.Stat() {
		if err := run(t.Context(), db, insertItem, fmt.Sprint(s.Writes, longName)); err != nil {
			t.Fatal(err)
		}
	}
}

// readLate has the WAL grow until room is to be made, and returns who is in the
// way: a reader that began after most of it was written.
func readLate(t *testing.T, db *pool.DB) lido.Stmt {
	t.Helper()
	addItems(t, db, "first", 3)
	before := stand(t, t.Context(), db)
	lengthen(t, db, room/2+1000)
	s := stand(t, t.Context(), db)
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	calls := 0
	eventually(t, "what the reader before kept is moved", func() bool {
		s := db.Stat()
		if calls++; calls%50 == 0 { // the checkpointer is told by who writes
			lengthen(t, db, s.WALFrames+1)
		}
		return s.WALMoved > room/2+500
	})
	lengthen(t, db, room)
	return s
}

// openSlowly opens a database whose checkpointer takes its time.
func openSlowly(t *testing.T, gap, gate time.Duration) *pool.DB {
	t.Helper()
	db, err := pool.OpenIn(t.Context(), filepath.Join(t.TempDir(), "test.db"), pool.Config{}, pool.Surroundings{GapTime: gap, GateTime: gate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	createItem(t, db)
	return db
}

func TestNoWriterWaitsForAReaderThatTakesLong(t *testing.T) {
	// reader                      checkpointer
	// stands on a row
	//                             waits until nobody reads, in vain
	// Close
	//                             the WAL begins anew
	db := openDB(t, pool.Config{CheckpointInterval: time.Hour})
	s := readLate(t, db)
	eventually(t, "it gives up", func() bool { return pool.NextRoom(db) > room })
	// Each of these takes the writer.
	if c := db.Stat().Checkpoints; c.Restart != 0 || c.Truncate != 0 || c.Full != 0 {
		t.Errorf("%+v", c)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	n := 0
	eventually(t, "the WAL begins anew", func() bool {
		n++
		addItems(t, db, fmt.Sprint("later", n, "-"), 10)
		return db.Stat().WALFrames < room/2
	})
}

func TestWhoReadsNextWaitsUntilTheWALBeginsAnew(t *testing.T) {
	// reader                      checkpointer                     writer
	// stands on a row
	//                             waits until nobody reads
	// Close, reads again
	//                             moves all
	// stands on a row
	//                                                              begins anew
	db := openSlowly(t, time.Hour, time.Hour)
	s := readLate(t, db)
	eventually(t, "it waits", func() bool { return pool.WaitsForAGap(db) })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = stand(t, t.Context(), db)
	if s := db.Stat(); s.Checkpoints.Restart != 1 || s.WALMoved != s.WALFrames {
		t.Errorf("%+v", s)
	}
	addItems(t, db, "later", 1)
	if s := db.Stat(); s.WALFrames > 100 {
		t.Errorf("%+v", s)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhoReadsBesideAnotherDoesNotWait(t *testing.T) {
	db := openSlowly(t, time.Hour, time.Hour)
	first := readLate(t, db)
	eventually(t, "it waits", func() bool { return pool.WaitsForAGap(db) })
	second := stand(t, t.Context(), db)
	if s := db.Stat(); !pool.WaitsForAGap(db) || s.Checkpoints.Restart != 0 {
		t.Errorf("%+v", s)
	}
	for _, s := range []lido.Stmt{first, second} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "all is moved", func() bool { return db.Stat().Checkpoints.Restart == 1 })
}

func TestAReaderThatWaitsForTheWALCanLeave(t *testing.T) {
	// reader                      writer                  checkpointer
	// stands on a row
	//                                                     waits until nobody reads
	//                             has the connection
	// Close, reads again
	//                                                     waits for the writer
	// the context ends
	//                             Release
	//                                                     the WAL begins anew
	db := openSlowly(t, time.Hour, time.Hour)
	s := readLate(t, db)
	eventually(t, "it waits", func() bool { return pool.WaitsForAGap(db) })
	w, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := db.PrepareRead(ctx, everyItem); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if s := db.Stat(); s.Readers.CanceledCount != 1 || s.Checkpoints.Restart != 0 {
		t.Errorf("%+v", s)
	}
	w.Release()
	eventually(t, "all is moved", func() bool { return db.Stat().Checkpoints.Restart == 1 })
}

func TestAReaderWaitsForTheWALNoLongerThanItShould(t *testing.T) {
	// reader                      writer                  checkpointer
	// stands on a row
	//                                                     waits until nobody reads
	//                             has the connection
	//                             another wants to checkpoint, and waits for it
	// Close, reads again
	//                                                     waits for the other
	// stands on a row
	db := openSlowly(t, time.Hour, time.Millisecond)
	s := readLate(t, db)
	eventually(t, "it waits", func() bool { return pool.WaitsForAGap(db) })
	w, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := make(chan error, 1)
	go func() {
		_, err := db.Checkpoint(context.Background(), sqlite.Passive)
		other <- err
	}()
	eventually(t, "the other waits", func() bool { return db.Stat().Writer.Waiting == 1 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = stand(t, t.Context(), db) // although the WAL cannot begin anew yet
	if c := db.Stat().Checkpoints; c.Restart != 0 {
		t.Errorf("%+v", c)
	}
	w.Release()
	if err := <-other; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestCommitsLeaveAWALThatAReaderKeepsToTheCheckpointer(t *testing.T) {
	db := openDB(t, pool.Config{WALAutocheckpointPages: 1000, CheckpointInterval: time.Hour})
	bound := func() (frames int64) {
		t.Helper()
		err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) (err error) {
			frames, err = c.QueryInt64(ctx, "PRAGMA wal_autocheckpoint")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return frames
	}
	addItems(t, db, "before", 3)
	s := stand(t, t.Context(), db)
	if n := bound(); n != 1000 {
		t.Errorf("%d frames", n)
	}
	lengthen(t, db, 600)
	if n := bound(); n != 0 {
		t.Errorf("commits checkpoint at %d frames beside a reader", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	n := 0
	eventually(t, "commits bound the WAL again", func() bool {
		n++
		addItems(t, db, fmt.Sprint("later", n, "-"), 1)
		return bound() == 1000
	})
}
