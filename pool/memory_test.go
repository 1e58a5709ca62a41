package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/memvfs"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// TestAPrivateDatabaseKeepsEveryPromise runs what a database in a file does on
// one in memory and on a temporary one.
//
//	Read closure             others
//	begins, sees no rows
//	                         64 writers, in groups
//	still sees no rows
func TestAPrivateDatabaseKeepsEveryPromise(t *testing.T) {
	for _, path := range []string{pool.Memory, ""} {
		for _, noGroups := range []bool{false, true} {
			t.Run(fmt.Sprintf("%q, groups %v", path, !noGroups), func(t *testing.T) {
				// Connections come and go; the data must not go with them.
				db := openDBAt(t, path, pool.Config{MaxReaders: 4, MaxLifetime: time.Nanosecond, NoGroupCommit: noGroups})
				keepEveryPromise(t, db)
			})
		}
	}
}

func keepEveryPromise(t *testing.T, db *pool.DB) {
	ctx := t.Context()
	err := db.Read(ctx, func(inner context.Context, r lido.Reader) error {
		if n := count(t, inner, r); n != 0 {
			t.Error(n)
		}
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				for j := range 5 {
					if err := run(ctx, db, insertItem, fmt.Sprint(i, " ", j)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := count(t, inner, r); n != 0 {
			t.Errorf("the snapshot sees %d rows that were written later", n)
		}
		if n := count(t, ctx, db); n != 320 {
			t.Errorf("another reader sees %d rows", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err = db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		if err := run(ctx, tx, insertItem, "kept"); err != nil {
			return err
		}
		if err := tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error {
			return errors.Join(run(ctx, tx, insertItem, "undone"), boom)
		}); !errors.Is(err, boom) {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, db, insertItem, "kept"); !errors.Is(err, lido.ErrUnique) {
		t.Errorf("%v", err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if err := run(short, db, manyItems); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if n := count(t, ctx, db); n != 321 {
		t.Error(n)
	}
	s := db.Stat()
	if s.WALBytes == 0 || s.Readers.InUse+s.Writer.InUse != 0 {
		t.Errorf("%+v", s)
	}
	if res, err := db.Checkpoint(ctx, sqlite.Truncate); err != nil || res.Busy || db.Stat().WALBytes != 0 {
		t.Errorf("%+v %v, and the WAL has %d bytes", res, err, db.Stat().WALBytes)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	copyTo(t, db, copied)
	if n := count(t, ctx, openDBAt(t, copied, pool.Config{})); n != 321 {
		t.Errorf("the copy has %d rows", n)
	}
	for _, with := range []func(context.Context, func(context.Context, *sqlite.Conn) error) error{db.WithReader, db.WithWriter} {
		err := with(ctx, func(ctx context.Context, c *sqlite.Conn) error {
			mode, err := c.QueryText(ctx, "PRAGMA journal_mode")
			if mode != "wal" {
				t.Error(mode)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestEachDatabaseInMemoryIsItsOwnAndGoesWithClose(t *testing.T) {
	before := memvfs.Count()
	ctx := t.Context()
	a, b := openDBAt(t, pool.Memory, pool.Config{}), openDBAt(t, pool.Memory, pool.Config{})
	if err := errors.Join(run(ctx, a, insertItem, "in a"), run(ctx, b, insertItem, "in b"), run(ctx, b, insertItem, "too")); err != nil {
		t.Fatal(err)
	}
	if n, m := count(t, ctx, a), count(t, ctx, b); n != 1 || m != 2 {
		t.Error(n, m)
	}
	if a.Path() != pool.Memory {
		t.Error(a.Path())
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if n := count(t, ctx, b); n != 2 {
		t.Error(n)
	}
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	if _, err := pool.Open(ctx, pool.Memory, pool.Config{Prepare: func(context.Context, *pool.DB) error { return boom }}); !errors.Is(err, boom) {
		t.Error(err)
	}
	if n := memvfs.Count(); n != before {
		t.Errorf("%d files are left in memory", n-before)
	}
	if found, _ := filepath.Glob("*memory*:*"); len(found) > 0 {
		t.Error("files were made:", found)
	}
	if n := count(t, ctx, openDBAt(t, pool.Memory, pool.Config{})); n != 0 {
		t.Error(n)
	}
}

func TestAPrivateDatabaseCannotBeThereBefore(t *testing.T) {
	for _, path := range []string{pool.Memory, ""} {
		for field, cfg := range map[string]pool.Config{"Config.ReadOnly": {ReadOnly: true}, "Config.MustExist": {MustExist: true}} {
			if _, err := pool.Open(t.Context(), path, cfg); err == nil || !strings.Contains(err.Error(), field) {
				t.Errorf("%q, %s: %v", path, field, err)
			}
		}
	}
}

func TestATemporaryDatabaseGoesWithCloseOrIsSweptAfterAKill(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx := t.Context()
	there := func(path string) bool {
		_, err := os.Stat(filepath.Dir(path))
		return !errors.Is(err, fs.ErrNotExist)
	}
	db := openDBAt(t, "", pool.Config{})
	if err := run(ctx, db, insertItem, "a"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Dir(db.Path())); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	other, out, _ := startPeer(t, "temporary", "")
	if !out.Scan() {
		t.Fatal(out.Err())
	}
	others := out.Text()
	wantLine(t, out, "open <nil>")
	sweep := func() {
		t.Helper()
		if err := openDBAt(t, "", pool.Config{}).Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	if !there(db.Path()) || !there(others) {
		t.Fatal("a database that is open was swept")
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	if !there(others) {
		t.Fatal("who was killed left nothing: the test shows nothing")
	}
	sweep()
	if there(others) || !there(db.Path()) {
		t.Error("what a killed process left is not swept, or what is open is")
	}
	if n := count(t, ctx, db); n != 1 {
		t.Error(n)
	}
	if err := db.Close(ctx); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	if _, err := pool.Open(ctx, "", pool.Config{Prepare: func(context.Context, *pool.DB) error { return boom }}); !errors.Is(err, boom) {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.TempDir()); len(left) > 0 || err != nil {
		t.Error(left, err)
	}
}
