package migrate

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock takes the lock, or answers errLocked at once.
func tryLock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

// unlockFile leaves the file: Windows does not remove one that is open.
func unlockFile(f *os.File) error { return f.Close() }
