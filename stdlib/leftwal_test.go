package stdlib_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/lidodb/lido/pool"
)

// Close leaves neither -wal nor -shm. What a test does that wants them is in
// docs/stdlib.md.
func TestACopyOfTheFileAndItsWALIsWhatACrashLeaves(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs cp")
	}
	path, copied := filepath.Join(t.TempDir(), "app.db"), filepath.Join(t.TempDir(), "copy.db")
	db, handle := openPath(t, path, pool.Config{WALAutocheckpointPages: -1})
	exec(t, handle, people)
	for _, suffix := range []string{"", "-wal"} {
		// Another process: this one would lose its locks on closing the file.
		if out, err := osexec.Command("cp", path+suffix, copied+suffix).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if err := errors.Join(handle.Close(), db.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s after Close: %v", suffix, err)
		}
	}
	if wal, err := os.Stat(copied + "-wal"); err != nil || wal.Size() == 0 {
		t.Fatalf("the copy of the WAL: %v", err)
	}
	_, again := openPath(t, copied, pool.Config{})
	equal(t, "rows", one[int](t, again, "SELECT count(*) FROM people"), 2)
}
