//go:build unix

package sqlite

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// viewWAL notes where the wal-index is mapped, if the connection uses one and
// its file is one of the engine's own VFS: another may have put anything there.
func (c *Conn) viewWAL() {
	c.forgetWAL()
	file := c.filePointer()
	if name := c.vfsName(); file == 0 || name != "unix" && name != "unix-excl" {
		return
	}
	shm := (*lib.TunixFile)(pointer(file)).FpShm
	if shm == 0 {
		return
	}
	methods := (*lib.Tsqlite3_io_methods)(pointer((*lib.Tsqlite3_file)(pointer(file)).FpMethods))
	shmMap := *(*func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32)(unsafe.Pointer(&struct{ f uintptr }{methods.FxShmMap}))
	out := malloc(c.tls, 8)
	defer free(c.tls, out)
	if rc := shmMap(c.tls, file, 0, walRegionSize, 0, out); rc != lib.SQLITE_OK {
		return
	}
	c.wal.mu.Lock()
	defer c.wal.mu.Unlock()
	c.wal.index, c.wal.locks = uintptrAt(out), shm
}

// heldReadLocks is a bit for each lock in the wal-index that c holds shared.
func (c *Conn) heldReadLocks() uint16 { return (*lib.TunixShm)(pointer(c.wal.locks)).FsharedMask }

// vfsName is the name of the VFS, those that are stacked on others included.
//
// https://www.sqlite.org/c3ref/c_fcntl_begin_atomic_write.html#sqlitefcntlvfsname
func (c *Conn) vfsName() string {
	out := malloc(c.tls, 8)
	defer free(c.tls, out)
	*(*uintptr)(pointer(out)) = 0
	if rc := lib.Xsqlite3_file_control(c.tls, c.db, 0, lib.SQLITE_FCNTL_VFSNAME, out); rc != lib.SQLITE_OK {
		return ""
	}
	name := uintptrAt(out)
	defer free(c.tls, name)
	return libc.GoString(name)
}
