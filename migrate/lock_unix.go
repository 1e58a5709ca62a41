//go:build !windows

package migrate

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the lock, or answers errLocked at once.
func tryLock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errLocked
		default:
			return err
		}
	}
}

// unlockFile removes the file while it is still locked: whoever opened it
// before finds out in take that it has gone.
func unlockFile(f *os.File) error {
	return errors.Join(os.Remove(f.Name()), f.Close())
}
