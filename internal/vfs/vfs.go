// Package vfs is what the layers below the engine that are written in Go have in
// common: the tables of functions that they give to the engine, and their view of
// its memory.
//
// https://www.sqlite.org/vfs.html
package vfs

import (
	"fmt"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Find returns the address of the VFS of that name, of the platform's own if it
// is empty, or 0.
func Find(name string) uintptr {
	tls := libc.NewTLS()
	defer tls.Close()
	var text uintptr
	if name != "" {
		text = cString(name)
	}
	return lib.Xsqlite3_vfs_find(tls, text)
}

// Register makes a VFS known under a name, for as long as the process lives, and
// returns its address. It is a copy of the one at parent but for what change
// changes: functions that stay find there the fields that the parent has.
func Register(name string, parent uintptr, change func(own *lib.Tsqlite3_vfs)) (address uintptr, err error) {
	address = allocate(unsafe.Sizeof(lib.Tsqlite3_vfs{}))
	own := (*lib.Tsqlite3_vfs)(Pointer(address))
	*own = *(*lib.Tsqlite3_vfs)(Pointer(parent))
	own.FpNext, own.FzName = 0, cString(name)
	change(own)
	tls := libc.NewTLS()
	defer tls.Close()
	if rc := lib.Xsqlite3_vfs_register(tls, address, 0); rc != lib.SQLITE_OK {
		return 0, fmt.Errorf("register %s: SQLite code %d", name, rc)
	}
	return address, nil
}

// Methods puts a table of methods where the engine can keep its address.
func Methods(m lib.Tsqlite3_io_methods) uintptr {
	p := allocate(unsafe.Sizeof(m))
	*(*lib.Tsqlite3_io_methods)(Pointer(p)) = m
	return p
}

// Pointer turns an address in the engine's memory into a pointer. The detour
// keeps vet from taking it for an address in Go's heap.
func Pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// Bytes views n bytes of the engine's memory.
func Bytes[N int | int32](p uintptr, n N) []byte { return unsafe.Slice((*byte)(Pointer(p)), n) }

// Function returns the address under which the engine can call f. Only
// top-level functions: the collector does not see the engine's copy.
func Function[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) }

// Func is the way back, for functions of the engine or of another layer.
func Func[F any](address uintptr) F {
	return *(*F)(unsafe.Pointer(&struct{ f uintptr }{address}))
}

// allocate returns zeroed memory that the collector does not manage and that is
// never given back.
func allocate(n uintptr) uintptr {
	tls := libc.NewTLS()
	defer tls.Close()
	p := lib.Xsqlite3_malloc(tls, int32(n))
	if p == 0 {
		panic("vfs: out of memory")
	}
	clear(Bytes(p, int(n)))
	return p
}

func cString(s string) uintptr {
	p := allocate(uintptr(len(s) + 1))
	copy(Bytes(p, len(s)), s)
	return p
}
