package sqlite

import (
	"fmt"
	"runtime/debug"

	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/memvfs"
)

// A fault in mapped memory arrives as a panic while SetPanicOnFault is on for
// the goroutine. Every call that can read a page is wrapped like this:
//
//	defer c.guard(debug.SetPanicOnFault(true), &err)
//
// Reading columns is not: the engine has copied what a row holds out of the
// page by the time Step returns it.

// guard restores the goroutine's setting and turns a fault into an error. Any
// other panic goes on: one from a callback, say. It too has left the engine in
// the middle of its work, so the connection is given up in both cases, with
// the other one of a call that enters two.
func (c *Conn) guard(before bool, err *error, other ...*Conn) {
	debug.SetPanicOnFault(before)
	r := recover()
	if r == nil {
		return
	}
	e := &lido.Error{
		Code:     lib.SQLITE_IOERR,
		Extended: lib.SQLITE_IOERR_IN_PAGE,
		Message:  "disk I/O error",
		Offset:   -1,
		Cause:    ErrFault,
	}
	_, isFault := r.(interface{ Addr() uintptr })
	broken := clone(e)
	if !isFault {
		broken = fmt.Errorf("sqlite: a panic went through the engine: %v", r)
	}
	for _, c := range append(other, c) {
		c.faulted, c.broken = true, broken
		c.dropLocks()
		c.settleLost()
		if c.memory != 0 {
			c.forgetWAL() // it may be freed
			memvfs.Abandon(c.tls, c.memory)
			c.memory = 0
		}
	}
	if !isFault {
		panic(r)
	}
	*err = e
}
