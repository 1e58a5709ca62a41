//go:build unix

package sqlite

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// keptLocks finds a connection's part from the number behind its methods. It is
// a global because the engine calls top-level functions only. Each read comes
// here twice, on every processor: the table is changed by making another one.
var keptLocks struct {
	sync.Mutex // held by whoever changes the table
	table      atomic.Pointer[[]*keptLock]
}

// keptMethods are a file's methods in the engine's memory. Two are ours.
type keptMethods struct {
	lib.Tsqlite3_io_methods
	number int
}

// dmsOffset is where in -shm whoever has it mapped holds a shared lock.
//
// https://www.sqlite.org/walformat.html#wal_locks
const dmsOffset = (22+lib.SQLITE_SHM_NLOCK)*4 + lib.SQLITE_SHM_NLOCK

// join has the connection keep its read locks, if its file is of the VFS whose
// locks are known. It is called when nothing else uses the connection yet.
func (l *ReadLocks) join(c *Conn) {
	if l == nil || c.file == 0 || c.hooks.VFS != "" || c.vfsName() != "unix" {
		return
	}
	file := (*lib.Tsqlite3_file)(pointer(c.file))
	ours := malloc(c.tls, int(unsafe.Sizeof(keptMethods{})))
	if ours == 0 {
		return
	}
	m := &keptLock{locks: l, file: c.file, below: file.FpMethods, ours: ours}
	below := (*lib.Tsqlite3_io_methods)(pointer(m.below))
	m.shmLock = functionAt[func(*libc.TLS, uintptr, int32, int32, int32) int32](below.FxShmLock)
	m.enlist()
	methods := (*keptMethods)(pointer(ours))
	*methods = keptMethods{Tsqlite3_io_methods: *below, number: m.number}
	methods.FxShmLock = function(onShmLock)
	methods.FxShmUnmap = function(onShmUnmap)
	file.FpMethods = ours

	l.mu.Lock()
	defer l.mu.Unlock()
	l.members = append(l.members, m)
	c.kept = m
}

// leave gives up what the connection keeps, and gives its file back the methods
// it had.
func (m *keptLock) leave(tls *libc.TLS) {
	if m == nil {
		return
	}
	l := m.locks
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.ours == 0 {
		return
	}
	l.members = slices.DeleteFunc(l.members, func(other *keptLock) bool { return other == m })
	m.settle(tls, false)
	(*lib.Tsqlite3_file)(pointer(m.file)).FpMethods = m.below
	m.strike()
	free(tls, m.ours)
	m.ours = 0
}

// enlist gives m its number.
func (m *keptLock) enlist() {
	keptLocks.Lock()
	defer keptLocks.Unlock()
	var table []*keptLock
	if p := keptLocks.table.Load(); p != nil {
		table = slices.Clone(*p)
	}
	if m.number = slices.Index(table, nil); m.number < 0 {
		m.number, table = len(table), append(table, nil)
	}
	table[m.number] = m
	keptLocks.table.Store(&table)
}

// strike frees the number.
func (m *keptLock) strike() {
	keptLocks.Lock()
	defer keptLocks.Unlock()
	table := slices.Clone(*keptLocks.table.Load())
	table[m.number] = nil
	keptLocks.table.Store(&table)
}

func keptLockOf(file uintptr) *keptLock {
	methods := (*keptMethods)(pointer((*lib.Tsqlite3_file)(pointer(file)).FpMethods))
	return (*keptLocks.table.Load())[methods.number]
}

// onShmLock is the method xShmLock.
func onShmLock(tls *libc.TLS, file uintptr, first, n, flags int32) int32 {
	return keptLockOf(file).lock(tls, first, n, flags)
}

// onShmUnmap is the method xShmUnmap, called when the journal is not a WAL any
// more. The engine has no lock then, and frees its record of them.
func onShmUnmap(tls *libc.TLS, file uintptr, remove int32) int32 {
	m := keptLockOf(file)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.giveUp(tls)
	below := (*lib.Tsqlite3_io_methods)(pointer(m.below))
	unmap := functionAt[func(*libc.TLS, uintptr, int32) int32](below.FxShmUnmap)
	return unmap(tls, file, remove)
}

// alone reports whether nobody but the members has the file's shared memory
// mapped. A connection that was given up after a fault never lets go of it. The
// caller holds mu.
func (l *ReadLocks) alone() bool {
	var shared *lib.TunixShmNode
	var count int32
	for _, m := range l.members {
		m.mu.Lock()
		shm := (*lib.TunixFile)(pointer(m.file)).FpShm
		if shm != 0 {
			count++
		}
		if shm != 0 && shared == nil {
			shared = (*lib.TunixShmNode)(pointer((*lib.TunixShm)(pointer(shm)).FpShmNode))
			defer m.mu.Unlock() // so that it stays mapped
			continue
		}
		m.mu.Unlock()
	}
	if shared == nil || shared.FnRef != count || shared.FhShm < 0 || shared.FisReadonly != 0 {
		return false
	}
	// A lock of this process is never in its own way: what is found is of another.
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: dmsOffset, Len: 1}
	err := syscall.FcntlFlock(uintptr(shared.FhShm), syscall.F_GETLK, &lock)
	return err == nil && lock.Type == syscall.F_UNLCK
}
