//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package backup

import (
	"errors"
	"os"
	"syscall"
)

// noFollow makes open refuse a symbolic link.
const noFollow = syscall.O_NOFOLLOW

// isLink reports whether open with noFollow has met a link. FreeBSD says so by
// EMLINK, NetBSD by EFTYPE, which Lstat has found before.
func isLink(err error) bool {
	return errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK)
}

// tryLockFile takes an exclusive lock that ends with the descriptor, so that
// a killed process leaves none behind. It reports false when another
// descriptor, of this process or another, has it.
func tryLockFile(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		}
		return false, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
}

// copyOwner gives path the owner of the file that old describes. Only root
// may do so; anybody else owns both files or could not replace the first.
func copyOwner(path string, old os.FileInfo) error {
	st, ok := old.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(path, int(st.Uid), int(st.Gid))
}

// isPrivate reports whether a folder is this user's and nobody else's.
func isPrivate(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && info.Mode().Perm()&0o077 == 0
}
