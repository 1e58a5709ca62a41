package faultvfs

import (
	"fmt"
	"strings"
	"sync"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido/internal/vfs"
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
	below := vfs.Find(parent)
	if below == 0 {
		return "", fmt.Errorf("faultvfs: there is no VFS %q", parent)
	}
	l := &layer{name: strings.TrimSuffix("faultvfs-"+parent, "-"), parent: below}
	l.methods[0] = newMethods(1)
	l.methods[1] = newMethods(3)
	address, err := vfs.Register(l.name, below, func(own *lib.Tsqlite3_vfs) {
		own.FszOsFile += handleBytes
		own.FxOpen = vfs.Function(vfsOpen)
		own.FxDelete = vfs.Function(vfsDelete)
	})
	if err != nil {
		return "", fmt.Errorf("faultvfs: %w", err)
	}
	if layers.byAddress == nil {
		layers.byAddress, layers.byParent = make(map[uintptr]*layer), make(map[string]*layer)
	}
	layers.byAddress[address], layers.byParent[parent] = l, l
	return l.name, nil
}

func layerOf(address uintptr) *layer {
	layers.RLock()
	defer layers.RUnlock()
	return layers.byAddress[address]
}

// newMethods returns the table of methods for files of that version.
func newMethods(version int32) uintptr {
	return vfs.Methods(lib.Tsqlite3_io_methods{
		FiVersion:               version,
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
		FxFetch:                 vfs.Function(fileFetch),
		FxUnfetch:               vfs.Function(fileUnfetch),
	})
}

// vfsOpen opens the parent's file behind the handle.
func vfsOpen(tls *libc.TLS, own, name, at uintptr, flags int32, outFlags uintptr) int32 {
	l := layerOf(own)
	h := (*handle)(vfs.Pointer(at))
	*h = handle{} // no methods: the engine does not close what failed to open
	f := newFile(tls, name, flags, at+handleBytes)
	if f.disk == nil && flags&(lib.SQLITE_OPEN_MAIN_DB|lib.SQLITE_OPEN_WAL|lib.SQLITE_OPEN_MAIN_JOURNAL) == 0 {
		if code := temporary(f.thread); code != 0 {
			return code
		}
	}
	if code, _ := f.before(Call{Op: Open}); code != 0 {
		return code
	}
	open := vfs.Func[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32]((*lib.Tsqlite3_vfs)(vfs.Pointer(l.parent)).FxOpen)
	rc := open(tls, l.parent, name, at+handleBytes, flags, outFlags)
	below := (*lib.Tsqlite3_file)(vfs.Pointer(at + handleBytes)).FpMethods
	if below == 0 {
		return rc
	}
	if rc == lib.SQLITE_OK && outFlags != 0 && *(*int32)(vfs.Pointer(outFlags))&lib.SQLITE_OPEN_READONLY != 0 {
		f.readOnly = true
	}
	f.below = (*lib.Tsqlite3_io_methods)(vfs.Pointer(below))
	h.number = f.register()
	h.methods = l.methods[0]
	if f.below.FiVersion >= 2 && f.below.FxShmMap != 0 {
		h.methods = l.methods[1]
	}
	return rc
}

// vfsDelete removes a file: the -wal when the last connection closes.
func vfsDelete(tls *libc.TLS, own, name uintptr, syncDir int32) int32 {
	l := layerOf(own)
	if disk, kind := diskOf(libc.GoString(name), 0); disk != nil {
		if code, _ := disk.consult(Call{Op: Delete, File: kind}); code != 0 {
			return code
		}
	}
	remove := vfs.Func[func(*libc.TLS, uintptr, uintptr, int32) int32]((*lib.Tsqlite3_vfs)(vfs.Pointer(l.parent)).FxDelete)
	return remove(tls, l.parent, name, syncDir)
}
