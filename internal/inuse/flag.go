// Package inuse notices two goroutines in what belongs to one at a time.
//
// Go's maps do the same with a flag that is not atomic, and miss some. Behind
// these flags stands the engine, where a missed one is a crash, so they are exact.
package inuse

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Flag is set while a call is under way. The zero Flag is free. A Flag must not
// be copied.
type Flag struct{ state atomic.Uint32 }

const (
	free = iota
	inside
	over
)

// Enter sets the flag and reports true, or reports false if it is set or over.
// It costs some 2 ns.
func (f *Flag) Enter() bool { return f.state.CompareAndSwap(free, inside) }

// Inside reports whether the flag is set.
func (f *Flag) Inside() bool { return f.state.Load() == inside }

// Over reports whether End was called.
func (f *Flag) Over() bool { return f.state.Load() == over }

// Await is Enter for the owner, which waits for a call that is under way. It
// calls found once if there is one. It reports false if the flag is over.
func (f *Flag) Await(found func()) bool {
	if f.Enter() {
		return true
	}
	for wait := time.Microsecond; !f.Over(); wait = min(2*wait, time.Millisecond) {
		if found != nil {
			found()
			found = nil
		}
		if f.Enter() {
			return true
		}
		if wait < 16*time.Microsecond {
			runtime.Gosched()
		} else {
			time.Sleep(wait)
		}
	}
	return false
}

// End is Await and refuses every Enter from then on. Ending again does nothing.
func (f *Flag) End(found func()) {
	if f.Await(found) {
		f.state.Store(over)
	}
}
