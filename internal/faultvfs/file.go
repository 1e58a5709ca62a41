package faultvfs

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido/internal/vfs"
)

// file is one open file. Its connection uses it, one call at a time.
type file struct {
	disk     *Disk // nil: nobody watches it
	kind     Kind
	conn     *conn
	thread   uintptr
	readOnly bool
	parent   uintptr // sqlite3_file* below
	below    *lib.Tsqlite3_io_methods
	number   uintptr

	dead atomic.Bool
	shm  uintptr // the first region of shared memory; guarded by disk.mu
}

// files finds a file from the number in its handle. The callbacks are top-level
// functions, for the collector does not see what the engine keeps.
var files struct {
	sync.RWMutex
	byNumber map[uintptr]*file
	last     uintptr
}

func newFile(tls *libc.TLS, name uintptr, flags int32, parent uintptr) *file {
	f := &file{parent: parent, thread: uintptr(unsafe.Pointer(tls)), readOnly: flags&lib.SQLITE_OPEN_READONLY != 0}
	if name != 0 {
		f.disk, f.kind = diskOf(libc.GoString(name), flags)
	}
	return f
}

// register gives f a number, and finds out whose it is.
func (f *file) register() uintptr {
	files.Lock()
	if files.byNumber == nil {
		files.byNumber = make(map[uintptr]*file)
	}
	files.last++
	f.number = files.last
	files.byNumber[f.number] = f
	files.Unlock()
	if d := f.disk; d != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		c := d.conns[f.thread]
		if c == nil {
			d.last++
			c = &conn{number: d.last, readOnly: f.readOnly}
			d.conns[f.thread] = c
		}
		c.open++
		f.conn = c
		d.files[f] = struct{}{}
		// The -wal of a connection that was killed may be opened later.
		for other := range d.files {
			if other.conn == c && other.dead.Load() {
				f.dead.Store(true)
			}
		}
	}
	return f.number
}

func (f *file) unregister() {
	files.Lock()
	delete(files.byNumber, f.number)
	files.Unlock()
	if d := f.disk; d != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.files, f)
		if f.conn.open--; f.conn.open == 0 {
			delete(d.conns, f.thread)
		}
	}
}

func fileAt(at uintptr) *file {
	number := (*handle)(vfs.Pointer(at)).number
	files.RLock()
	defer files.RUnlock()
	return files.byNumber[number]
}

// before asks the disk about a call.
func (f *file) before(c Call) (int32, *Armed) {
	if f.disk == nil {
		return 0, nil
	}
	c.File = f.kind
	if f.conn != nil {
		c.Conn, c.ReadOnly = f.conn.number, f.conn.readOnly
	} else {
		c.ReadOnly = f.readOnly
	}
	if f.dead.Load() {
		f.disk.calls[bit(c.Op)].Add(1)
		return ioerr(c.Op), nil
	}
	return f.disk.consult(c)
}

// do asks the disk, and then the parent unless the disk has answered.
func (f *file) do(c Call, parent func() int32) int32 {
	code, a := f.before(c)
	if code == 0 {
		return parent()
	}
	if a != nil && a.Through {
		if rc := parent(); rc != lib.SQLITE_OK {
			return rc
		}
		if a.After != nil {
			a.After(c)
		}
	}
	return code
}

// ioerr is how a failure of op is called.
//
// https://www.sqlite.org/rescode.html#ioerr
func ioerr(op Op) int32 {
	switch op {
	case Open:
		return lib.SQLITE_CANTOPEN
	case Delete:
		return lib.SQLITE_IOERR_DELETE
	case Read:
		return lib.SQLITE_IOERR_READ
	case Write:
		return lib.SQLITE_IOERR_WRITE
	case Truncate:
		return lib.SQLITE_IOERR_TRUNCATE
	case Sync:
		return lib.SQLITE_IOERR_FSYNC
	case Size:
		return lib.SQLITE_IOERR_FSTAT
	case Lock:
		return lib.SQLITE_IOERR_LOCK
	case ShmMap:
		return lib.SQLITE_IOERR_SHMMAP
	case ShmLock:
		return lib.SQLITE_IOERR_SHMLOCK
	}
	return lib.SQLITE_IOERR
}

