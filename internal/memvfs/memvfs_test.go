package memvfs_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/memvfs"
	"github.com/lidodb/lido/sqlite"
)

func open(t *testing.T, name, mode string, readOnly bool) *sqlite.Conn {
	t.Helper()
	vfs, err := memvfs.Register()
	if err != nil {
		t.Fatal(err)
	}
	opt := sqlite.Options{VFS: vfs, Create: !readOnly, ReadOnly: readOnly, BusyTimeout: -1}
	if mode != "" {
		opt.Pragmas = []sqlite.Pragma{{Name: "journal_mode", Value: mode}}
	}
	c, err := sqlite.Open(t.Context(), name, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func exec(t *testing.T, c *sqlite.Conn, sql string) {
	t.Helper()
	if err := c.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func want(t *testing.T, c *sqlite.Conn, sql, want string) {
	t.Helper()
	if got, err := c.QueryText(t.Context(), sql); got != want || err != nil {
		t.Errorf("%s: %s, %v, want %s", sql, got, err, want)
	}
}

func gone(t *testing.T) {
	t.Helper()
	if n := memvfs.Count(); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func TestConnectionsShareADatabaseAndItGoesWithTheLast(t *testing.T) {
	name := memvfs.NewName()
	w := open(t, name, "wal", false)
	exec(t, w, "CREATE TABLE t(x); INSERT INTO t VALUES (1)")
	r := open(t, name, "", true)
	want(t, r, "SELECT count(*) FROM t", "1")
	exec(t, r, "BEGIN")
	want(t, r, "SELECT count(*) FROM t", "1")
	exec(t, w, "INSERT INTO t VALUES (2)") // beside the reader
	want(t, r, "SELECT count(*) FROM t", "1")
	exec(t, r, "COMMIT")
	want(t, r, "SELECT count(*) FROM t", "2")
	if err := r.Exec(t.Context(), "INSERT INTO t VALUES (3)"); !errors.Is(err, lido.ErrReadOnly) {
		t.Error(err)
	}
	if memvfs.Bytes(name+"-wal") == 0 {
		t.Error("there is no WAL")
	}

	other := open(t, memvfs.NewName(), "wal", false)
	want(t, other, "SELECT count(*) FROM sqlite_schema", "0")
	if err := other.Close(); err != nil {
		t.Error(err)
	}

	// The writer goes first: a reader keeps the database, and cannot remove its WAL.
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	w = open(t, name, "wal", false)
	want(t, w, "SELECT count(*) FROM t", "2")
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	want(t, r, "SELECT count(*) FROM t", "2")
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	gone(t)
	want(t, open(t, name, "wal", false), "SELECT count(*) FROM sqlite_schema", "0")
}

func TestTheLocksAreThoseOfTheEngineInEveryJournalMode(t *testing.T) {
	for _, mode := range []string{"delete", "truncate", "persist", "wal"} {
		name := memvfs.NewName()
		a, b := open(t, name, mode, false), open(t, name, "", false)
		exec(t, a, "CREATE TABLE t(x); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
		if err := b.Exec(t.Context(), "BEGIN IMMEDIATE"); !errors.Is(err, lido.ErrBusy) {
			t.Errorf("%s: a second writer: %v", mode, err)
		}
		want(t, b, "SELECT count(*) FROM t", "0")
		exec(t, b, "BEGIN")
		want(t, b, "SELECT count(*) FROM t", "0")
		err := a.Exec(t.Context(), "COMMIT")
		if mode == "wal" != (err == nil) || err != nil && !errors.Is(err, lido.ErrBusy) {
			t.Errorf("%s: a commit beside a reader: %v", mode, err)
		}
		if err != nil { // the writer waits, and nobody new comes in
			exec(t, b, "COMMIT")
			if _, err := b.QueryInt64(t.Context(), "SELECT count(*) FROM t"); !errors.Is(err, lido.ErrBusy) {
				t.Errorf("%s: a reader beside a writer that waits: %v", mode, err)
			}
			exec(t, a, "COMMIT")
		} else {
			exec(t, b, "COMMIT")
		}
		want(t, b, "SELECT count(*) FROM t", "1")
		exec(t, a, "BEGIN; INSERT INTO t VALUES (2); ROLLBACK")
		want(t, b, "SELECT count(*) FROM t", "1")
		want(t, b, "PRAGMA integrity_check", "ok")
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Error(err)
		}
	}
	gone(t)
}

func TestFilesGrowShrinkAndHoldWhatWasWritten(t *testing.T) {
	for _, page := range []int{512, 4096, 65536} {
		c := open(t, memvfs.NewName(), "", false)
		exec(t, c, fmt.Sprintf("PRAGMA page_size = %d; PRAGMA journal_mode = wal; PRAGMA cache_size = 10; CREATE TABLE t(id INTEGER PRIMARY KEY, x BLOB)", page))
		exec(t, c, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, randomblob(1000) FROM n")
		exec(t, c, "CREATE INDEX t_x ON t(x); CREATE TEMP TABLE sorted AS SELECT x FROM t ORDER BY x")
		exec(t, c, "DELETE FROM t WHERE id % 3 > 0; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
		want(t, c, "SELECT count(*) FROM t", "1000")
		want(t, c, "PRAGMA integrity_check", "ok")
		want(t, c, "PRAGMA page_size", fmt.Sprint(page))
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		gone(t)
	}
}

// TestEverythingAtOnceUnderTheCollector: the engine's copies of addresses are
// not seen by the collector.
func TestEverythingAtOnceUnderTheCollector(t *testing.T) {
	name := memvfs.NewName()
	w := open(t, name, "wal", false)
	// A reader that finds the head of the index half written takes the writer's
	// lock for a moment, to see whether it must recover.
	exec(t, w, "CREATE TABLE t(x); PRAGMA wal_autocheckpoint = 20; PRAGMA busy_timeout = 5000")
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			r := open(t, name, "", true)
			for ctx.Err() == nil {
				// Each transaction keeps the number of rows even.
				n, err := r.QueryInt64(t.Context(), "SELECT count(*) % 2 FROM t")
				if n != 0 || err != nil {
					t.Error(n, err)
					return
				}
			}
		})
	}
	for i := range 300 {
		exec(t, w, "BEGIN; INSERT INTO t VALUES (randomblob(300)); INSERT INTO t VALUES (randomblob(3000)); COMMIT")
		if i%20 == 0 {
			runtime.GC()
			other := open(t, memvfs.NewName(), "wal", false)
			exec(t, other, "CREATE TABLE t(x)")
			if err := other.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	stop()
	wg.Wait()
	want(t, w, "SELECT count(*) FROM t", "600")
	want(t, w, "PRAGMA integrity_check", "ok")
}

// A panic of a collation goes through the engine, which must not be entered
// again on that connection.
func TestAConnectionThatIsGivenUpHoldsNothing(t *testing.T) {
	name := memvfs.NewName()
	a, b := open(t, name, "wal", false), open(t, name, "", false)
	if err := a.CreateCollation("bad", func(string, string) int { panic("bad") }); err != nil {
		t.Fatal(err)
	}
	exec(t, a, "CREATE TABLE t(x); BEGIN IMMEDIATE; INSERT INTO t VALUES ('a'), ('b')")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_ = a.Exec(t.Context(), "SELECT x FROM t ORDER BY x COLLATE bad")
	}()
	if !a.Faulted() {
		t.Fatal("the connection goes on")
	}
	if _, ok := a.WALState(); ok {
		t.Error("memory that may be freed is looked at")
	}
	exec(t, b, "INSERT INTO t VALUES ('c')")
	want(t, b, "SELECT count(*) FROM t", "1")
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	gone(t)
}

func TestFilesOfOtherNamesAreOnDisk(t *testing.T) {
	folder := t.TempDir()
	attached, copied := filepath.Join(folder, "attached.db"), filepath.Join(folder, "copied.db")
	c := open(t, memvfs.NewName(), "wal", false)
	exec(t, c, "CREATE TABLE t(x); INSERT INTO t VALUES (1)")
	exec(t, c, "VACUUM INTO '"+copied+"'")
	exec(t, c, "ATTACH '"+attached+"' AS other; CREATE TABLE other.t(x); INSERT INTO other.t VALUES (2)")
	exec(t, c, "BEGIN; INSERT INTO t VALUES (3); INSERT INTO other.t VALUES (4); COMMIT")
	exec(t, c, "DETACH other")
	for path, sum := range map[string]string{attached: "6", copied: "1"} {
		there, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want(t, there, "SELECT sum(x) FROM t", sum)
		if err := there.Close(); err != nil {
			t.Error(err)
		}
	}
	want(t, c, "SELECT sum(x) FROM t", "4")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	gone(t)
}
