package backup_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/sqlite"
)

// sameFile fails the test if path no longer leads to the file that info is of.
func sameFile(t *testing.T, path string, info os.FileInfo) {
	t.Helper()
	now, err := os.Stat(path)
	if err != nil || !os.SameFile(info, now) {
		t.Errorf("%s is another file (%v)", path, err)
	}
}

func TestInPlace_writesIntoTheFileThatIsThere(t *testing.T) {
	dir, _ := newBackup(t)
	for name, lay := range map[string]func(path string) error{
		"a database with a WAL": func(path string) error { leaveWAL(t, path); return nil },
		"an empty file":         func(path string) error { return os.WriteFile(path, nil, 0o640) },
		"no database":           func(path string) error { return os.WriteFile(path, noise(9<<20), 0o640) },
		"a short file":          func(path string) error { return os.WriteFile(path, []byte("short"), 0o640) },
		"half a database": func(path string) error {
			leaveWAL(t, path)
			return os.Truncate(path, 1000)
		},
	} {
		t.Run(name, func(t *testing.T) {
			target := newDBPath(t)
			if err := lay(target); err != nil {
				t.Fatal(err)
			}
			before, err := os.Stat(target)
			if err != nil {
				t.Fatal(err)
			}
			scratch := filepath.Join(t.TempDir(), "scratch")
			_, err = backup.Restore(t.Context(), backup.NewDirStore(dir), "", target,
				backup.RestoreOptions{Overwrite: true, InPlace: true, ScratchDir: scratch})
			if err != nil {
				t.Fatal(err)
			}
			sameFile(t, target, before)
			absent(t, target+"-journal", target+backup.ScratchSuffix, scratch)
			if n := query(t, target, "SELECT count(*) FROM posting"); n != "6000" {
				t.Errorf("%s rows", n)
			}
			if ok := query(t, target, "PRAGMA integrity_check"); ok != "ok" {
				t.Error(ok)
			}
		})
	}
}

func TestInPlace_aDatabaseInUseIsRefused(t *testing.T) {
	dir, _ := newBackup(t)
	path := newDBPath(t)
	openDB(t, path)
	_, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", path, backup.RestoreOptions{Overwrite: true, InPlace: true})
	if !errors.Is(err, backup.ErrInUse) {
		t.Error(err)
	}
}

func TestInPlace_scratchElsewhereNeedsIt(t *testing.T) {
	dir, _ := newBackup(t)
	_, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", newDBPath(t), backup.RestoreOptions{ScratchDir: t.TempDir()})
	if err == nil {
		t.Error("accepted a scratch folder that the file cannot be renamed from")
	}
}

// A restore in place that is killed leaves the old database or the new one.
func TestInPlace_killedAtRandomLeavesOneOfTheTwo(t *testing.T) {
	dir, _ := newBackup(t)
	for round := range 12 {
		target := newDBPath(t)
		leaveWAL(t, target)
		p := startHelper(t, "restore in place", dir, target, string(backup.PhaseInstall))
		p.expect(t, string(backup.PhaseInstall))
		p.in.Close() // go on
		<-time.After(time.Duration(round) * time.Millisecond)
		p.kill(t)
		if ok := query(t, target, "PRAGMA integrity_check"); ok != "ok" {
			t.Fatalf("round %d: %s", round, ok)
		}
		switch tables := query(t, target, "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1)"); tables {
		case "old", "account,goose_db_version,posting":
		default:
			t.Errorf("round %d: a mixture: %s", round, tables)
		}
	}
}

// Where there is no old state to roll back to, half a restore is no database.
func TestInPlace_halfARewriteIsNotOpened(t *testing.T) {
	staged, target := newDBPath(t), newDBPath(t)
	leaveWAL(t, staged)
	query(t, staged, "PRAGMA journal_mode=DELETE")
	if err := os.WriteFile(target, bytes.Repeat([]byte("x"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := backup.Rewrite(ctx, staged, target); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	c, err := sqlite.Open(t.Context(), target, sqlite.Options{})
	if err == nil {
		_, err = c.QueryText(t.Context(), "SELECT count(*) FROM sqlite_schema")
		err = errors.Join(err, c.Close())
	}
	if !errors.Is(err, lido.ErrCorrupt) {
		t.Errorf("half a restore opens: %v", err)
	}
	if err := backup.Rewrite(t.Context(), staged, target); err != nil {
		t.Fatal(err)
	}
	if n := query(t, target, "SELECT count(*) FROM old"); n != "2" {
		t.Errorf("%s rows", n)
	}
}
