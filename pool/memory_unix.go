//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pool

import (
	"os"
	"syscall"
)

// lockFolder takes a lock that ends with the process, or fails if another has
// it.
func lockFolder(folder string) (unlock func(), err error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
