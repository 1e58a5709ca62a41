//go:build unix

package pool_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// wantLocked checks that no other process can open path.
func wantLocked(t *testing.T, path string) {
	t.Helper()
	for way, err := range peerTries(t, path) {
		want := "Config.Exclusive"
		if way == "connection" {
			want = "database is locked"
		}
		if !strings.Contains(err, want) {
			t.Errorf("another process, %s: %s", way, err)
		}
	}
}

func TestNoOtherProcessOpensAFileThatIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	// The writer and the readers are closed whenever they are free.
	db := openDBAt(t, path, pool.Config{MaxReaders: 2, Exclusive: true, MaxLifetime: time.Nanosecond})
	ctx := t.Context()
	wantLocked(t, path)
	err := db.Read(ctx, func(inner context.Context, r lido.Reader) error { // a reader outlives the writer
		if err := run(ctx, db, insertItem, "a"); err != nil {
			return err
		}
		if n := count(t, inner, r); n != 0 {
			t.Errorf("the snapshot sees %d rows of a later write", n)
		}
		if n := count(t, ctx, db); n != 1 {
			t.Errorf("another reader sees %d rows", n)
		}
		wantLocked(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := db.Stat(); s.Readers.InUse+s.Readers.Idle+s.Writer.InUse+s.Writer.Idle != 0 {
		t.Errorf("connections are kept: %+v", s)
	}
	wantLocked(t, path)

	// Somebody in this process opens and closes the file.
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	c, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.QueryInt64(ctx, countItems.SQL); n != 1 || err != nil {
		t.Error(n, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantLocked(t, path)

	copyTo(t, db, filepath.Join(t.TempDir(), "copy.db"))
	if _, err := os.Stat(path + "-shm"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a -shm: %v", err)
	}
	if res, err := db.Checkpoint(ctx, sqlite.Truncate); err != nil || res.Busy {
		t.Errorf("%+v %v", res, err)
	}
	if err := db.Close(ctx); err != nil {
		t.Fatal(err)
	}
	for way, err := range peerTries(t, path) {
		if err != "<nil>" {
			t.Errorf("after Close, %s: %s", way, err)
		}
	}
}

func TestAFileThatAnotherProcessHasOpenIsNotOpenedExclusively(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	_, out, end := startPeer(t, "hold", path)
	wantLine(t, out, "open <nil>")
	_, err := pool.Open(t.Context(), path, pool.Config{Exclusive: true, BusyTimeout: 30 * time.Millisecond})
	if !errors.Is(err, lido.ErrBusy) || !strings.Contains(err.Error(), "another process has the file open, and Config.Exclusive") {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := pool.Open(ctx, path, pool.Config{Exclusive: true, BusyTimeout: time.Hour}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}

	// Open waits for it to go.
	opened := make(chan error)
	var db *pool.DB
	go func() {
		var err error
		db, err = pool.Open(t.Context(), path, pool.Config{Exclusive: true, BusyTimeout: time.Minute})
		opened <- err
	}()
	end()
	wantLine(t, out, "closed <nil>")
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	wantLocked(t, path)
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatAnExclusiveProcessAcknowledgedIsThereAfterItWasKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := openDBAt(t, path, pool.Config{}).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cmd, out, _ := startPeer(t, "write", path)
	for range 200 {
		if !out.Scan() {
			t.Fatal(out.Err())
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	last := 199
	for out.Scan() {
		n, err := strconv.Atoi(out.Text())
		if err != nil {
			t.Fatal(out.Text())
		}
		last = n
	}
	for _, exclusive := range []bool{false, true} {
		db := openDBAt(t, path, pool.Config{Exclusive: exclusive})
		if n := count(t, t.Context(), db); n < int64(last+1) {
			t.Errorf("exclusive %v: %d rows, %d were acknowledged", exclusive, n, last+1)
		}
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFailedOpenGivesUpItsHoldOnTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	boom := errors.New("boom")
	var kept *pool.Conn
	_, err := pool.Open(t.Context(), path, pool.Config{Exclusive: true, Prepare: func(ctx context.Context, db *pool.DB) (err error) {
		kept, err = db.AcquireReader(ctx)
		return errors.Join(err, boom)
	}})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	kept.Release()
	for way, err := range peerTries(t, path) {
		if err != "<nil>" {
			t.Errorf("%s: %s", way, err)
		}
	}
}

func TestExclusiveIsRefusedWhereItCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if _, err := pool.OpenIn(t.Context(), path, pool.Config{Exclusive: true}, pool.Surroundings{NoExclusive: true}); err == nil || !strings.Contains(err.Error(), "Exclusive is set, which SQLite does not offer on") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was made")
	}
}
