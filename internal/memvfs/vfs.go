package memvfs

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Name is the name of the VFS.
const Name = "lido-memory"

// files finds a file by its name, and a handle by the number that the engine
// keeps for it. It is a global because the engine calls top-level functions: the
// collector cannot see a closure that only the engine refers to.
var files struct {
	sync.RWMutex
	byName  map[string]*file
	handles map[uintptr]*handle
	last    uintptr
}

var names atomic.Int64

// NewName returns the name of a database that nobody has opened yet.
func NewName() string { return fmt.Sprintf("%s%d", prefix, names.Add(1)) }

// prefix is what the names of files in memory begin with. Others are those of
// the platform: of a database that is attached, or that VACUUM INTO writes.
const prefix = "/" + Name + "/"

// Bytes returns the length of the file of that name: a database, or its WAL
// with "-wal" added.
func Bytes(name string) int64 {
	files.RLock()
	f := files.byName[name]
	files.RUnlock()
	if f == nil {
		return 0
	}
	return f.length()
}

// Count returns how many files there are.
func Count() int {
	files.RLock()
	defer files.RUnlock()
	return len(files.byName)
}

// parent is the platform's own VFS.
var parent uintptr

// Register makes the VFS known to the engine, once, and returns its name.
func Register() (name string, err error) { return Name, register() }

var register = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	if parent = lib.Xsqlite3_vfs_find(tls, 0); parent == 0 {
		return errors.New("memvfs: the platform has no VFS")
	}
	// What is not replaced, time and randomness, is the parent's.
	own := (*lib.Tsqlite3_vfs)(pointer(allocate(tls, unsafe.Sizeof(lib.Tsqlite3_vfs{}))))
	*own = *(*lib.Tsqlite3_vfs)(pointer(parent))
	own.FpNext = 0
	own.FszOsFile = max(own.FszOsFile, int32(unsafe.Sizeof(slot{})))
	name := allocate(tls, uintptr(len(Name)+1))
	copy(bytesAt(name, len(Name)), Name)
	own.FzName = name
	own.FxOpen = function(vfsOpen)
	own.FxDelete = function(vfsDelete)
	own.FxAccess = function(vfsAccess)
	own.FxFullPathname = function(vfsFullPathname)

	methods = allocate(tls, unsafe.Sizeof(lib.Tsqlite3_io_methods{}))
	*(*lib.Tsqlite3_io_methods)(pointer(methods)) = lib.Tsqlite3_io_methods{
		FiVersion:               2, // with shared memory, and without mapped files
		FxClose:                 function(fileClose),
		FxRead:                  function(fileRead),
		FxWrite:                 function(fileWrite),
		FxTruncate:              function(fileTruncate),
		FxSync:                  function(fileSync),
		FxFileSize:              function(fileSize),
		FxLock:                  function(fileLock),
		FxUnlock:                function(fileUnlock),
		FxCheckReservedLock:     function(fileCheckReservedLock),
		FxFileControl:           function(fileControl),
		FxSectorSize:            function(fileSectorSize),
		FxDeviceCharacteristics: function(fileDeviceCharacteristics),
		FxShmMap:                function(fileShmMap),
		FxShmLock:               function(fileShmLock),
		FxShmBarrier:            function(fileShmBarrier),
		FxShmUnmap:              function(fileShmUnmap),
	}
	if rc := lib.Xsqlite3_vfs_register(tls, uintptr(unsafe.Pointer(own)), 0); rc != lib.SQLITE_OK {
		return fmt.Errorf("memvfs: register: SQLite code %d", rc)
	}
	return nil
})

// methods is the table of methods that the engine has for each file.
var methods uintptr

// slot is what the engine keeps for an open file.
type slot struct {
	methods uintptr
	number  uintptr
	shared  uint16 // a bit for each lock of shared memory that it holds shared
}

// HeldOffset is where those bits lie behind the address of the file.
const HeldOffset = unsafe.Offsetof(slot{}.shared)

func handleOf(at uintptr) *handle {
	number := (*slot)(pointer(at)).number
	files.RLock()
	defer files.RUnlock()
	return files.handles[number]
}

// temporary files have no name, or one that the engine has made up.
const temporary = lib.SQLITE_OPEN_TEMP_DB | lib.SQLITE_OPEN_TRANSIENT_DB | lib.SQLITE_OPEN_TEMP_JOURNAL | lib.SQLITE_OPEN_SUBJOURNAL

