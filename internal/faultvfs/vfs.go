package faultvfs

import (
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// handleBytes is what the layer keeps in front of the parent's file: the
// address of its methods, and the number under which it finds its own file.
const handleBytes = 16

type handle struct {
	methods uintptr
	number  uintptr
}

// layers are the VFSes that were registered here, by their own address and by
// the name of their parent. They stay for as long as the process lives.
var layers struct {
	sync.RWMutex
	byAddress map[uintptr]*layer
	byParent  map[string]*layer
}

type layer struct {
	name    string
	parent  uintptr    // sqlite3_vfs*
	methods [2]uintptr // of files without shared memory, and with it
}

// Register puts a layer over the VFS called parent, the platform's own if that
// is empty, and returns its name. Registering again returns the same.
func Register(parent string) (name string, err error) {
	layers.Lock()
	defer layers.Unlock()
	if l := layers.byParent[parent]; l != nil {
		return l.name, nil
	}
	tls := libc.NewTLS()
	defer tls.Close()
	var zParent uintptr
	if parent != "" {
		zParent = cString(parent)
	}
	below := lib.Xsqlite3_vfs_find(tls, zParent)
	if below == 0 {
		return "", fmt.Errorf("faultvfs: there is no VFS %q", parent)
	}
	l := &layer{name: strings.TrimSuffix("faultvfs-"+parent, "-"), parent: below}
	l.methods[0] = newMethods(1)
	l.methods[1] = newMethods(3)

	// What is not replaced goes to the parent's functions as it is, and finds
	// there the fields that the parent would have had.
	own := (*lib.Tsqlite3_vfs)(pointer(allocate(unsafe.Sizeof(lib.Tsqlite3_vfs{}))))
	*own = *(*lib.Tsqlite3_vfs)(pointer(below))
	own.FpNext = 0
	own.FszOsFile += handleBytes
	own.FzName = cString(l.name)
	own.FxOpen = function(vfsOpen)
	own.FxDelete = function(vfsDelete)
	address := uintptr(unsafe.Pointer(own))
	if rc := lib.Xsqlite3_vfs_register(tls, address, 0); rc != lib.SQLITE_OK {
		return "", fmt.Errorf("faultvfs: register %s: SQLite code %d", l.name, rc)
	}
	if layers.byAddress == nil {
		layers.byAddress, layers.byParent = make(map[uintptr]*layer), make(map[string]*layer)
	}
	layers.byAddress[address], layers.byParent[parent] = l, l
	return l.name, nil
}

func layerOf(vfs uintptr) *layer {
	layers.RLock()
	defer layers.RUnlock()
	return layers.byAddress[vfs]
}

// newMethods returns the table of methods for files of that version.
func newMethods(version int32) uintptr {
	p := allocate(unsafe.Sizeof(lib.Tsqlite3_io_methods{}))
	*(*lib.Tsqlite3_io_methods)(pointer(p)) = lib.Tsqlite3_io_methods{
		FiVersion:               version,
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
		FxFetch:                 function(fileFetch),
		FxUnfetch:               function(fileUnfetch),
	}
	return p
}

// vfsOpen opens the parent's file behind the handle.
func vfsOpen(tls *libc.TLS, vfs, name, at uintptr, flags int32, outFlags uintptr) int32 {
	l := layerOf(vfs)
	h := (*handle)(pointer(at))
	*h = handle{} // no methods: the engine does not close what failed to open
	f := newFile(tls, name, flags, at+handleBytes)
	if code, _ := f.before(Call{Op: Open}); code != 0 {
		return code
	}
	open := *(*func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32)(funcAt((*lib.Tsqlite3_vfs)(pointer(l.parent)).FxOpen))
	rc := open(tls, l.parent, name, at+handleBytes, flags, outFlags)
	below := (*lib.Tsqlite3_file)(pointer(at + handleBytes)).FpMethods
	if below == 0 {
		return rc
	}
	if rc == lib.SQLITE_OK && outFlags != 0 && *(*int32)(pointer(outFlags))&lib.SQLITE_OPEN_READONLY != 0 {
		f.readOnly = true
	}
	f.below = (*lib.Tsqlite3_io_methods)(pointer(below))
	h.number = f.register()
	h.methods = l.methods[0]
	if f.below.FiVersion >= 2 && f.below.FxShmMap != 0 {
		h.methods = l.methods[1]
	}
	return rc
}

// vfsDelete removes a file: the -wal when the last connection closes.
func vfsDelete(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32 {
	l := layerOf(vfs)
	if disk, kind := diskOf(libc.GoString(name), 0); disk != nil {
		if code, _ := disk.consult(Call{Op: Delete, File: kind}); code != 0 {
			return code
		}
	}
	remove := *(*func(*libc.TLS, uintptr, uintptr, int32) int32)(funcAt((*lib.Tsqlite3_vfs)(pointer(l.parent)).FxDelete))
	return remove(tls, l.parent, name, syncDir)
}

// pointer turns an address in the engine's memory into a pointer.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// function returns the address under which the engine can call f. Only
// top-level functions: the collector does not see the engine's copy.
func function[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) }

// funcAt is the way back: what it returns is to be read as a func.
func funcAt(p uintptr) unsafe.Pointer { return unsafe.Pointer(&struct{ f uintptr }{p}) }

// allocate returns zeroed memory that the collector does not manage and that is
// never given back.
func allocate(n uintptr) uintptr {
	tls := libc.NewTLS()
	defer tls.Close()
	p := lib.Xsqlite3_malloc(tls, int32(n))
	if p == 0 {
		panic("faultvfs: out of memory")
	}
	clear(unsafe.Slice((*byte)(pointer(p)), n))
	return p
}

func cString(s string) uintptr {
	p := allocate(uintptr(len(s) + 1))
	copy(unsafe.Slice((*byte)(pointer(p)), len(s)), s)
	return p
}
