package memvfs

import (
	"sync"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido/internal/vfs"
)

// chunkBytes is how much a file grows by.
const chunkBytes = 64 << 10

// file is one file, open or not.
type file struct {
	name      string
	main      bool // a database, not something beside it
	openCount int  // guarded by files

	mu     sync.RWMutex
	chunks []*[chunkBytes]byte // guarded by mu
	size   int64               // guarded by mu

	locks locks
	shm   shm
}

// handle is a file that was opened once.
type handle struct {
	file *file
	// What it holds, guarded by the file's locks and shm.
	level     int32
	mapped    bool
	exclusive uint16
	slot      *slot // what the engine keeps of it
}

func (f *file) length() int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.size
}

// pieces calls do for each piece of the n bytes at offset, which must exist.
func (f *file) pieces(offset int64, n int, do func(piece []byte, at int)) {
	for at := 0; at < n; {
		within := int((offset + int64(at)) % chunkBytes)
		piece := f.chunks[(offset+int64(at))/chunkBytes][within:]
		piece = piece[:min(len(piece), n-at)]
		do(piece, at)
		at += len(piece)
	}
}

func fileRead(_ *libc.TLS, at, buf uintptr, n int32, offset int64) int32 {
	f := handleOf(at).file
	out := vfs.Bytes(buf, int(n))
	f.mu.RLock()
	defer f.mu.RUnlock()
	there := int(max(0, min(int64(n), f.size-offset)))
	f.pieces(offset, there, func(piece []byte, at int) { copy(out[at:], piece) })
	if there < len(out) {
		clear(out[there:])
		return lib.SQLITE_IOERR_SHORT_READ
	}
	return lib.SQLITE_OK
}

func fileWrite(_ *libc.TLS, at, buf uintptr, n int32, offset int64) int32 {
	f := handleOf(at).file
	in := vfs.Bytes(buf, int(n))
	f.mu.Lock()
	defer f.mu.Unlock()
	for int64(len(f.chunks))*chunkBytes < offset+int64(n) {
		f.chunks = append(f.chunks, new([chunkBytes]byte))
	}
	f.pieces(offset, len(in), func(piece []byte, at int) { copy(piece, in[at:]) })
	f.size = max(f.size, offset+int64(n))
	return lib.SQLITE_OK
}

func fileTruncate(_ *libc.TLS, at uintptr, size int64) int32 {
	f := handleOf(at).file
	f.mu.Lock()
	defer f.mu.Unlock()
	if size >= f.size {
		return lib.SQLITE_OK
	}
	kept := (size + chunkBytes - 1) / chunkBytes
	clear(f.chunks[kept:])
	f.chunks = f.chunks[:kept]
	if within := size % chunkBytes; within > 0 { // lest old bytes come back
		clear(f.chunks[kept-1][within:])
	}
	f.size = size
	return lib.SQLITE_OK
}

func fileSync(*libc.TLS, uintptr, int32) int32 { return lib.SQLITE_OK }

func fileSize(_ *libc.TLS, at, out uintptr) int32 {
	*(*int64)(vfs.Pointer(out)) = handleOf(at).file.length()
	return lib.SQLITE_OK
}

func fileClose(tls *libc.TLS, at uintptr) int32 {
	Abandon(tls, at)
	*(*slot)(vfs.Pointer(at)) = slot{}
	return lib.SQLITE_OK
}

// Abandon closes the file at that address, in the engine's memory, behind the
// engine's back: of a connection that must not be entered any more.
func Abandon(tls *libc.TLS, at uintptr) {
	h := handleOf(at)
	h.file.shm.unmap(tls, h)
	h.file.locks.unlock(h, lib.SQLITE_LOCK_NONE)
	h.forget((*slot)(vfs.Pointer(at)).number)
}

func fileControl(tls *libc.TLS, _ uintptr, op int32, arg uintptr) int32 {
	if op != lib.SQLITE_FCNTL_VFSNAME {
		return lib.SQLITE_NOTFOUND
	}
	text := lib.Xsqlite3_malloc(tls, int32(len(Name)+1)) // the caller frees it
	if text == 0 {
		return lib.SQLITE_NOMEM
	}
	copy(vfs.Bytes(text, len(Name)+1), Name+"\x00")
	*(*uintptr)(vfs.Pointer(arg)) = text
	return lib.SQLITE_OK
}

func fileSectorSize(*libc.TLS, uintptr) int32 { return 4096 }

func fileDeviceCharacteristics(*libc.TLS, uintptr) int32 {
	return lib.SQLITE_IOCAP_POWERSAFE_OVERWRITE
}
