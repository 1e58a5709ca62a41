package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/emulator"
	"github.com/lidodb/lido/sqlite"
)

const fill = `CREATE TABLE t(id INTEGER PRIMARY KEY, x BLOB);
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, randomblob(1000) FROM n`

func TestAFileTruncatedUnderItsMappingIsAnErrorAndNotTheEndOfTheProcess(t *testing.T) {
	emulator.NeedFaultAddress(t)
	path := filepath.Join(t.TempDir(), "test.db")
	w := openAt(t, path, sqlite.Options{Create: true})
	exec(t, w, fill)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := openAt(t, path, sqlite.Options{Pragmas: []sqlite.Pragma{{Name: "mmap_size", Value: "268435456"}, {Name: "cache_size", Value: "10"}}})
	if _, err := c.QueryInt64(context.Background(), "SELECT sum(length(x)) FROM t"); err != nil {
		t.Fatal(err)
	}
	s := prepare(t, c, "SELECT x FROM t")
	if row, err := s.Step(); !row || err != nil {
		t.Fatal(row, err)
	}
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	var err error
	for row := true; row && err == nil; {
		row, err = s.Step()
	}
	var e *lido.Error
	if !errors.As(err, &e) || !errors.Is(err, sqlite.ErrFault) || e.Extended != 8714 {
		t.Fatalf("%v", err)
	}
	if !c.Faulted() || c.Broken() == nil {
		t.Error("the connection does not say so")
	}
	_ = s.Close()
	if _, err := c.QueryInt64(context.Background(), "SELECT 1"); !errors.Is(err, sqlite.ErrFault) {
		t.Errorf("a dead connection ran a statement: %v", err)
	}
}

func TestAPanicInACallbackIsNotMistakenForAFault(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	c.SetAuthorizer(func(sqlite.Action, string, string, string, string) sqlite.Auth { panic("mine") })
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("recovered %v", r)
		}
		c.SetAuthorizer(nil)
	}()
	_, _ = c.Prepare(context.Background(), "SELECT 1")
	t.Error("no panic")
}

// It goes on, and what it went through is given up.
func TestACallbackThatEndsItsGoroutineLosesTheConnection(t *testing.T) {
	exits := func() { runtime.Goexit() }
	for name, use := range map[string]func(ctx context.Context, c *sqlite.Conn) error{
		"function": func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, "INSERT INTO t VALUES(exits())") },
		"function in a query": func(ctx context.Context, c *sqlite.Conn) error {
			_, err := c.QueryInt64(ctx, "SELECT exits()")
			return err
		},
		"collation": func(ctx context.Context, c *sqlite.Conn) error {
			return c.Exec(ctx, "SELECT x FROM t ORDER BY x COLLATE exits")
		},
		"function in COMMIT": func(ctx context.Context, c *sqlite.Conn) error {
			return c.Exec(ctx, "BEGIN; INSERT INTO t VALUES(exits()); COMMIT")
		},
		"authorizer": func(ctx context.Context, c *sqlite.Conn) error {
			c.SetAuthorizer(func(sqlite.Action, string, string, string, string) sqlite.Auth { exits(); return sqlite.AuthOK })
			_, err := c.Prepare(ctx, "SELECT 1")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "db")
			c := openAt(t, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
			exec(t, c, "CREATE TABLE t(x); INSERT INTO t VALUES('a'), ('b')")
			create(t, c, "exits", 0, func([]sqlite.Value) (any, error) { exits(); return nil, nil })
			if err := c.CreateCollation("exits", func(a, b string) int { exits(); return 0 }); err != nil {
				t.Fatal(err)
			}
			returned, done := false, make(chan struct{})
			go func() {
				defer close(done)
				_ = use(context.Background(), c)
				returned = true
			}()
			<-done
			if returned || !c.Faulted() || c.Broken() == nil || errors.Is(c.Broken(), sqlite.ErrFault) {
				t.Errorf("returned %v; the connection says %v", returned, c.Broken())
			}
			if _, err := c.QueryInt64(t.Context(), "SELECT 1"); err == nil || c.InTransaction() {
				t.Error("a lost connection ran a statement")
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			// Its locks are gone, and what it did.
			other := openAt(t, path, sqlite.Options{})
			exec(t, other, "BEGIN IMMEDIATE; INSERT INTO t VALUES('c'); COMMIT")
			if n, err := other.QueryInt64(t.Context(), "SELECT count(*) FROM t"); n != 3 || err != nil {
				t.Error(n, err)
			}
		})
	}
}

