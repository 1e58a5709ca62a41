package sqlite

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The engine lives in memory that Go does not manage and takes addresses as
// uintptr. The helpers here are the only places that turn one into the other.

// pointer turns an address in the engine's memory into a pointer. The detour
// keeps vet from taking it for an address in Go's heap.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// bytesAt views n bytes of the engine's memory.
func bytesAt(p uintptr, n int) []byte { return unsafe.Slice((*byte)(pointer(p)), n) }

func int32At(p uintptr) int32     { return *(*int32)(pointer(p)) }
func uintptrAt(p uintptr) uintptr { return *(*uintptr)(pointer(p)) }

// isText reports whether p is text, with a terminating zero; 0 is an empty one.
func isText(p uintptr, text string) bool {
	if p == 0 {
		return text == ""
	}
	for i := range len(text) {
		if b := *(*byte)(pointer(p + uintptr(i))); b == 0 || b != text[i] {
			return false
		}
	}
	return *(*byte)(pointer(p + uintptr(len(text)))) == 0
}

// malloc returns n bytes of the engine's memory, or 0.
func malloc(tls *libc.TLS, n int) uintptr { return lib.Xsqlite3_malloc(tls, int32(n)) }

func free(tls *libc.TLS, p uintptr) { lib.Xsqlite3_free(tls, p) }

// cString copies s, with a terminating zero, into the engine's memory.
func cString(tls *libc.TLS, s string) uintptr {
	p := malloc(tls, len(s)+1)
	if p == 0 {
		return 0
	}
	b := bytesAt(p, len(s)+1)
	copy(b, s)
	b[len(s)] = 0
	return p
}

// keep copies v into the engine's memory, and returns where it is, or 0.
func keep[T any](tls *libc.TLS, v T) uintptr {
	p := malloc(tls, int(unsafe.Sizeof(v)))
	if p != 0 {
		*(*T)(pointer(p)) = v
	}
	return p
}

// function returns the address under which the engine can call f. Only
// top-level functions: the collector does not see the engine's copy of the
// address, so it would free a closure under it.
func function[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) }

// functionAt is what the engine has under that address, for us to call.
func functionAt[F any](address uintptr) F {
	return *(*F)(unsafe.Pointer(&struct{ f uintptr }{address}))
}

var freeFunction = function(lib.Xsqlite3_free)
