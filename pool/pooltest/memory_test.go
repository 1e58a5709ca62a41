package pooltest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"
	"github.com/lidodb/lido/stdlib"
)

func TestADatabaseInMemoryIsMigratedAndServesEveryPackage(t *testing.T) {
	ctx := t.Context()
	prepared := false
	db := pooltest.OpenMemory(t, fiftyTables(), pool.Config{Prepare: func(ctx context.Context, db *pool.DB) error {
		prepared = true
		return db.WithReader(ctx, func(ctx context.Context, c *sqlite.Conn) error {
			_, err := c.QueryInt64(ctx, "SELECT count(*) FROM t49") // migrated before
			return err
		})
	}})
	if !prepared {
		t.Error("Prepare did not run")
	}

	handle := stdlib.OpenDB(db)
	if _, err := handle.ExecContext(ctx, "INSERT INTO t0(name) VALUES (?)", "mine"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := handle.QueryRowContext(ctx, "SELECT count(*) FROM t0").Scan(&n); n != 1 || err != nil {
		t.Error(n, err)
	}
	if err := handle.Close(); err != nil {
		t.Error(err)
	}

	if res, err := migrate.Up(ctx, db, fiftyTables()); err != nil || len(res.Applied) != 0 {
		t.Errorf("%+v %v", res, err)
	}

	store := backup.NewDirStore(t.TempDir())
	if _, err := backup.Take(ctx, db, backup.Config{Store: store, Name: "memory", ScratchDir: t.TempDir(), StepPause: -1, Interval: -1}); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "restored.db")
	if _, err := backup.Restore(ctx, store, "", target, backup.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	restored := pooltest.OpenPath(t, target)
	err := restored.WithReader(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		if n, err := c.QueryInt64(ctx, "SELECT count(*) FROM t0 WHERE name = 'mine'"); n != 1 || err != nil {
			t.Error(n, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob("*memory:*"); len(left) > 0 || err != nil {
		t.Error("files were made:", left)
	}
}

func TestDatabasesInMemoryAreMigratedAtTheSameTime(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := pool.Open(t.Context(), pool.Memory, pool.Config{Prepare: func(ctx context.Context, db *pool.DB) error {
				var wg sync.WaitGroup
				errs := make([]error, 2)
				for i := range errs {
					wg.Go(func() { _, errs[i] = migrate.Up(ctx, db, fiftyTables()) })
				}
				wg.Wait()
				return errors.Join(errs...)
			}})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if left, _ := filepath.Glob("*-migrate.lock"); len(left) > 0 {
		t.Error(left)
	}
}

func TestADatabaseInMemoryIsExaminedBeforeItGoes(t *testing.T) {
	w := &witness{TB: t}
	db := pooltest.OpenMemory(w, fiftyTables())
	err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "PRAGMA foreign_keys=OFF; INSERT INTO t1(name, parent) VALUES('orphan', 99)")
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.end(), "foreign_key_check: t1 row 1 refers to a missing t0"; !strings.Contains(got, want) {
		t.Errorf("the cleanup says %q, want %q", got, want)
	}

	w = &witness{TB: t}
	if err := pooltest.OpenMemory(w, nil).Close(t.Context()); err != nil { // by the test itself
		t.Fatal(err)
	}
	if got := w.end(); got != "" {
		t.Errorf("the cleanup says %q", got)
	}

	w = &witness{TB: t}
	path := pooltest.OpenPath(w, "").Path()
	if got := w.end(); got != "" {
		t.Errorf("a temporary database: the cleanup says %q", got)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func BenchmarkOpenMemoryFiftyTables(b *testing.B) {
	schema := fiftyTables()
	for b.Loop() {
		db := pooltest.OpenMemory(b, schema)
		if err := db.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