// collect runs the garbage collector until the test ends. The engine keeps
// addresses of Go functions that the collector does not know of.
func collect(t *testing.T) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	t.Cleanup(func() { close(stop); wg.Wait() })
}

func TestCallbacksSurviveRepeatedGarbageCollection(t *testing.T) {
	collect(t)
	path := filepath.Join(t.TempDir(), "test.db")
	c := openAt(t, path, sqlite.Options{Create: true, BusyTimeout: 5 * time.Millisecond,
		Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	exec(t, c, "CREATE TABLE t(a)")
	other := openAt(t, path, sqlite.Options{})
	if err := other.Begin(context.Background(), sqlite.Immediate); err != nil {
		t.Fatal(err)
	}
	asked := 0
	c.SetAuthorizer(func(sqlite.Action, string, string, string, string) sqlite.Auth { asked++; return sqlite.AuthOK })
	for range 30 {
		// progress handler
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
		if _, err := c.QueryInt64(ctx, endless); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		cancel()
		// busy handler
		if err := c.Exec(context.Background(), "INSERT INTO t VALUES(1)"); !errors.Is(err, lido.ErrBusy) {
			t.Fatal(err)
		}
		// destructor of long parameters, reached from the engine
		s := prepare(t, c, "SELECT length(?1)")
		s.BindBlob(1, make([]byte, 100_000))
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
	}
	if asked == 0 || c.BusyWaits() == 0 {
		t.Error("a callback was never called")
	}
}

func TestABackupUnderAWriterIsOneSnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	w := openAt(t, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	exec(t, w, fill)
	src := openAt(t, path, sqlite.Options{ReadOnly: true})
	if err := src.Begin(context.Background(), sqlite.Deferred); err != nil {
		t.Fatal(err)
	}
	if _, err := src.QueryInt64(context.Background(), "SELECT count(*) FROM t"); err != nil {
		t.Fatal(err)
	}
	dst := open(t, sqlite.Options{Create: true})
	steps, last := 0, -1
	err := src.Backup(context.Background(), dst, sqlite.BackupOptions{PagesPerStep: 50, Progress: func(remaining, total int) {
		steps++
		if last >= 0 && remaining >= last {
			t.Errorf("the copy restarted: %d pages left after %d", remaining, last)
		}
		last = remaining
		exec(t, w, "INSERT INTO t(x) VALUES('later')")
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := dst.QueryInt64(context.Background(), "SELECT count(*) FROM t"); n != 2000 || err != nil {
		t.Error(n, err)
	}
	if steps < 5 {
		t.Errorf("%d steps", steps)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = src.Backup(ctx, dst, sqlite.BackupOptions{PagesPerStep: 1, Pause: time.Hour, Progress: func(int, int) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestACheckpointCountsFramesAndReportsReadersInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	w := openAt(t, path, sqlite.Options{Create: true, BusyTimeout: time.Millisecond, Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "0"}}})
	exec(t, w, "CREATE TABLE t(a)")
	r := openAt(t, path, sqlite.Options{ReadOnly: true})
	s := prepare(t, r, "SELECT 1 FROM sqlite_schema")
	if _, err := s.Step(); err != nil {
		t.Fatal(err)
	}
	exec(t, w, "INSERT INTO t VALUES(1)")
	res, err := w.Checkpoint(context.Background(), sqlite.Truncate)
	if err != nil || !res.Busy {
		t.Errorf("%+v %v", res, err)
	}
	_ = s.Close()
	res, err = w.Checkpoint(context.Background(), sqlite.Passive)
	if err != nil || res.Busy || res.WALFrames == 0 || res.WALFrames != res.MovedFrames {
		t.Errorf("%+v %v", res, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.Checkpoint(ctx, sqlite.Passive); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if res, err = w.Checkpoint(context.Background(), sqlite.Truncate); err != nil || res.Busy {
		t.Errorf("%+v %v", res, err)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 0 {
		t.Error(info, err)
	}
}

func TestACheckpointThatItsContextEndsLeavesTheConnectionUsable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	w := openAt(t, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "0"}}})
	exec(t, w, "CREATE TABLE t(x)")
	for range 20 {
		exec(t, w, "INSERT INTO t SELECT randomblob(200000) FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)")
		ctx, cancel := context.WithTimeout(context.Background(), time.Microsecond*300)
		_, err := w.Checkpoint(ctx, sqlite.Truncate)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if n, err := w.QueryInt64(context.Background(), "SELECT 7"); n != 7 || err != nil {
			t.Fatal(n, err)
		}
	}
}
