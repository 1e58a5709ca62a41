//go:build unix

package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lidodb/lido/internal/emulator"
	"github.com/lidodb/lido/sqlite"
)

// The other process runs this test again, on the file that the environment
// names.
const moverPath = "LIDO_TEST_MOVER_PATH"

// Every transaction moves something from one row to another, so that the sum
// stays what it is, and counts itself. A snapshot that is put together from two
// has another sum, and one that is too old another count.
const (
	moverRows   = 60
	moverSum    = 1000 * moverRows
	moverCreate = `CREATE TABLE account(id INTEGER PRIMARY KEY, n INTEGER, filling BLOB);
		CREATE TABLE version(n INTEGER);
		INSERT INTO version VALUES(0);
		WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM i WHERE i < 60)
		INSERT INTO account SELECT i, 1000, zeroblob(1000) FROM i;`
	moverRead = "SELECT (SELECT n FROM version)*1000000 + sum(n) FROM account"
)

// movers are a writer and readers of a process that share their read locks.
type movers struct {
	path    string
	looks   bool         // now and then, and not only when they begin
	version atomic.Int64 // the last one written here
}

// move opens all of them, lets them keep their locks if nobody else has the
// file, and calls meanwhile. It moves something n times, and reads until that is
// done.
func (m *movers) move(n int, meanwhile func()) (err error) {
	ctx := context.Background()
	locks := sqlite.NewReadLocks()
	defer locks.Close()
	open := func(readOnly bool, mmap string) (*sqlite.Conn, error) {
		return sqlite.Open(ctx, m.path, sqlite.Options{ReadOnly: readOnly, ReadLocks: locks, BusyTimeout: time.Minute,
			// So that each read goes to the files again.
			Pragmas: []sqlite.Pragma{{Name: "cache_size", Value: "2"}, {Name: "mmap_size", Value: mmap}}})
	}
	w, err := open(false, "0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if _, err := w.QueryInt64(ctx, moverRead); err != nil {
		return err
	}
	locks.Look()
	var (
		wg     sync.WaitGroup
		done   = make(chan struct{})
		failed = make(chan error, 2)
		over   = make(chan struct{})
	)
	for i := range cap(failed) {
		wg.Go(func() {
			c, err := open(true, []string{"0", "268435456"}[i])
			if err == nil {
				err = errors.Join(m.readUntil(done, c, func() {
					if i == 0 && m.looks {
						locks.Look()
					}
				}), c.Close())
			}
			failed <- err
		})
	}
	wg.Go(func() { defer close(over); meanwhile() })
	for i := 0; err == nil && i < n; i++ {
		err = m.once(ctx, w, i)
	}
	<-over
	close(done)
	wg.Wait()
	for range cap(failed) {
		err = errors.Join(err, <-failed)
	}
	return err
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// readUntil reads until done, and checks what it reads.
func (m *movers) readUntil(done chan struct{}, c *sqlite.Conn, now func()) error {
	var last int64
	for i := 0; !isDone(done); i++ {
		last = max(last, m.version.Load())
		first, again, err := readTwice(c)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if first/1000000 < last || first%1000000 != moverSum || again != first {
			return fmt.Errorf("version %d after %d, sum %d of %d; later in the same snapshot %d", first/1000000, last, first%1000000, moverSum, again)
		}
		last = first / 1000000
		if i%20 == 0 {
			now()
		}
	}
	return nil
}

// readTwice reads the same in one snapshot.
func readTwice(c *sqlite.Conn) (first, again int64, err error) {
	ctx := context.Background()
	if err := c.Begin(ctx, sqlite.Deferred); err != nil {
		return 0, 0, err
	}
	if first, err = c.QueryInt64(ctx, moverRead); err == nil {
		again, err = c.QueryInt64(ctx, moverRead)
	}
	return first, again, errors.Join(err, c.Rollback())
}

// once moves something, and now and then the WAL.
func (m *movers) once(ctx context.Context, w *sqlite.Conn, i int) error {
	err := w.Begin(ctx, sqlite.Immediate)
	if err == nil {
		err = w.Exec(ctx, fmt.Sprintf(`UPDATE account SET n = n - 7 WHERE id = %d; UPDATE account SET n = n + 7 WHERE id = %d;
			UPDATE version SET n = n + 1`, 1+i*37%moverRows, 1+i*53%moverRows))
	}
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	version, err := w.QueryInt64(ctx, "SELECT n FROM version")
	if err != nil {
		return err
	}
	if last := m.version.Swap(version); version <= last {
		return fmt.Errorf("version %d was written after %d", version, last)
	}
	if i%5 == 0 {
		w.LimitTime(time.Millisecond) // of waits
		_, err = w.Checkpoint(ctx, []sqlite.CheckpointMode{sqlite.Passive, sqlite.Truncate, sqlite.Full}[i/5%3])
		w.LimitTime(0)
	}
	return err
}

func TestReadersAreRightBesideProcessesThatComeAndGoAndAreKilled(t *testing.T) {
	if path := os.Getenv(moverPath); path != "" {
		t.Cleanup(func() { os.Exit(0) }) // without a word of the test's own
		var end atomic.Bool
		go func() { _, _ = io.Copy(io.Discard, os.Stdin); end.Store(true) }()
		for m := (&movers{path: path, looks: true}); !end.Load(); {
			if err := m.move(20, func() {}); err != nil {
				fmt.Println(err)
				return
			}
			fmt.Println("moved")
		}
		return
	}
	path := filepath.Join(t.TempDir(), "test.db")
	w := openAt(t, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	exec(t, w, moverCreate)
	if err := w.Close(); err != nil { // it shares nothing
		t.Fatal(err)
	}
	for round := range 4 {
		m := &movers{path: path, looks: round%3 == 0}
		if err := m.move(20, func() {
			cmd, out, end, err := startMover(t, path)
			if err != nil {
				t.Error(err)
				return
			}
			for range 2 {
				if !out.Scan() || out.Text() != "moved" {
					t.Errorf("the other process says %q", out.Text())
				}
			}
			if round%2 == 0 {
				_ = cmd.Process.Kill()
			}
			end()
			for out.Scan() {
				if out.Text() != "moved" {
					t.Errorf("the other process says %q", out.Text())
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	w = openAt(t, path, sqlite.Options{})
	if got, err := w.QueryText(t.Context(), "PRAGMA integrity_check"); got != "ok" || err != nil {
		t.Error(got, err)
	}
}

// startMover starts the other process.
func startMover(t *testing.T, path string) (cmd *osexec.Cmd, out *bufio.Scanner, end func(), err error) {
	cmd = emulator.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), moverPath+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, nil, nil, err
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewScanner(stdout), func() { _ = in.Close() }, nil
}
