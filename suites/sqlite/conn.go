package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"strconv"
	"strings"

	"github.com/lidodb/lido"
)

// Error is an error of the engine in the shape that callers of the stock driver
// look for, text included. What it wraps is Lido's.
type Error struct {
	err  error
	text string
	code int
}

// Error returns the text that the stock driver would give.
func (e *Error) Error() string { return e.text }

// Code returns SQLite's extended result code.
func (e *Error) Code() int { return e.code }

// Unwrap returns the error of package stdlib.
func (e *Error) Unwrap() error { return e.err }

// words are the engine's own for a primary result code.
//
// https://www.sqlite.org/c3ref/errcode.html
var words = map[int]string{
	1: "SQL logic error", 4: "query aborted", 5: "database is locked", 6: "database table is locked",
	7: "out of memory", 8: "attempt to write a readonly database", 9: "interrupted", 10: "disk I/O error",
	11: "database disk image is malformed", 13: "database or disk is full", 14: "unable to open database file",
	18: "string or blob too big", 19: "constraint failed", 20: "datatype mismatch", 23: "not authorized",
	25: "column index out of range", 26: "file is not a database",
}

// stock makes an error of the engine an *Error.
func stock(err error) error {
	var answer *lido.Error
	if !errors.As(err, &answer) {
		return err
	}
	text := answer.Message
	if say := words[answer.Code]; say != "" && say != text {
		text = say + ": " + text
	}
	text += " (" + strconv.Itoa(answer.Extended) + ")"
	return &Error{err: err, text: strings.Replace(err.Error(), answer.Error(), text, 1), code: answer.Extended}
}

// lidoConn is what the connections of package stdlib can do.
type lidoConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
}

// conn changes the type of errors and nothing else.
type conn struct {
	lidoConn
	last *connector // to be closed with the connection; nil under database/sql
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	res, err := c.lidoConn.ExecContext(ctx, query, args)
	return res, stock(err)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.lidoConn.QueryContext(ctx, query, args)
	return rows, stock(err)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.lidoConn.PrepareContext(ctx, query)
	return s, stock(err)
}

func (c *conn) Close() error {
	err := c.lidoConn.Close()
	if c.last != nil {
		err = errors.Join(err, c.last.Close())
	}
	return err
}
