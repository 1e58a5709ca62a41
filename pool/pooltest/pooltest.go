// Package pooltest gives each test a database of its own, and fails the test
// that leaves it damaged or leaks a connection.
//
// [Faults] provokes what seldom happens by itself: a full disk, a lock that
// another process holds, a commit whose outcome nobody knows. [Twice] shows
// whether closures may run again.
package pooltest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// closeTimeout is how long the cleanup waits for connections that the test
// still holds before it names them.
const closeTimeout = time.Second

// Open returns a database in a temporary file with the migrations of fsys
// applied; a nil fsys leaves it empty. At most one cfg may be given.
//
// The migrations run once in a process: each further test gets a copy of the
// finished file, which takes a few milliseconds however many there are.
//
// When the test ends the database is closed and examined. The test fails if a
// connection is still held (by an iterator or a statement that was not closed,
// say), if the integrity or a foreign key is broken, or if a -wal is left.
func Open(t testing.TB, fsys fs.FS, cfg ...pool.Config) *pool.DB {
	t.Helper()
	if len(cfg) > 1 {
		t.Fatalf("pooltest: Open takes one pool.Config, got %d", len(cfg))
	}
	path := filepath.Join(t.TempDir(), "test.db")
	if fsys != nil {
		image, err := migrated(fsys)
		if err != nil {
			t.Fatalf("pooltest: %v", err)
		}
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatalf("pooltest: %v", err)
		}
	}
	return OpenPath(t, path, cfg...)
}

// OpenMemory is Open for a database in memory, which has no files and goes with
// the test. It is examined before it is closed.
func OpenMemory(t testing.TB, fsys fs.FS, cfg ...pool.Config) *pool.DB {
	t.Helper()
	if len(cfg) > 1 {
		t.Fatalf("pooltest: OpenMemory takes one pool.Config, got %d", len(cfg))
	}
	var c pool.Config
	if len(cfg) > 0 {
		c = cfg[0]
	}
	if fsys != nil {
		image, err := migrated(fsys)
		if err != nil {
			t.Fatalf("pooltest: %v", err)
		}
		path := filepath.Join(t.TempDir(), "template.db")
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatalf("pooltest: %v", err)
		}
		prepare := c.Prepare
		c.Prepare = func(ctx context.Context, db *pool.DB) error {
			err := fill(ctx, db, path)
			if err == nil && prepare != nil {
				err = prepare(ctx, db)
			}
			return err
		}
	}
	return OpenPath(t, pool.Memory, c)
}

// fill copies the database at path into db.
func fill(ctx context.Context, db *pool.DB, path string) error {
	template, err := sqlite.Open(ctx, path, sqlite.Options{ReadOnly: true, Immutable: true})
	if err != nil {
		return err
	}
	err = db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		return template.Backup(ctx, c, sqlite.BackupOptions{})
	})
	return errors.Join(err, template.Close())
}

// OpenPath is Open for a file that the test has prepared itself, for one that
// does not exist yet, or for the other paths that pool.Open takes.
func OpenPath(t testing.TB, path string, cfg ...pool.Config) *pool.DB {
	t.Helper()
	var c pool.Config
	if len(cfg) > 0 {
		c = cfg[0]
	}
	db, err := pool.Open(WithFaults(context.Background(), t), path, c)
	if err != nil {
		t.Fatalf("pooltest: %v", err)
	}
	t.Cleanup(func() {
		t.Helper()
		if err := examine(db, path == "" || path == pool.Memory); err != nil {
			t.Errorf("pooltest: after the test: %v", err)
		}
	})
	return db
}

// examine closes db and looks at what is left of it. Of one that is private to
// the pool nothing is, so it is looked at before.
func examine(db *pool.DB, private bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if private {
		err := db.WithWriter(ctx, func(_ context.Context, c *sqlite.Conn) error { return check(c) })
		if errors.Is(err, lido.ErrClosed) {
			err = nil // by the test
		}
		return errors.Join(err, db.Close(ctx))
	}
	if err := db.Close(ctx); err != nil {
		return err
	}
	// Read-write: a read-only connection does not check CHECK constraints.
	c, err := sqlite.Open(context.Background(), db.Path(), sqlite.Options{OnOpen: db.Config().OnConnect})
	if err != nil {
		return err
	}
	err = errors.Join(check(c), c.Close())
	if _, statErr := os.Stat(db.Path() + "-wal"); !errors.Is(statErr, fs.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("%s-wal is left: another connection is open, or the last was killed", db.Path()))
	}
	return err
}

func check(c *sqlite.Conn) error {
	ctx := context.Background()
	result, err := c.QueryText(ctx, "PRAGMA integrity_check(3)")
	if err != nil {
		return err
	}
	if result != "ok" {
		return fmt.Errorf("integrity_check: %s", result)
	}
	broken, err := c.QueryText(ctx, `SELECT coalesce(group_concat("table" || ' row ' || coalesce(rowid, '?') || ' refers to a missing ' || parent, '; '), '') FROM pragma_foreign_key_check`)
	if err != nil {
		return err
	}
	if broken != "" {
		return fmt.Errorf("foreign_key_check: %s", broken)
	}
	return nil
}

// templates holds the migrated file for each set of migrations, by its hash.
var templates sync.Map // [sha256.Size]byte -> func() ([]byte, error)

func migrated(fsys fs.FS) ([]byte, error) {
	key, err := hash(fsys)
	if err != nil {
		return nil, err
	}
	build, _ := templates.LoadOrStore(key, sync.OnceValues(func() ([]byte, error) { return build(fsys) }))
	return build.(func() ([]byte, error))()
}

// build migrates a new file and returns its bytes.
func build(fsys fs.FS) (image []byte, err error) {
	dir, err := os.MkdirTemp("", "pooltest-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx := context.Background()
	db, err := pool.Open(ctx, filepath.Join(dir, "template.db"), pool.Config{
		Prepare: func(ctx context.Context, db *pool.DB) error {
			_, err := migrate.Up(ctx, db, fsys)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	if err := db.Close(ctx); err != nil {
		return nil, err
	}
	return os.ReadFile(db.Path())
}

// hash covers the name and the content of every file.
func hash(fsys fs.FS) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	err = fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fsys, path)
		fmt.Fprintf(h, "%q %d\n", path, len(content))
		h.Write(content)
		return err
	})
	h.Sum(sum[:0])
	return sum, err
}
