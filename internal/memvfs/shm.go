package memvfs

import (
	"sync"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido/internal/vfs"
)

// shm is the memory that the connections to a database share, with its locks:
// the index of the WAL.
//
// https://www.sqlite.org/c3ref/io_methods.html
type shm struct {
	mu      sync.Mutex
	regions []uintptr // in the engine's memory; guarded by mu
	users   int       // handles that have it mapped; guarded by mu
	// shared counts the handles that share a lock; exclusive is who has it
	// alone. Guarded by mu.
	shared    [lib.SQLITE_SHM_NLOCK]int
	exclusive [lib.SQLITE_SHM_NLOCK]*handle
}

func fileShmMap(tls *libc.TLS, at uintptr, region, size, extend int32, out uintptr) int32 {
	h := handleOf(at)
	m := &h.file.shm
	m.mu.Lock()
	defer m.mu.Unlock()
	if !h.mapped {
		h.mapped = true
		m.users++
	}
	*(*uintptr)(vfs.Pointer(out)) = 0
	for len(m.regions) <= int(region) {
		if extend == 0 {
			return lib.SQLITE_OK
		}
		p := lib.Xsqlite3_malloc(tls, size)
		if p == 0 {
			return lib.SQLITE_NOMEM
		}
		clear(vfs.Bytes(p, int(size)))
		m.regions = append(m.regions, p)
	}
	*(*uintptr)(vfs.Pointer(out)) = m.regions[region]
	return lib.SQLITE_OK
}

func fileShmLock(_ *libc.TLS, at uintptr, first, n, flags int32) int32 {
	h := handleOf(at)
	m := &h.file.shm
	m.mu.Lock()
	defer m.mu.Unlock()
	mask := uint16(1<<(first+n) - 1<<first)
	if flags&lib.SQLITE_SHM_UNLOCK != 0 {
		m.release(h, mask)
		return lib.SQLITE_OK
	}
	alone := flags&lib.SQLITE_SHM_EXCLUSIVE != 0
	for i := first; i < first+n; i++ {
		bit := uint16(1) << i
		others := m.shared[i]
		if h.slot.shared&bit != 0 {
			others--
		}
		if m.exclusive[i] != nil && m.exclusive[i] != h || alone && others > 0 {
			return lib.SQLITE_BUSY
		}
	}
	for i := first; i < first+n; i++ {
		bit := uint16(1) << i
		if alone {
			m.exclusive[i] = h
			h.exclusive |= bit
		} else if h.slot.shared&bit == 0 {
			m.shared[i]++
			h.slot.shared |= bit
		}
	}
	return lib.SQLITE_OK
}

// release gives up what h holds of the locks in mask. m.mu is held.
func (m *shm) release(h *handle, mask uint16) {
	for i := range lib.SQLITE_SHM_NLOCK {
		bit := uint16(1) << i & mask
		if h.slot.shared&bit != 0 {
			m.shared[i]--
		}
		if h.exclusive&bit != 0 {
			m.exclusive[i] = nil
		}
	}
	h.slot.shared &^= mask
	h.exclusive &^= mask
}

// fileShmBarrier orders what was written to shared memory before it and after.
func fileShmBarrier(_ *libc.TLS, at uintptr) {
	m := &handleOf(at).file.shm
	m.mu.Lock()
	m.mu.Unlock() //lint:ignore SA2001 taking the lock is all that is needed
}

func fileShmUnmap(tls *libc.TLS, at uintptr, _ int32) int32 {
	h := handleOf(at)
	h.file.shm.unmap(tls, h)
	return lib.SQLITE_OK
}

// unmap frees the memory with its last user.
func (m *shm) unmap(tls *libc.TLS, h *handle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !h.mapped {
		return
	}
	m.release(h, ^uint16(0))
	h.mapped = false
	if m.users--; m.users > 0 {
		return
	}
	for _, p := range m.regions {
		lib.Xsqlite3_free(tls, p)
	}
	m.regions = nil
}
