package memvfs

import (
	"sync"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido/internal/vfs"
)

// locks are those on a database file, by the engine's rules.
//
// https://www.sqlite.org/lockingv3.html
type locks struct {
	mu       sync.Mutex
	readers  int     // handles at SHARED or above; guarded by mu
	reserved *handle // at RESERVED or above, or nil; guarded by mu
	pending  *handle // at PENDING or above, or nil; guarded by mu
}

func (l *locks) lock(h *handle, level int32) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.level >= level {
		return lib.SQLITE_OK
	}
	switch level {
	case lib.SQLITE_LOCK_SHARED:
		if l.pending != nil {
			return lib.SQLITE_BUSY
		}
		l.readers++
	case lib.SQLITE_LOCK_RESERVED:
		if l.reserved != nil {
			return lib.SQLITE_BUSY
		}
		l.reserved = h
	default:
		if l.reserved != nil && l.reserved != h || l.pending != nil && l.pending != h {
			return lib.SQLITE_BUSY
		}
		if h.level == lib.SQLITE_LOCK_RESERVED { // from now on nobody new comes in
			l.pending, h.level = h, lib.SQLITE_LOCK_PENDING
		}
		if level == lib.SQLITE_LOCK_EXCLUSIVE && l.readers > 1 {
			return lib.SQLITE_BUSY
		}
		l.pending = h
	}
	h.level = level
	return lib.SQLITE_OK
}

func (l *locks) unlock(h *handle, level int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.level <= level {
		return
	}
	if l.reserved == h {
		l.reserved = nil
	}
	if l.pending == h {
		l.pending = nil
	}
	if level == lib.SQLITE_LOCK_NONE {
		l.readers--
	}
	h.level = level
}

func fileLock(_ *libc.TLS, at uintptr, level int32) int32 {
	h := handleOf(at)
	return h.file.locks.lock(h, level)
}

func fileUnlock(_ *libc.TLS, at uintptr, level int32) int32 {
	h := handleOf(at)
	h.file.locks.unlock(h, level)
	return lib.SQLITE_OK
}

func fileCheckReservedLock(_ *libc.TLS, at, out uintptr) int32 {
	l := &handleOf(at).file.locks
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := int32(0)
	if l.reserved != nil || l.pending != nil {
		taken = 1
	}
	*(*int32)(vfs.Pointer(out)) = taken
	return lib.SQLITE_OK
}
