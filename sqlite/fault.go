package sqlite

import (
	"runtime/debug"

	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido"
)

// A fault in mapped memory arrives as a panic while SetPanicOnFault is on for
// the goroutine. Every call that can read a page is wrapped like this:
//
//	defer c.guard(debug.SetPanicOnFault(true), &err)
//
// Reading columns is not: the engine has copied what a row holds out of the
// page by the time Step returns it.

// guard restores the goroutine's setting and turns a fault into an error. Any
// other panic goes on.
func (c *Conn) guard(before bool, err *error) {
	debug.SetPanicOnFault(before)
	r := recover()
	if r == nil {
		return
	}
	if _, ok := r.(interface{ Addr() uintptr }); !ok {
		panic(r)
	}
	e := &lido.Error{
		Code:     lib.SQLITE_IOERR,
		Extended: lib.SQLITE_IOERR_IN_PAGE,
		Message:  "disk I/O error",
		Offset:   -1,
		Cause:    ErrFault,
	}
	c.faulted = true
	c.broken = e
	*err = e
}
