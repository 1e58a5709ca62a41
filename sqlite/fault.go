package sqlite

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

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
// other panic goes on: one from a callback, say; so does runtime.Goexit. They too
// have left the engine in the middle of its work, so the connection is given up
// in all cases, with the other one of a call that enters two.
func (c *Conn) guard(before bool, err *error, other ...*Conn) {
	debug.SetPanicOnFault(before)
	r := recover()
	exits := r == nil && (c.exiting || slices.ContainsFunc(other, func(c *Conn) bool { return c.exiting }))
	if r == nil && !exits {
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
	switch {
	case exits:
		broken = errExited
	case !isFault:
		broken = fmt.Errorf("sqlite: a panic went through the engine: %v", r)
	}
	for _, c := range append(other, c) {
		c.faulted, c.broken = true, broken
		defer c.use.Leave() // also if the call that entered it does not come to that
		c.dropLocks()
		c.settleLost()
		if c.memory != 0 {
			c.forgetWAL() // it may be freed
			memvfs.Abandon(c.tls, c.memory)
			c.memory = 0
		}
	}
	switch {
	case exits: // goes on
	case !isFault:
		panic(r)
	default:
		*err = e
	}
}

var errExited = errors.New("sqlite: runtime.Goexit of a callback went through the engine")

// exits is deferred around Go code of others that the engine calls. Where that
// has not returned, guard meets a panic, or what it could not tell from a call
// that ended well.
func (c *Conn) exits(returned *bool) { c.exiting = c.exiting || !*returned }
