package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lidodb/lido/backup"
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
