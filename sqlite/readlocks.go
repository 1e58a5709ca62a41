package sqlite

import (
	"sync"
	"sync/atomic"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// ReadLocks has the connections of one database file keep the lock of their
// last read for the next one. A read of a WAL database takes a shared lock on a
// read mark and gives it back, which is a system call each; for a row that is
// found at once they are a third of the work.
//
// A lock is kept only while nobody else has the file open: no other process,
// and no connection of this one that was opened without the same ReadLocks. A
// connection that shares them and needs such a lock for itself, to move or to
// begin anew the WAL, takes it at once. Nobody who comes finds a lock that is
// kept for longer than it takes until the next Look.
//
// It is for the platform's own layer below the engine on unix systems, and does
// nothing for connections of another. All methods are safe for concurrent use.
//
// https://www.sqlite.org/walformat.html#wal_locks
type ReadLocks struct {
	wake   chan struct{}
	keep   atomic.Bool  // locks are kept
	awake  atomic.Bool  // the owner calls Look now and then
	sparse atomic.Int32 // reads since it does not

	mu      sync.Mutex
	members []*keptLock // guarded by mu, which is taken before that of a member
	tls     *libc.TLS   // of Look; guarded by mu
	closed  bool        // guarded by mu
}

// manyReads is how many reads there must be before anybody looks after them. To
// keep the locks of a few would cost more than it saves.
const manyReads = 16

// keptLock is a connection's part in it.
type keptLock struct {
	locks   *ReadLocks
	file    uintptr // sqlite3_file*
	below   uintptr // the file's own methods
	ours    uintptr // those in their place
	number  int
	shmLock func(tls *libc.TLS, file uintptr, first, n, flags int32) int32

	// mu is held while anything happens to the file's locks on read marks, for
	// any connection may give up what this one keeps.
	mu   sync.Mutex
	slot int32 // the lock that is kept, or 0, which is none that is ever kept
	used bool  // the connection has read since the last Look
}

// NewReadLocks returns locks that nobody keeps yet. The owner calls Look when
// Wake says so, and then, for as long as Look says so, every now and then.
func NewReadLocks() *ReadLocks {
	return &ReadLocks{wake: make(chan struct{}, 1), tls: libc.NewTLS()}
}

// Wake returns a channel that has something when it is time to call Look.
func (l *ReadLocks) Wake() <-chan struct{} { return l.wake }

// Look sees whether locks may be kept, and gives up those that may not, or that
// were not used since the last Look. It reports whether the owner is to look
// again soon; if not, no lock is kept until Wake says that there is more to
// read. It costs two system calls or so, and waits for nobody.
func (l *ReadLocks) Look() (again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	busy := false
	for _, m := range l.members {
		m.mu.Lock()
		busy = busy || m.used
		m.mu.Unlock()
	}
	// Before the locks are given up: what is kept after that was kept because
	// of what is set here.
	l.keep.Store(busy && l.alone())
	if l.awake.Store(busy); !busy {
		l.sparse.Store(0)
	}
	for _, m := range l.members {
		m.settle(l.tls, l.keep.Load())
	}
	return busy
}

// Kept returns how many connections keep a lock that they do not use.
func (l *ReadLocks) Kept() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.members {
		if m.unused() != 0 {
			n++
		}
	}
	return n
}

// Close gives up what is kept. No lock is kept from then on; the connections
// remain usable. Closing again does nothing.
func (l *ReadLocks) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	l.awake.Store(true) // nobody is to be woken
	l.keep.Store(false)
	for _, m := range l.members {
		m.settle(l.tls, false)
	}
	l.tls.Close()
}

// giveUp makes way for an exclusive lock on n slots.
func (l *ReadLocks) giveUp(tls *libc.TLS, first, n int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.members {
		m.mu.Lock()
		if first <= m.slot && m.slot < first+n {
			m.giveUp(tls)
		}
		m.mu.Unlock()
	}
}

// hasRead counts reads while nobody looks.
func (l *ReadLocks) hasRead() {
	if !l.awake.Load() && l.sparse.Add(1) == manyReads {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// lock is the engine's call for the connection's file. first and n say which of
// the locks in the wal-index.
//
// https://www.sqlite.org/c3ref/io_methods.html
func (m *keptLock) lock(tls *libc.TLS, first, n, flags int32) int32 {
	if first+n <= walFirstRead {
		return m.shmLock(tls, m.file, first, n, flags)
	}
	if flags == lib.SQLITE_SHM_LOCK|lib.SQLITE_SHM_EXCLUSIVE {
		m.locks.giveUp(tls, first, n)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch flags {
	case lib.SQLITE_SHM_LOCK | lib.SQLITE_SHM_SHARED:
		m.used = true
		if m.slot == first {
			// Nobody can have changed the mark, for the lock was never open.
			m.slot = 0
			return lib.SQLITE_OK
		}
		m.giveUp(tls) // an older mark, which would only be in the way
	case lib.SQLITE_SHM_UNLOCK | lib.SQLITE_SHM_SHARED:
		if m.locks.keep.Load() {
			m.giveUp(tls)
			m.slot = first
			return lib.SQLITE_OK
		}
		m.locks.hasRead()
	}
	return m.shmLock(tls, m.file, first, n, flags)
}

// giveUp gives up what is kept. The caller holds mu.
func (m *keptLock) giveUp(tls *libc.TLS) {
	if m.slot != 0 {
		m.shmLock(tls, m.file, m.slot, 1, lib.SQLITE_SHM_UNLOCK|lib.SQLITE_SHM_SHARED)
		m.slot = 0
	}
}

// settle begins another round, into which a lock goes that keep allows and that
// was used in the last one.
func (m *keptLock) settle(tls *libc.TLS, keep bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !keep || !m.used {
		m.giveUp(tls)
	}
	m.used = false
}

// unused returns the lock that is kept but not used, as a bit of its slot.
func (m *keptLock) unused() uint16 {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return 1 << m.slot &^ 1
}
