package inuse

import (
	"sync/atomic"
	"unsafe"
)

// Pointer is set by the one goroutine that has entered a Flag, and may be read
// by others: it names what that one does. The zero Pointer is nil.
type Pointer[T any] struct{ p unsafe.Pointer }

// Get returns what was set last.
func (p *Pointer[T]) Get() *T { return (*T)(atomic.LoadPointer(&p.p)) }
