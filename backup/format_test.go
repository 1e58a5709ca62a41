package backup_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

var update = flag.Bool("update", false, "write testdata/v1 anew; only before its format is released")

// The form of a backup is promised to stay: whatever this package becomes, it
// restores what version 1 wrote.
func TestFormatVersionOneStaysReadable(t *testing.T) {
	dir := filepath.Join("testdata", "v1")
	if *update {
		writeSample(t, dir)
	}
	target := newDBPath(t)
	rep, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", target, backup.RestoreOptions{Database: "sample.db"})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Manifest.Version != 1 || rep.Manifest.Database.UserVersion != 11 {
		t.Errorf("%+v", rep.Manifest)
	}
	if got := query(t, target, "SELECT group_concat(word, ' ') FROM word"); got != "still readable" {
		t.Errorf("restored %q", got)
	}
}

func writeSample(t *testing.T, dir string) {
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	db, err := pool.Open(t.Context(), filepath.Join(t.TempDir(), "sample.db"), pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	execSQL(t, db, "CREATE TABLE word(word TEXT NOT NULL); INSERT INTO word VALUES ('still'), ('readable'); PRAGMA user_version = 11;")
	take(t, db, fast(backup.NewDirStore(dir)))
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, ".lock")); err != nil {
		t.Fatal(err)
	}
}

// Migrations run in Prepare, and want a backup before they begin.
func TestBackupCanBeTakenFromPrepare(t *testing.T) {
	path, dir := newDBPath(t), t.TempDir()
	db, err := pool.Open(t.Context(), path, pool.Config{
		Prepare: func(ctx context.Context, db *pool.DB) error {
			err := db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, "CREATE TABLE t(x)") })
			if err != nil {
				return err
			}
			_, err = backup.Take(ctx, db, fast(backup.NewDirStore(dir)))
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := complete(t, backup.NewDirStore(dir)); len(got) != 1 {
		t.Errorf("backups: %v", got)
	}
}
