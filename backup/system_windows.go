package backup

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// noFollow has no counterpart here: Lstat alone finds links, which only
// administrators make.
const noFollow = 0

func isLink(error) bool { return false }

// tryLockFile takes an exclusive lock that ends with the handle, so that a
// killed process leaves none behind. It reports false when another handle, of
// this process or another, has it.
func tryLockFile(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	return true, nil
}

// copyOwner does nothing: a new file inherits what its folder grants.
func copyOwner(string, os.FileInfo) error { return nil }

// isPrivate accepts every folder: the one for temporary files is the user's
// own there.
func isPrivate(os.FileInfo) bool { return true }
