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
)

// walMax is the least bound of the WAL, in bytes, and in frames of 4096 bytes.
const walMax, walMaxFrames = 1 << 20, 256

// fill writes until the WAL is at its bound, and returns the error of the write
// that found it there.
func fill(t *testing.T, ctx context.Context, db *pool.DB) error {
	t.Helper()
	for i := range 4 * walMaxFrames {
		if err := run(ctx, db, insertItem, fmt.Sprint("fill", i, strings.Repeat("x", 4096))); err != nil {
			return err
		}
	}
	t.Fatalf("the WAL has no bound: %+v", db.Stat())
	return nil
}

func TestWALMax_readerThatDoesNotEndMakesWritesFailAndIsNamed(t *testing.T) {
	// reader                      writer
	// stands on a row
	//                             writes until the bound
	//                             ErrBusy after BusyTimeout
	// Close
	//                             writes again, the WAL restarts
	var log logbook
	db := openDB(t, pool.Config{WALMaxBytes: walMax, BusyTimeout: 30 * time.Millisecond, Logger: log.logger()})
	addItems(t, db, "first", 3)
	s := stand(t, t.Context(), db)
	err := fill(t, t.Context(), db)
	if !errors.Is(err, lido.ErrBusy) || !strings.Contains(err.Error(), "WALMaxBytes") || !strings.Contains(err.Error(), "walmax_test.go") {
		t.Error(err)
	}
	if n := db.Stat().WALFrames; n < walMaxFrames || n > walMaxFrames+20 {
		t.Errorf("the WAL has %d frames, the bound is %d", n, walMaxFrames)
	}
	for range 3 {
		if err := run(t.Context(), db, insertItem, "refused"); !errors.Is(err, lido.ErrBusy) {
			t.Error(err)
		}
	}
	err = db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error { return nil })
	if !errors.Is(err, lido.ErrBusy) {
		t.Error(err)
	}
	if n := len(log.lines("writes wait")); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
	count(t, t.Context(), db) // reads do not wait
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	addItems(t, db, "later", 3)
	if s := db.Stat(); s.WALFrames > walMaxFrames/2 || s.WALWaits == 0 {
		t.Errorf("%+v", s)
	}
}

func TestWALMax_writeWaitsUntilTheReaderHasEnded(t *testing.T) {
	db := openDB(t, pool.Config{WALMaxBytes: walMax, BusyTimeout: time.Hour})
	addItems(t, db, "first", 3)
	s := stand(t, t.Context(), db)
	filled := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { filled <- fill(t, ctx, db) }()
	eventually(t, "a write waits", func() bool { return db.Stat().WALWaits > 0 })

	// Both of these are behind it in the queue, and are answered why.
	behind, leave := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer leave()
	write := func(context.Context, lido.Tx) error { return nil }
	for name, err := range map[string]error{
		"single": run(behind, db, insertItem, "behind"), "closure": db.Write(behind, write), "batch": db.Batch(behind, write),
	} {
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "WALMaxBytes") {
			t.Error(name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "writes go on", func() bool { return db.Stat().WALFrames < walMaxFrames/2 })
	// The loop goes on now and meets no other reader.
	cancel()
	if err := <-filled; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestWALMax_callerWhoseContextEndsGetsTheReason(t *testing.T) {
	db := openDB(t, pool.Config{WALMaxBytes: walMax, BusyTimeout: time.Hour})
	addItems(t, db, "first", 3)
	s := stand(t, t.Context(), db)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for tick := time.NewTicker(time.Millisecond); db.Stat().WALWaits == 0; {
			<-tick.C
		}
	}()
	err := fill(t, ctx, db)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "WALMaxBytes") || !strings.Contains(err.Error(), "walmax_test.go") {
		t.Error(err)
	}
}

func TestWALMax_readsThatOverlapDoNotMakeTheWALLonger(t *testing.T) {
	// Two chains of reads: there is always one under way that began before the last
	// commit. Writes wait for them and none fails.
	db := openDB(t, pool.Config{WALMaxBytes: walMax, BusyTimeout: time.Hour, MaxReaders: 4})
	addItems(t, db, "first", 3)
	stops := []func(){alwaysRead(t, db, 40*time.Millisecond), alwaysRead(t, db, 30*time.Millisecond)}
	most := 0
	for i := range 2000 {
		if err := run(t.Context(), db, insertItem, fmt.Sprint(i, strings.Repeat("x", 4096))); err != nil {
			t.Fatal(err)
		}
		most = max(most, db.Stat().WALFrames)
	}
	for _, stop := range stops {
		stop()
	}
	if s := db.Stat(); most > walMaxFrames+20 || s.WALWaits == 0 {
		t.Errorf("the WAL had up to %d frames, the bound is %d: %+v", most, walMaxFrames, s)
	}
}

func TestWAL_readsOfAnyLengthThatOverlapDoNotMakeItGrow(t *testing.T) {
	// Room is made from 1000 frames on, where writers wait for 15 ms; reads take
	// longer.
	db, err := pool.OpenIn(t.Context(), filepath.Join(t.TempDir(), "test.db"),
		pool.Config{WALAutocheckpointPages: 250, WALMaxBytes: -1, MaxReaders: 4}, pool.Surroundings{RoomFrames: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	createItem(t, db)
	addItems(t, db, "first", 3)
	stops := []func(){alwaysRead(t, db, 150*time.Millisecond), alwaysRead(t, db, 200*time.Millisecond)}
	long, most := strings.Repeat("x", 64<<10), 0
	for i := range 2000 {
		if err := run(t.Context(), db, insertItem, fmt.Sprint(i, long)); err != nil {
			t.Fatal(err)
		}
		most = max(most, db.Stat().WALFrames)
	}
	for _, stop := range stops {
		stop()
	}
	// Some 200 ms are waited for from 4000 frames on.
	if s := db.Stat(); most > 40_000 || s.Checkpoints.Restart == 0 {
		t.Errorf("the WAL had up to %d frames of some 64,000: %+v", most, s)
	}
	t.Logf("up to %d frames, restarted %d times", most, db.Stat().Checkpoints.Restart)
}
