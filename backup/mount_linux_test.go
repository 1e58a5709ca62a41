package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/pool"
)

// A file that is mounted by itself, as "docker run -v ./app.db:/data/app.db"
// does, can be written to and not replaced.
func TestMountPoint_isFoundBeforeTheWorkBegins(t *testing.T) {
	dir, _ := newBackup(t)
	host := newDBPath(t)
	target := filepath.Join(t.TempDir(), "the app.db") // the kernel escapes the space
	leaveWAL(t, host)
	query(t, host, "PRAGMA journal_mode=DELETE")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(host, target, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(target, 0); err != nil {
			t.Error(err)
		}
	})
	opt := backup.RestoreOptions{Overwrite: true, Progress: func(p backup.Progress) { t.Errorf("work began: %+v", p) }}
	if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", target, opt); !errors.Is(err, backup.ErrMountPoint) {
		t.Errorf("refused by %v", err)
	}
	if n := query(t, target, "SELECT count(*) FROM old"); n != "2" {
		t.Errorf("%s old rows", n)
	}
	opt.Progress, opt.InPlace = nil, true
	if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", target, opt); err != nil {
		t.Fatal(err)
	}
	if n := query(t, host, "SELECT count(*) FROM posting"); n != "6000" {
		t.Errorf("%s rows", n)
	}
}

// A database on a read-only file system has no room beside it.
func TestScratchDir_readOnlyFileSystemNeedsOne(t *testing.T) {
	source, mounted := t.TempDir(), t.TempDir()
	path := filepath.Join(source, "books.db")
	leaveWAL(t, path)
	query(t, path, "PRAGMA journal_mode=DELETE")
	if err := syscall.Mount(source, mounted, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mounted, 0); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("", mounted, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	db, err := pool.Open(t.Context(), filepath.Join(mounted, "books.db"), pool.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	cfg := fast(backup.NewDirStore(t.TempDir()))
	if _, err := backup.Take(t.Context(), db, cfg); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "Config.ScratchDir, --scratch") {
		t.Errorf("without a scratch folder: %v", err)
	}
	cfg.ScratchDir = filepath.Join(t.TempDir(), "scratch")
	take(t, db, cfg)
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
