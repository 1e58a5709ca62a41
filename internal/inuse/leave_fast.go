//go:build (amd64 || 386) && !race

package inuse

import "unsafe"

// On these processors a plain store is seen after all stores before it, and the
// compiler moves none across the calls around it. That is all that Enter and Get
// rely on; an atomic store costs more than Enter does.

// Leave clears the flag.
func (f *Flag) Leave() { *(*uint32)(unsafe.Pointer(&f.state)) = free }

// Set sets what Get returns.
func (p *Pointer[T]) Set(v *T) { p.p = unsafe.Pointer(v) }
