package sqlite

import (
	"runtime/debug"
	"sync"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido/internal/memvfs"
)

// WALState is what the shared memory of a WAL database says at one moment.
// Frames are page versions: one page may have many.
//
// https://www.sqlite.org/walformat.html#the_wal_index_file_format
type WALState struct {
	// PageBytes is the size of a page, and so nearly that of a frame.
	PageBytes int
	// Frames is how many committed frames the WAL holds, Moved how many of
	// these are in the database file already. When all of them are, and nobody
	// reads from the WAL, the next write begins it anew.
	Frames, Moved int
	// Reading reports that the connection has a snapshot, and Pinned counts the
	// frames that no checkpoint can move while it lasts: those written later.
	Reading bool
	Pinned  int
}

// walView is where to look. mu is held while somebody looks, for other
// goroutines may do so while the connection is being closed.
type walView struct {
	mu    sync.Mutex
	index uintptr // the wal-index's first page, or 0
	locks uintptr // a bit for each lock that the connection holds shared there
}

// Offsets in the wal-index's header, of 32-bit numbers but for the page size.
const (
	walPageSize   = 14
	walFrames     = 16
	walHeader     = 48 // the size of the header proper, which is there twice
	walMoved      = 96
	walReadMarks  = 100
	walReaders    = 5
	walFirstRead  = 3 // the number of the lock on the first read mark
	walRegionSize = 32768
)

// viewWAL notes where the wal-index is mapped, if the connection uses one and
// its file is of a VFS that is known: another may have put anything there.
func (c *Conn) viewWAL() {
	c.forgetWAL()
	file := c.filePointer()
	if file == 0 {
		return
	}
	vfs := c.vfsName()
	held := unixHeld(file, vfs)
	if vfs == memvfs.Name {
		held = file + memvfs.HeldOffset
	}
	if held == 0 {
		return
	}
	methods := (*lib.Tsqlite3_io_methods)(pointer((*lib.Tsqlite3_file)(pointer(file)).FpMethods))
	shmMap := functionAt[func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32](methods.FxShmMap)
	out := malloc(c.tls, 8)
	defer free(c.tls, out)
	if rc := shmMap(c.tls, file, 0, walRegionSize, 0, out); rc != lib.SQLITE_OK {
		return
	}
	c.wal.mu.Lock()
	defer c.wal.mu.Unlock()
	c.wal.index, c.wal.locks = uintptrAt(out), held
}

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

// WALState looks at the write-ahead log without a lock and without a system
// call. Any goroutine may call it at any time; the numbers are those of one
// moment each. It answers false where there is nothing to look at: without a
// WAL, after Close, on a platform or a VFS whose memory is not known.
func (c *Conn) WALState() (s WALState, ok bool) {
	c.wal.mu.Lock()
	defer c.wal.mu.Unlock()
	if c.wal.index == 0 {
		return WALState{}, false
	}
	// The memory is a mapped file, which another program can truncate.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			s, ok = WALState{}, false
		}
	}()
	at := func(offset uintptr) int { return int(uint32(int32At(c.wal.index + offset))) }
	s.PageBytes = int(*(*uint16)(pointer(c.wal.index + walPageSize)))
	if s.PageBytes == 1 {
		s.PageBytes = 65536
	}
	s.Frames, s.Moved = at(walFrames), at(walMoved)
	// The two change one after the other when the WAL begins anew.
	s.Moved = min(s.Moved, s.Frames)
	held := *(*uint16)(pointer(c.wal.locks)) &^ c.kept.unused()
	for i := range walReaders {
		if held&(1<<(walFirstRead+i)) == 0 {
			continue
		}
		// Who holds the first lock reads the database file alone, and keeps
		// every checkpoint from writing to it. The others read the WAL up to
		// their mark.
		from := s.Moved
		if i > 0 {
			from = at(walReadMarks + 4*uintptr(i))
		}
		s.Reading, s.Pinned = true, max(0, s.Frames-from)
		break
	}
	return s, true
}

// forgetWAL is called before the memory goes away.
func (c *Conn) forgetWAL() {
	c.wal.mu.Lock()
	defer c.wal.mu.Unlock()
	c.wal.index, c.wal.locks = 0, 0
}
