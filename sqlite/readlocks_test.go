//go:build unix

package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/internal/emulator"
	"github.com/lidodb/lido/sqlite"
)

// lockers are connections that share their read locks.
type lockers struct {
	t     *testing.T
	path  string
	locks *sqlite.ReadLocks
	w     *sqlite.Conn
}

// newLockers opens the writer of a database with some frames in its WAL.
func newLockers(t *testing.T) *lockers {
	l := &lockers{t: t, path: filepath.Join(t.TempDir(), "test.db"), locks: sqlite.NewReadLocks()}
	t.Cleanup(l.locks.Close)
	l.w = openAt(t, l.path, sqlite.Options{Create: true, ReadLocks: l.locks, Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "0"},
	}})
	exec(t, l.w, "CREATE TABLE t(a)")
	return l
}

func (l *lockers) open() *sqlite.Conn {
	return openAt(l.t, l.path, sqlite.Options{ReadOnly: true, ReadLocks: l.locks})
}

// stranger opens a connection that shares nothing.
func (l *lockers) stranger() *sqlite.Conn {
	return openAt(l.t, l.path, sqlite.Options{BusyTimeout: -1})
}

func (l *lockers) read(c *sqlite.Conn, want int64) {
	l.t.Helper()
	if n, err := c.QueryInt64(context.Background(), "SELECT count(*) FROM t"); n != want || err != nil {
		l.t.Fatalf("%d rows, want %d (%v)", n, want, err)
	}
}

func (l *lockers) look(again bool) {
	l.t.Helper()
	if l.locks.Look() != again {
		l.t.Fatalf("Look reports %v", !again)
	}
}

// kept checks how many locks are kept.
func (l *lockers) kept(want int) {
	l.t.Helper()
	if n := l.locks.Kept(); n != want {
		l.t.Fatalf("%d locks are kept, want %d", n, want)
	}
}

// truncate checks whether c can cut the WAL, without waiting.
func (l *lockers) truncate(c *sqlite.Conn, want bool) {
	l.t.Helper()
	c.LimitTime(time.Nanosecond) // of waits
	defer c.LimitTime(0)
	res, err := c.Checkpoint(context.Background(), sqlite.Truncate)
	if err != nil || res.Busy == want {
		l.t.Fatalf("TRUNCATE: %+v, %v", res, err)
	}
}

