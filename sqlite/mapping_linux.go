package sqlite

import (
	"sync"
	"syscall"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The engine uses a mapped database file in three ways that cost a reader dearly,
// and that three methods of the file put right.
//
// With each commit of somebody else that a connection sees, it unmaps the file
// and maps it again: were the file cut and made longer in between, a mapping of
// the right length could on some systems be of pages that the file has no more.
// Under Linux a mapping shows what the file holds, whatever happened to it.
// Unmapping interrupts every processor of the process, and each page has to be
// faulted in again: beside a writer that never rests, half to three quarters of
// a reader's time. So a mapping that is as long as the file stays.
//
// And it takes a page from the mapping anew for each use, and looks through its
// cells each time if cell_size_check asks for that. The pages inside of a b-tree
// have hundreds of them, and nearly every use of a table begins with the same
// ones. So those are read into the page cache, where a page is looked through
// once. They are a hundredth of the file or less.
//
// And while nothing was written since the WAL was empty, it asks the system for
// the length of the file with each transaction: a fifth of a read of one row. The
// mapping knows it.
//
// https://www.sqlite.org/mmap.html

// mapped are the methods of the engine's unix files with three of ours among them.
// All connections share them, for the life of the process. The table lies in the
// engine's memory: checkptr faults where the engine follows an address in Go's.
var mapped struct {
	once     sync.Once
	below    uintptr // the methods they were made of
	methods  uintptr // *lib.Tsqlite3_io_methods, or 0 without memory for it
	fetch    func(tls *libc.TLS, file uintptr, offset int64, n int32, page uintptr) int32
	unfetch  func(tls *libc.TLS, file uintptr, offset int64, page uintptr) int32
	fileSize func(tls *libc.TLS, file, size uintptr) int32
}

// tuneMapping puts the three methods in place, if the file is of the VFS that is
// known and opened to be read. A transaction that writes asks for the mapping of
// pages that it has in its cache, and which the file may have no more: it must
// not look at them. It is called when nothing else uses the connection yet.
func (c *Conn) tuneMapping() {
	if c.file == 0 || c.hooks.VFS != "" {
		return
	}
	if vfs := c.vfsName(); vfs != "unix" && vfs != "unix-excl" {
		return
	}
	if (*lib.TunixFile)(pointer(c.file)).FctrlFlags&lib.UNIXFILE_RDONLY == 0 {
		return
	}
	file := (*lib.Tsqlite3_file)(pointer(c.file))
	mapped.once.Do(func() {
		mapped.below = file.FpMethods
		methods := *(*lib.Tsqlite3_io_methods)(pointer(file.FpMethods))
		mapped.fetch = functionAt[func(*libc.TLS, uintptr, int64, int32, uintptr) int32](methods.FxFetch)
		mapped.unfetch = functionAt[func(*libc.TLS, uintptr, int64, uintptr) int32](methods.FxUnfetch)
		mapped.fileSize = functionAt[func(*libc.TLS, uintptr, uintptr) int32](methods.FxFileSize)
		methods.FxFetch = function(onFetch)
		methods.FxUnfetch = function(onUnfetch)
		methods.FxFileSize = function(onFileSize)
		mapped.methods = keep(c.tls, methods)
	})
	if file.FpMethods == mapped.below && mapped.methods != 0 { // other ways to lock have others
		file.FpMethods = mapped.methods
	}
}

// What a page of a b-tree that has pages below it begins with.
//
// https://www.sqlite.org/fileformat2.html#b_tree_pages
const (
	interiorIndex = 2
	interiorTable = 5
)

// onFetch is the method xFetch. Leaving *page 0 has the engine read the page
// into its cache. A page that is not of a b-tree may begin in the same way, and
// is as well off there.
//
// https://www.sqlite.org/c3ref/io_methods.html
func onFetch(tls *libc.TLS, file uintptr, offset int64, n int32, page uintptr) int32 {
	rc := mapped.fetch(tls, file, offset, n, page)
	if p := uintptrAt(page); rc == lib.SQLITE_OK && p != 0 {
		if kind := *(*byte)(pointer(p)); kind == interiorTable || kind == interiorIndex {
			*(*uintptr)(pointer(page)) = 0
			return mapped.unfetch(tls, file, offset, p)
		}
	}
	return rc
}

// onUnfetch is the method xUnfetch: the engine gives a page back or, if page is
// 0, wants the file unmapped and has no page of it.
func onUnfetch(tls *libc.TLS, file uintptr, offset int64, page uintptr) int32 {
	if page == 0 && mapsAll((*lib.TunixFile)(pointer(file))) {
		return lib.SQLITE_OK
	}
	return mapped.unfetch(tls, file, offset, page)
}

// mapsAll reports whether the mapping is what a new one would be.
func mapsAll(f *lib.TunixFile) bool {
	var stat syscall.Stat_t
	return f.FmmapSize > 0 && syscall.Fstat(int(f.Fh), &stat) == nil && f.FmmapSize == min(stat.Size, f.FmmapSizeMax)
}

// onFileSize is the method xFileSize. Nobody writes to the file while the WAL is
// empty; once there was something in it, onUnfetch comes before this, and has
// seen to it that the mapping is as long as the file.
func onFileSize(tls *libc.TLS, file, size uintptr) int32 {
	f := (*lib.TunixFile)(pointer(file))
	if 0 < f.FmmapSize && f.FmmapSize < f.FmmapSizeMax && walIsEmpty(tls, f) {
		*(*int64)(pointer(size)) = f.FmmapSize
		return lib.SQLITE_OK
	}
	return mapped.fileSize(tls, file, size)
}

// walIsEmpty reports whether the wal-index says so. It does not if the database
// has none.
func walIsEmpty(tls *libc.TLS, f *lib.TunixFile) bool {
	if f.FpShm == 0 {
		return false
	}
	shared := (*lib.TunixShmNode)(pointer((*lib.TunixShm)(pointer(f.FpShm)).FpShmNode))
	var index uintptr
	// Another connection that makes the wal-index longer moves the list of its
	// parts. The index itself is read later: it may fault.
	lib.Xsqlite3_mutex_enter(tls, shared.FpShmMutex)
	if shared.FnRegion > 0 {
		index = uintptrAt(shared.FapRegion)
	}
	lib.Xsqlite3_mutex_leave(tls, shared.FpShmMutex)
	return index != 0 && int32At(index+walFrames) == 0 && int32At(index+walHeader+walFrames) == 0
}
