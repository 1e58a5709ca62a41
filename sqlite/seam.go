package sqlite

import (
	"context"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// installSeam has the hooks of a test asked about each statement. Without them
// nothing is installed.
//
// https://www.sqlite.org/c3ref/trace_v2.html
func (c *Conn) installSeam() {
	if c.hooks.Armed != nil {
		lib.Xsqlite3_trace_v2(c.tls, c.db, lib.SQLITE_TRACE_STMT, function(onStatement), c.handle)
	}
}

// onStatement is called when a statement begins to run. text is its SQL, or a
// comment that names a trigger.
func onStatement(tls *libc.TLS, _ uint32, handle, stmt, text uintptr) int32 {
	c := connOf(handle)
	if c == nil {
		return 0
	}
	c.stoppedWith = 0
	if !c.hooks.Armed() {
		return 0
	}
	sql, query := libc.GoString(text), ""
	find := func(s *Stmt) {
		if s.stmt == stmt {
			query = s.Query
		}
	}
	c.cache.each(find)
	for _, s := range c.loose {
		find(s)
	}
	if code := c.hooks.Statement(query, sql); code != 0 {
		c.stoppedWith = int32(code)
		lib.Xsqlite3_interrupt(tls, c.db)
	}
	return 0
}

// failStopped is fail for a statement that a hook has stopped.
func (c *Conn) failStopped(rc int32, query string) error {
	code := c.stoppedWith
	c.stoppedWith = 0
	if rc&0xff != lib.SQLITE_INTERRUPT {
		code = rc
	}
	return c.fail(context.Background(), code, query)
}
