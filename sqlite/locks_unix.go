//go:build unix

package sqlite

import (
	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// dropLocks gives up the locks of a connection that must not be entered any
// more. Left in place, the write lock would block every writer of every
// process, and a read lock the checkpoints, until this process ends.
//
// It goes to the file's own methods, below the pager that was interrupted:
// those that release a lock read nothing but the record of the locks held.
func (c *Conn) dropLocks() {
	if c.file == 0 {
		return
	}
	// A second fault here leaves things as bad as they were, and no worse.
	defer func() { _ = recover() }()
	c.kept.leave(c.tls)
	methods := (*lib.Tsqlite3_io_methods)(pointer((*lib.Tsqlite3_file)(pointer(c.file)).FpMethods))
	if shm := (*lib.TunixFile)(pointer(c.file)).FpShm; shm != 0 {
		shmLock := functionAt[func(*libc.TLS, uintptr, int32, int32, int32) int32](methods.FxShmLock)
		held := (*lib.TunixShm)(pointer(shm))
		shared, exclusive := held.FsharedMask, held.FexclMask
		for i := range int32(lib.SQLITE_SHM_NLOCK) {
			switch bit := uint16(1) << i; {
			case exclusive&bit != 0:
				shmLock(c.tls, c.file, i, 1, lib.SQLITE_SHM_UNLOCK|lib.SQLITE_SHM_EXCLUSIVE)
			case shared&bit != 0:
				shmLock(c.tls, c.file, i, 1, lib.SQLITE_SHM_UNLOCK|lib.SQLITE_SHM_SHARED)
			}
		}
	}
	unlock := functionAt[func(*libc.TLS, uintptr, int32) int32](methods.FxUnlock)
	unlock(c.tls, c.file, lib.SQLITE_LOCK_NONE)
}