func TestALockIsKeptBetweenReadsButNotFromTheConnectionsThatShareIt(t *testing.T) {
	l := newLockers(t)
	r, other := l.open(), l.open()
	woken := func() bool {
		select {
		case <-l.locks.Wake():
			return true
		default:
			return false
		}
	}
	for n := 1; !woken(); n++ {
		if n == 100 {
			t.Fatal("nobody is woken by 100 reads")
		}
		l.read(r, 0)
		l.kept(0)
	}
	l.look(true)
	l.read(r, 0)
	l.kept(1)
	if s, ok := r.WALState(); !ok || s.Reading || s.Pinned != 0 {
		t.Errorf("%+v, but nothing is read", s)
	}
	exec(t, r, "BEGIN; SELECT * FROM t")
	l.kept(0)
	if s, _ := r.WALState(); !s.Reading {
		t.Errorf("%+v of a reader", s)
	}
	l.truncate(l.w, false)
	exec(t, r, "COMMIT")
	l.read(other, 0)
	l.kept(2)

	// The lock is there for those who share nothing, and not for the others.
	stranger := l.stranger()
	l.truncate(stranger, false)
	l.kept(2)
	l.truncate(l.w, true)
	l.kept(1) // of the other, which by then read the database file alone

	// With an empty WAL the lock is another one.
	if err := stranger.Close(); err != nil {
		t.Fatal(err)
	}
	l.read(r, 0)
	l.read(other, 0)
	l.kept(2)
	exec(t, l.w, "INSERT INTO t VALUES(1)")
	if res, err := l.w.Checkpoint(t.Context(), sqlite.Passive); err != nil || res.WALFrames == 0 || res.MovedFrames != res.WALFrames {
		t.Errorf("PASSIVE: %+v, %v", res, err)
	}
	l.read(r, 1)
	l.read(other, 1)

	// A reader lets go of the lock it kept, on the file alone, when it needs
	// another. The other keeps its own.
	l.kept(2)
	exec(t, l.w, "INSERT INTO t VALUES(1)")
	exec(t, r, "BEGIN; SELECT * FROM t")
	l.kept(1)
	exec(t, r, "COMMIT")

	// The WAL begins anew although marks in it are kept.
	for i := range int64(50) {
		exec(t, l.w, "INSERT INTO t VALUES(1)")
		l.read(r, i+3)
		l.read(other, i+3)
		if i%10 == 0 {
			if _, err := l.w.Checkpoint(t.Context(), sqlite.Passive); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s, _ := l.w.WALState(); s.Frames > 20 {
		t.Errorf("%d frames: the WAL did not begin anew", s.Frames)
	}
}

func TestNoLockIsKeptForLongWhenNothingIsReadOrSomebodyElseHasTheFile(t *testing.T) {
	l := newLockers(t)
	r, other := l.open(), l.open()
	keeping := func() {
		t.Helper()
		l.read(r, 0)
		l.look(true)
		l.read(r, 0)
		l.read(other, 0)
		l.kept(2)
	}
	keeping()
	// Each connection has its own rest.
	l.look(true)
	l.read(r, 0)
	l.look(true)
	l.kept(1)
	l.look(false)
	l.kept(0)
	l.read(r, 0)
	l.kept(0)

	keeping()
	stranger := l.stranger()
	l.truncate(stranger, false)
	l.look(true)
	l.kept(0)
	l.truncate(stranger, true)
	l.read(r, 0)
	l.look(true)
	l.read(r, 0)
	l.kept(0)
	l.truncate(stranger, true)
	if err := stranger.Close(); err != nil {
		t.Fatal(err)
	}

	keeping()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	l.kept(1)
	l.locks.Close()
	l.locks.Close()
	l.kept(0)
	l.read(other, 0)
	l.look(false)
	l.kept(0)
	l.truncate(l.stranger(), true)
}

func TestALockThatIsKeptGoesWithItsConnectionAndItsWAL(t *testing.T) {
	l := newLockers(t)
	for range 3 {
		r := l.open()
		l.read(r, 0)
		l.look(true)
		l.read(r, 0)
		l.kept(1)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		l.kept(0)
		stranger := l.stranger()
		l.truncate(stranger, true)
		if err := stranger.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// The last one leaves the WAL, and comes back to it.
	for range 3 {
		l.read(l.w, 0)
		l.look(true)
		l.read(l.w, 0)
		l.kept(1)
		exec(t, l.w, "PRAGMA journal_mode=DELETE")
		l.kept(0)
		l.look(true)
		l.read(l.w, 0)
		l.kept(0)
		exec(t, l.w, "PRAGMA journal_mode=WAL")
	}
	if err := l.w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(l.path + suffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", suffix, err)
		}
	}
}

func TestAFaultGivesUpALockThatIsKept(t *testing.T) {
	emulator.NeedFaultAddress(t)
	l := newLockers(t)
	exec(t, l.w, "DROP TABLE t; "+fill)
	l.truncate(l.w, true)
	opt := sqlite.Options{ReadOnly: true, ReadLocks: l.locks, Pragmas: []sqlite.Pragma{{Name: "mmap_size", Value: "268435456"}, {Name: "cache_size", Value: "10"}}}
	r := openAt(t, l.path, opt)
	const sum = "SELECT sum(length(x)) FROM t"
	for range 2 {
		if _, err := r.QueryInt64(t.Context(), sum); err != nil {
			t.Fatal(err)
		}
		l.look(true)
	}
	l.read(r, 2000)
	l.kept(1)
	image, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(l.path, 8192); err != nil {
		t.Fatal(err)
	}
	if _, err := r.QueryInt64(t.Context(), sum); !errors.Is(err, sqlite.ErrFault) {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	l.kept(0)
	exec(t, l.w, "INSERT INTO t(x) VALUES('after')")
	l.look(true)
	l.truncate(l.stranger(), true)
	// The engine still counts the connection among those that have the file.
	l.read(l.w, 2001)
	l.look(true)
	l.read(l.w, 2001)
	l.kept(0)
}

// Readers, a writer that also moves the WAL, connections that come and go, and
// the owner's looks, all at once.
func TestKeptLocksSurviveConcurrencyAndGarbageCollection(t *testing.T) {
	collect(t)
	l := newLockers(t)
	const rows = 150
	done := make(chan struct{})
	var wg sync.WaitGroup
	until := func(step func(i int) error) {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if err := step(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 3 {
		r, last := l.open(), int64(0)
		until(func(int) error {
			n, err := r.QueryInt64(context.Background(), "SELECT count(*) FROM t")
			if err == nil && n < last {
				err = fmt.Errorf("%d rows after %d", n, last)
			}
			last = n
			return err
		})
	}
	until(func(int) error {
		c, err := sqlite.Open(context.Background(), l.path, sqlite.Options{ReadOnly: true, ReadLocks: l.locks})
		if err != nil {
			return err
		}
		for range 20 {
			_, err = c.QueryInt64(context.Background(), "SELECT count(*) FROM t")
			c.WALState()
		}
		return errors.Join(err, c.Close())
	})
	until(func(int) error { l.locks.Look(); l.locks.Kept(); return nil })
	modes := []sqlite.CheckpointMode{sqlite.Passive, sqlite.Full, sqlite.Truncate}
	for i := range rows {
		exec(t, l.w, "INSERT INTO t VALUES(1)")
		l.read(l.w, int64(i+1))
		if i%5 == 0 {
			if _, err := l.w.Checkpoint(t.Context(), modes[i/5%3]); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	wg.Wait()
	if got, err := l.w.QueryText(t.Context(), "PRAGMA integrity_check"); got != "ok" || err != nil {
		t.Error(got, err)
	}
}