// isOurs reports whether name is that of a file in memory.
func isOurs(name uintptr) bool { return strings.HasPrefix(libc.GoString(name), prefix) }

func vfsOpen(tls *libc.TLS, _, name, at uintptr, flags int32, outFlags uintptr) int32 {
	if name == 0 || flags&temporary != 0 || !isOurs(name) {
		open := *(*func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32)(funcAt((*lib.Tsqlite3_vfs)(pointer(parent)).FxOpen))
		return open(tls, parent, name, at, flags, outFlags)
	}
	s := (*slot)(pointer(at))
	*s = slot{} // no methods: the engine does not close what failed to open
	text := libc.GoString(name)
	files.Lock()
	defer files.Unlock()
	f := files.byName[text]
	if f == nil {
		if flags&lib.SQLITE_OPEN_CREATE == 0 {
			return lib.SQLITE_CANTOPEN
		}
		if files.byName == nil {
			files.byName, files.handles = make(map[string]*file), make(map[uintptr]*handle)
		}
		f = &file{name: text, main: flags&lib.SQLITE_OPEN_MAIN_DB != 0}
		files.byName[text] = f
	}
	f.openCount++
	files.last++
	files.handles[files.last] = &handle{file: f, slot: s}
	*s = slot{methods: methods, number: files.last}
	if outFlags != 0 {
		*(*int32)(pointer(outFlags)) = flags
	}
	return lib.SQLITE_OK
}

// forget takes the handle away. A database goes with its last one, and so does
// what lies beside it.
func (h *handle) forget(number uintptr) {
	files.Lock()
	defer files.Unlock()
	delete(files.handles, number)
	f := h.file
	if f.openCount--; f.openCount > 0 || !f.main {
		return
	}
	for _, suffix := range []string{"", "-wal", "-journal"} {
		delete(files.byName, f.name+suffix)
	}
}

func vfsDelete(tls *libc.TLS, _, name uintptr, syncDir int32) int32 {
	if !isOurs(name) {
		remove := *(*func(*libc.TLS, uintptr, uintptr, int32) int32)(funcAt((*lib.Tsqlite3_vfs)(pointer(parent)).FxDelete))
		return remove(tls, parent, name, syncDir)
	}
	text := libc.GoString(name)
	files.Lock()
	defer files.Unlock()
	if files.byName[text] == nil {
		return lib.SQLITE_IOERR_DELETE_NOENT
	}
	delete(files.byName, text) // who has it open goes on
	return lib.SQLITE_OK
}

func vfsAccess(tls *libc.TLS, _, name uintptr, flags int32, out uintptr) int32 {
	if !isOurs(name) {
		access := *(*func(*libc.TLS, uintptr, uintptr, int32, uintptr) int32)(funcAt((*lib.Tsqlite3_vfs)(pointer(parent)).FxAccess))
		return access(tls, parent, name, flags, out)
	}
	found := int32(0)
	if Bytes(libc.GoString(name)) > 0 {
		found = 1
	}
	*(*int32)(pointer(out)) = found
	return lib.SQLITE_OK
}

func vfsFullPathname(tls *libc.TLS, _, name uintptr, n int32, out uintptr) int32 {
	if !isOurs(name) {
		fullPathname := *(*func(*libc.TLS, uintptr, uintptr, int32, uintptr) int32)(funcAt((*lib.Tsqlite3_vfs)(pointer(parent)).FxFullPathname))
		return fullPathname(tls, parent, name, n, out)
	}
	text := libc.GoString(name)
	if len(text) >= int(n) {
		return lib.SQLITE_CANTOPEN
	}
	b := bytesAt(out, len(text)+1)
	copy(b, text)
	b[len(text)] = 0
	return lib.SQLITE_OK
}

// pointer turns an address in the engine's memory into a pointer.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

func bytesAt(p uintptr, n int) []byte { return unsafe.Slice((*byte)(pointer(p)), n) }

// function returns the address under which the engine can call f. Only
// top-level functions: the collector does not see the engine's copy.
func function[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) }

// funcAt is the way back: what it returns is to be read as a func.
func funcAt(p uintptr) unsafe.Pointer { return unsafe.Pointer(&struct{ f uintptr }{p}) }

// allocate returns zeroed memory that the collector does not manage and that is
// never given back.
func allocate(tls *libc.TLS, n uintptr) uintptr {
	p := lib.Xsqlite3_malloc(tls, int32(n))
	if p == 0 {
		panic("memvfs: out of memory")
	}
	clear(bytesAt(p, int(n)))
	return p
}
