//go:build !(amd64 || 386) || race

package inuse

import (
	"sync/atomic"
	"unsafe"
)

// Leave clears the flag.
func (f *Flag) Leave() { f.state.Store(free) }

// Set sets what Get returns.
func (p *Pointer[T]) Set(v *T) { atomic.StorePointer(&p.p, unsafe.Pointer(v)) }