// Failure returns the code with which op fails on a bad disk.
func Failure(op Op) int32 { return ioerr(op) }

func fileClose(tls *libc.TLS, at uintptr) int32 {
	f := fileAt(at)
	f.unregister()
	return vfs.Func[func(*libc.TLS, uintptr) int32](f.below.FxClose)(tls, f.parent)
}

func fileRead(tls *libc.TLS, at, buf uintptr, n int32, offset int64) int32 {
	f := fileAt(at)
	code, _ := f.before(Call{Op: Read, Offset: offset, Bytes: int(n)})
	if code != 0 {
		if code == lib.SQLITE_IOERR_SHORT_READ {
			clear(vfs.Bytes(buf, n)) // as the engine may rely on
		}
		return code
	}
	return vfs.Func[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.below.FxRead)(tls, f.parent, buf, n, offset)
}

// Sizes in the WAL.
//
// https://www.sqlite.org/fileformat2.html#wal_file_format
const (
	walHeaderBytes   = 32
	frameHeaderBytes = 24
)

func fileWrite(tls *libc.TLS, at, buf uintptr, n int32, offset int64) int32 {
	f := fileAt(at)
	c := Call{Op: Write, Offset: offset, Bytes: int(n)}
	if f.kind == WAL && n == frameHeaderBytes && offset >= walHeaderBytes {
		// The size of the database after the commit, or 0 in other frames.
		c.Commit = binary.BigEndian.Uint32(vfs.Bytes(buf, n)[4:]) != 0
	}
	write := vfs.Func[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.below.FxWrite)
	code, a := f.before(c)
	switch {
	case code == 0:
		return write(tls, f.parent, buf, n, offset)
	case a != nil && a.Through:
		if rc := write(tls, f.parent, buf, n, offset); rc != lib.SQLITE_OK {
			return rc
		}
		if a.After != nil {
			a.After(c)
		}
	case a != nil && a.Torn > 0:
		if rc := write(tls, f.parent, buf, min(int32(a.Torn), n), offset); rc != lib.SQLITE_OK {
			return rc
		}
	}
	return code
}

func fileTruncate(tls *libc.TLS, at uintptr, size int64) int32 {
	f := fileAt(at)
	return f.do(Call{Op: Truncate, Offset: size}, func() int32 {
		return vfs.Func[func(*libc.TLS, uintptr, int64) int32](f.below.FxTruncate)(tls, f.parent, size)
	})
}

func fileSync(tls *libc.TLS, at uintptr, flags int32) int32 {
	f := fileAt(at)
	return f.do(Call{Op: Sync}, func() int32 {
		return vfs.Func[func(*libc.TLS, uintptr, int32) int32](f.below.FxSync)(tls, f.parent, flags)
	})
}

func fileSize(tls *libc.TLS, at, size uintptr) int32 {
	f := fileAt(at)
	return f.do(Call{Op: Size}, func() int32 {
		return vfs.Func[func(*libc.TLS, uintptr, uintptr) int32](f.below.FxFileSize)(tls, f.parent, size)
	})
}

func fileLock(tls *libc.TLS, at uintptr, level int32) int32 {
	f := fileAt(at)
	return f.do(Call{Op: Lock}, func() int32 {
		return vfs.Func[func(*libc.TLS, uintptr, int32) int32](f.below.FxLock)(tls, f.parent, level)
	})
}

func fileUnlock(tls *libc.TLS, at uintptr, level int32) int32 {
	f := fileAt(at)
	return vfs.Func[func(*libc.TLS, uintptr, int32) int32](f.below.FxUnlock)(tls, f.parent, level)
}

func fileCheckReservedLock(tls *libc.TLS, at, out uintptr) int32 {
	f := fileAt(at)
	return vfs.Func[func(*libc.TLS, uintptr, uintptr) int32](f.below.FxCheckReservedLock)(tls, f.parent, out)
}
