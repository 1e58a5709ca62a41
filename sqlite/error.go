package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
)

// ErrFault is the cause of an error after a fault in mapped memory; see the
// package documentation.
var ErrFault = errors.New("fault in mapped memory: the file was truncated or cannot be read")

// fail turns the result code of a call that has just returned into an error.
// It must run before the next call on the connection, which would overwrite
// the engine's message.
func (c *Conn) fail(ctx context.Context, rc int32, query string) error {
	if c.stoppedWith != 0 {
		return c.failStopped(rc, query)
	}
	e := &lido.Error{
		Query:    query,
		Code:     int(rc & 0xff),
		Extended: int(rc),
		Message:  libc.GoString(lib.Xsqlite3_errmsg(c.tls, c.db)),
		Offset:   int(lib.Xsqlite3_error_offset(c.tls, c.db)),
	}
	// The message is of the last call; a code that the binding made up itself
	// has none of its own.
	if ext := lib.Xsqlite3_extended_errcode(c.tls, c.db); ext != rc && ext&0xff != rc&0xff {
		e.Message = libc.GoString(lib.Xsqlite3_errstr(c.tls, rc))
	}
	parseConstraint(e)
	switch e.Code {
	case lib.SQLITE_IOERR:
		if noTempFolder(e.Extended) {
			e.Cause = ErrTempFolder
		}
	case lib.SQLITE_TOOBIG:
		if e.Message == tooBigMessage { // and not a statement that is too long
			e.Cause = &lengthError{c.maxLength()}
		}
	case lib.SQLITE_INTERRUPT, lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		if c.interrupted.Load() {
			e.Cause = c.whyInterrupted()
		} else if ctx != nil && ctx.Err() != nil {
			e.Cause = ended.Err(ctx)
		}
	}
	if destroys(e) && c.broken == nil {
		c.broken = clone(e)
	}
	return e
}

// clone keeps an error that was handed out, and may be named by whoever got
// it, apart from the one that is kept.
func clone(e *lido.Error) error {
	kept := *e
	return &kept
}

var errInterruptedByOwner = errors.New("interrupted by Conn.Interrupt")

// errInterrupted is the answer to what begins on an interrupted connection.
func (c *Conn) errInterrupted(query string) error {
	return &lido.Error{
		Query:    query,
		Code:     lib.SQLITE_INTERRUPT,
		Extended: lib.SQLITE_INTERRUPT,
		Message:  "interrupted",
		Offset:   -1,
		Cause:    c.whyInterrupted(),
	}
}

// checkText refuses SQL that the engine would silently cut.
func checkText(sql string) error {
	if i := strings.IndexByte(sql, 0); i >= 0 {
		return fmt.Errorf("sqlite: the SQL has a zero byte at offset %d, where the engine would cut it", i)
	}
	return nil
}

// destroys reports the answers after which a connection is not to be trusted:
// it goes on working on pages or locks that no longer match the file.
//
// https://www.sqlite.org/rescode.html
func destroys(e *lido.Error) bool {
	switch e.Code {
	case lib.SQLITE_IOERR:
		return !noTempFolder(e.Extended)
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB, lib.SQLITE_PROTOCOL:
		return true
	}
	return e.Extended == lib.SQLITE_READONLY_DBMOVED
}

// parseConstraint fills in what the message of a failed constraint names. The
// engine has no other way to tell.
func parseConstraint(e *lido.Error) {
	if e.Code != lib.SQLITE_CONSTRAINT {
		return
	}
	kind, rest, ok := strings.Cut(e.Message, " constraint failed: ")
	if !ok {
		return
	}
	switch kind {
	case "CHECK":
		e.Constraint = rest
	case "UNIQUE", "NOT NULL":
		if name, ok := strings.CutPrefix(rest, "index '"); ok {
			e.Constraint = strings.TrimSuffix(name, "'")
			return
		}
		for _, column := range strings.Split(rest, ", ") {
			table, name, ok := strings.Cut(column, ".")
			if !ok {
				return
			}
			e.Table = table
			e.Columns = append(e.Columns, name)
		}
	}
}
