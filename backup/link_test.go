package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido/backup"
)

func TestLink_asTheLockIsRefused(t *testing.T) {
	elsewhere := t.TempDir()
	precious := filepath.Join(elsewhere, "precious")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{precious, filepath.Join(elsewhere, "absent"), elsewhere} {
		dir := t.TempDir()
		if err := os.Symlink(to, filepath.Join(dir, ".lock")); err != nil {
			t.Fatal(err)
		}
		_, unlock, err := backup.NewDirStore(dir).Lock(t.Context())
		if err == nil {
			unlock()
		}
		if !errors.Is(err, backup.ErrForeign) {
			t.Errorf("a lock that leads to %s: %v", to, err)
		}
	}
	absent(t, filepath.Join(elsewhere, "absent"))
}

// A backup of which a part is a link is refused, and no sweep removes the rest.
func TestLink_asAPartOfABackupIsRefused(t *testing.T) {
	source, m := newBackup(t)
	for _, name := range parts(m) {
		dir := copyDir(t, source)
		moved := filepath.Join(t.TempDir(), "moved")
		if err := errors.Join(os.Rename(filepath.Join(dir, name), moved), os.Symlink(moved, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
		refuse(t, dir, m.ID, backup.ErrForeign)
		if _, err := backup.Prune(t.Context(), backup.NewDirStore(dir), backup.Keep{Count: 1}); err != nil {
			t.Error(err)
		}
		for _, left := range append(parts(m), "") {
			if _, err := os.Lstat(filepath.Join(dir, left)); err != nil {
				t.Errorf("%s as a link: %v", name, err)
			}
		}
	}
}

func TestLink_inTheScratchFolderIsLeftAlone(t *testing.T) {
	base, precious := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(base, "run-0123456789abcdef.lock")
	if err := os.Symlink(precious, link); err != nil {
		t.Fatal(err)
	}
	if err := backup.SweepRun(base); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(link); err != nil {
		t.Error(err)
	}
}
