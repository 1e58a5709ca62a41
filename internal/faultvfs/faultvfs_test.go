package faultvfs_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/faultvfs"
	"github.com/lidodb/lido/sqlite"
)

// open opens a database with a table through the layer.
func open(t *testing.T, path string, pragmas ...sqlite.Pragma) (*sqlite.Conn, *faultvfs.Disk) {
	t.Helper()
	vfs, err := faultvfs.Register("")
	if err != nil {
		t.Fatal(err)
	}
	disk := faultvfs.NewDisk()
	disk.Watch(path)
	t.Cleanup(disk.Forget)
	c := openConn(t, path, vfs, append([]sqlite.Pragma{{Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "0"}}, pragmas...)...)
	if err := c.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, x)"); err != nil {
		t.Fatal(err)
	}
	return c, disk
}

func openConn(t *testing.T, path, vfs string, pragmas ...sqlite.Pragma) *sqlite.Conn {
	t.Helper()
	c, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true, VFS: vfs, Pragmas: pragmas})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func path(t *testing.T) string { return filepath.Join(t.TempDir(), "test.db") }

func insert(c *sqlite.Conn, x string) error {
	return c.Exec(context.Background(), "INSERT INTO t(x) VALUES('"+x+"')")
}

func rows(t *testing.T, c *sqlite.Conn) int64 {
	t.Helper()
	n, err := c.QueryInt64(context.Background(), "SELECT count(*) FROM t")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func code(err error) int {
	var e *lido.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Extended
}

func TestARuleFailsTheCallsItNamesAndNoOthers(t *testing.T) {
	for _, op := range []faultvfs.Op{faultvfs.Write, faultvfs.Sync, faultvfs.ShmLock} {
		c, disk := open(t, path(t), sqlite.Pragma{Name: "synchronous", Value: "2"})
		rule := disk.Add(faultvfs.Rule{Ops: op, Code: faultvfs.Failure(op)})
		if err := insert(c, "a"); code(err) != int(faultvfs.Failure(op)) {
			t.Errorf("%d: %v", op, err)
		}
		if rule.Fired() == 0 || rule.Seen() != rule.Fired() {
			t.Errorf("%d: fired %d of %d", op, rule.Fired(), rule.Seen())
		}
		rule.Remove()
		if err := insert(c, "b"); err != nil {
			t.Errorf("%d: %v", op, err)
		}
		if n := rows(t, c); n != 1 {
			t.Errorf("%d: %d rows", op, n)
		}
	}
}

func TestAFileIsSyncedThroughTheLayer(t *testing.T) {
	c, disk := open(t, path(t))
	before := disk.Calls(faultvfs.Sync)
	if err := c.SyncFile(); err != nil || disk.Calls(faultvfs.Sync) != before+1 {
		t.Error(err, disk.Calls(faultvfs.Sync)-before)
	}
	armed := disk.Add(faultvfs.Rule{Ops: faultvfs.Sync, Files: faultvfs.Main, Code: faultvfs.Failure(faultvfs.Sync)})
	if err := c.SyncFile(); code(err) != int(faultvfs.Failure(faultvfs.Sync)) {
		t.Error(err)
	}
	armed.Remove()
	if c.Broken() == nil { // what the system did not take is lost
		t.Error("the connection goes on")
	}
}

func TestOnlyTheNthCallFails(t *testing.T) {
	c, disk := open(t, path(t))
	commit := func(c faultvfs.Call) bool { return c.Commit }
	disk.Add(faultvfs.Rule{Ops: faultvfs.Write, Files: faultvfs.WAL, Match: commit, Nth: 3, Code: faultvfs.Failure(faultvfs.Write)})
	for i := range 5 {
		if err := insert(c, "x"); (err != nil) != (i == 2) {
			t.Errorf("insert %d: %v", i, err)
		}
	}
	if n := rows(t, c); n != 4 {
		t.Error(n)
	}
}

func TestATornCommitIsNoCommit(t *testing.T) {
	p := path(t)
	c, disk := open(t, p)
	if err := insert(c, "whole"); err != nil {
		t.Fatal(err)
	}
	disk.Add(faultvfs.Rule{Ops: faultvfs.Write, Files: faultvfs.WAL, Match: func(c faultvfs.Call) bool { return c.Bytes > 1000 },
		Nth: 1, Torn: 512, Code: faultvfs.Failure(faultvfs.Write)})
	if err := insert(c, "torn"); err == nil {
		t.Fatal("no error")
	}
	disk.Recover()
	if n := rows(t, openConn(t, p, "")); n != 1 {
		t.Error(n)
	}
}

func TestWhatWasWrittenBeforeTheFailureIsFoundByARecovery(t *testing.T) {
	p := path(t)
	c, disk := open(t, p, sqlite.Pragma{Name: "synchronous", Value: "2"})
	disk.Add(faultvfs.Rule{Ops: faultvfs.Sync, Nth: 1, Code: faultvfs.Failure(faultvfs.Sync)})
	if err := insert(c, "x"); code(err) != int(faultvfs.Failure(faultvfs.Sync)) {
		t.Fatal(err)
	}
	other := openConn(t, p, "")
	if n := rows(t, other); n != 0 {
		t.Errorf("%d rows before a recovery", n)
	}
	disk.Recover()
	if n := rows(t, other); n != 1 {
		t.Errorf("%d rows after it", n)
	}
}

func TestAKilledConnectionStaysDeadAndOthersLive(t *testing.T) {
	p := path(t)
	c, disk := open(t, p)
	vfs, _ := faultvfs.Register("")
	if disk.Kill(func(readOnly bool) bool { return !readOnly }) != 1 {
		t.Error("one connection is open")
	}
	for range 2 {
		if err := insert(c, "x"); code(err)&0xff != 10 {
			t.Error(err)
		}
	}
	other := openConn(t, p, vfs)
	if err := insert(other, "y"); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := insert(other, "z"); err != nil {
		t.Error(err)
	}
}

func TestReadsAreSeenDespiteTheMapping(t *testing.T) {
	c, disk := open(t, path(t), sqlite.Pragma{Name: "mmap_size", Value: "268435456"}, sqlite.Pragma{Name: "cache_size", Value: "2"})
	for i := range 200 {
		if err := insert(c, fmt.Sprintf("%01000d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Checkpoint(t.Context(), sqlite.Truncate); err != nil {
		t.Fatal(err)
	}
	if _, err := c.QueryInt64(t.Context(), "SELECT sum(length(x)) FROM t"); err != nil {
		t.Fatal(err)
	}
	disk.Add(faultvfs.Rule{Ops: faultvfs.Read, Files: faultvfs.Main, Code: faultvfs.Failure(faultvfs.Read)})
	if _, err := c.QueryInt64(t.Context(), "SELECT sum(length(x)) FROM t"); code(err) != int(faultvfs.Failure(faultvfs.Read)) {
		t.Error(err)
	}
}

func TestDatabasesDoNotMeet(t *testing.T) {
	a, diskA := open(t, path(t))
	b, diskB := open(t, path(t))
	diskA.Add(faultvfs.Rule{Ops: faultvfs.Write, Code: 13})
	if err := insert(a, "x"); !errors.Is(err, lido.ErrFull) {
		t.Error(err)
	}
	before := diskB.Calls(faultvfs.Write)
	if err := insert(b, "x"); err != nil {
		t.Error(err)
	}
	if diskB.Calls(faultvfs.Write) == before {
		t.Error("the calls were not counted")
	}
}

func TestALayerGoesOverANamedVFS(t *testing.T) {
	vfs, err := faultvfs.Register("unix-excl")
	if runtime.GOOS == "windows" {
		t.Skip("no unix-excl")
	}
	if err != nil {
		t.Fatal(err)
	}
	p := path(t)
	c := openConn(t, p, vfs, sqlite.Pragma{Name: "journal_mode", Value: "wal"})
	if err := c.Exec(t.Context(), "CREATE TABLE t(x); INSERT INTO t VALUES(1)"); err != nil {
		t.Error(err)
	}
	if _, err := faultvfs.Register("nosuch"); err == nil {
		t.Error("a layer over nothing")
	}
	if again, err := faultvfs.Register("unix-excl"); again != vfs || err != nil {
		t.Error(again, err)
	}
}

// TestTheCallbacksSurviveRepeatedGarbageCollection holds the rule that the
// engine is given top-level functions only.
func TestTheCallbacksSurviveRepeatedGarbageCollection(t *testing.T) {
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
	defer func() { close(stop); wg.Wait() }()
	p := path(t)
	for i := range 20 {
		c, disk := open(t, p, sqlite.Pragma{Name: "mmap_size", Value: "268435456"}, sqlite.Pragma{Name: "synchronous", Value: "2"})
		if i%2 == 0 {
			disk.Add(faultvfs.Rule{Ops: faultvfs.Read, Files: faultvfs.Journal, Match: func(c faultvfs.Call) bool { return c.Bytes == i }})
		}
		if err := insert(c, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Checkpoint(t.Context(), sqlite.Truncate); err != nil {
			t.Fatal(err)
		}
		if n := rows(t, c); n != int64(i+1) {
			t.Fatal(n)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
