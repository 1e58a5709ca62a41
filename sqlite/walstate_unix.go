//go:build unix

package sqlite

import (
	"unsafe"

	lib "modernc.org/sqlite/lib"
)

// unixHeld returns where a file of the engine's own VFS keeps the locks that it
// holds shared in the wal-index, or 0 if it uses none.
func unixHeld(file uintptr, vfs string) uintptr {
	if vfs != "unix" && vfs != "unix-excl" {
		return 0
	}
	shm := (*lib.TunixFile)(pointer(file)).FpShm
	if shm == 0 {
		return 0
	}
	return shm + unsafe.Offsetof(lib.TunixShm{}.FsharedMask)
}
