//go:build linux || darwin || freebsd

package health

import (
	"os"

	"golang.org/x/sys/unix"
)

// statfs measures the file system that holds dir.
func statfs(dir string) (space, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(dir, &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return space{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
		}
		break
	}
	// The types of the fields differ between platforms; FreeBSD counts below
	// zero what only root may still use.
	block := uint64(st.Bsize)
	return space{
		freeBytes:  uint64(max(int64(st.Bavail), 0)) * block,
		totalBytes: uint64(st.Blocks) * block,
		freeNodes:  uint64(max(int64(st.Ffree), 0)),
		totalNodes: uint64(st.Files),
	}, nil
}

// sameDevice reports whether both folders are known to be on one device.
func sameDevice(a, b string) bool {
	var sa, sb unix.Stat_t
	return unix.Stat(a, &sa) == nil && unix.Stat(b, &sb) == nil && sa.Dev == sb.Dev
}
