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

	"github.com/lidodb/lido/internal/vfs"
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
	if parent = vfs.Find(""); parent == 0 {
		return errors.New("memvfs: the platform has no VFS")
	}
	methods = vfs.Methods(lib.Tsqlite3_io_methods{
		FiVersion:               2, // with shared memory, and without mapped files
		FxClose:                 vfs.Function(fileClose),
		FxRead:                  vfs.Function(fileRead),
		FxWrite:                 vfs.Function(fileWrite),
		FxTruncate:              vfs.Function(fileTruncate),
		FxSync:                  vfs.Function(fileSync),
		FxFileSize:              vfs.Function(fileSize),
		FxLock:                  vfs.Function(fileLock),
		FxUnlock:                vfs.Function(fileUnlock),
		FxCheckReservedLock:     vfs.Function(fileCheckReservedLock),
		FxFileControl:           vfs.Function(fileControl),
		FxSectorSize:            vfs.Function(fileSectorSize),
		FxDeviceCharacteristics: vfs.Function(fileDeviceCharacteristics),
		FxShmMap:                vfs.Function(fileShmMap),
		FxShmLock:               vfs.Function(fileShmLock),
		FxShmBarrier:            vfs.Function(fileShmBarrier),
		FxShmUnmap:              vfs.Function(fileShmUnmap),
	})
	// What is not replaced, time and randomness, is the parent's.
	_, err := vfs.Register(Name, parent, func(own *lib.Tsqlite3_vfs) {
		own.FszOsFile = max(own.FszOsFile, int32(unsafe.Sizeof(slot{})))
		own.FxOpen = vfs.Function(vfsOpen)
		own.FxDelete = vfs.Function(vfsDelete)
		own.FxAccess = vfs.Function(vfsAccess)
		own.FxFullPathname = vfs.Function(vfsFullPathname)
	})
	if err != nil {
		return fmt.Errorf("memvfs: %w", err)
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
	number := (*slot)(vfs.Pointer(at)).number
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
		open := vfs.Func[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32]((*lib.Tsqlite3_vfs)(vfs.Pointer(parent)).FxOpen)
		return open(tls, parent, name, at, flags, outFlags)
	}
	s := (*slot)(vfs.Pointer(at))
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
		*(*int32)(vfs.Pointer(outFlags)) = flags
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
		remove := vfs.Func[func(*libc.TLS, uintptr, uintptr, int32) int32]((*lib.Tsqlite3_vfs)(vfs.Pointer(parent)).FxDelete)
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
		access := vfs.Func[func(*libc.TLS, uintptr, uintptr, int32, uintptr) int32]((*lib.Tsqlite3_vfs)(vfs.Pointer(parent)).FxAccess)
		return access(tls, parent, name, flags, out)
	}
	found := int32(0)
	if Bytes(libc.GoString(name)) > 0 {
		found = 1
	}
	*(*int32)(vfs.Pointer(out)) = found
	return lib.SQLITE_OK
}

func vfsFullPathname(tls *libc.TLS, _, name uintptr, n int32, out uintptr) int32 {
	if !isOurs(name) {
		fullPathname := vfs.Func[func(*libc.TLS, uintptr, uintptr, int32, uintptr) int32]((*lib.Tsqlite3_vfs)(vfs.Pointer(parent)).FxFullPathname)
		return fullPathname(tls, parent, name, n, out)
	}
	text := libc.GoString(name)
	if len(text) >= int(n) {
		return lib.SQLITE_CANTOPEN
	}
	b := vfs.Bytes(out, len(text)+1)
	copy(b, text)
	b[len(text)] = 0
	return lib.SQLITE_OK
}
