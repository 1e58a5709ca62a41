package sqlite

import (
	"fmt"
	"sync/atomic"

	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido"
)

// LimitLength is the number under which Conn.Limit has the bound on strings,
// blobs and rows.
//
// https://www.sqlite.org/c3ref/c_limit_attached.html
const LimitLength = lib.SQLITE_LIMIT_LENGTH

// MaxLength is the largest Options.MaxLengthBytes, and the engine's own bound
// where none is set.
//
// https://www.sqlite.org/limits.html#max_length
const MaxLength = lib.SQLITE_MAX_LENGTH

// MinLength is the smallest Options.MaxLengthBytes: a row of the schema holds
// the text of a CREATE statement, and has to be read.
const MinLength = 4096

// limitLength sets the bound on strings, blobs and rows; 0 keeps the engine's.
func (c *Conn) limitLength(n int) error {
	switch {
	case n == 0:
		return nil
	case n < MinLength || n > MaxLength:
		return fmt.Errorf("MaxLengthBytes is %d, want 0 (for %d) or %d to %d", n, MaxLength, MinLength, MaxLength)
	}
	lib.Xsqlite3_limit(c.tls, c.db, LimitLength, int32(n))
	if got := c.maxLength(); got != n {
		return fmt.Errorf("MaxLengthBytes: wanted %d, the engine answers %d", n, got)
	}
	return nil
}

// shortest is the engine's own lower bound of LimitLength. Below it, it takes a
// buffer on its stack for one of its heap.
const shortest = 30

// RefuseValues bounds the length of values by 30 bytes for the rest of the
// connection's life, so that the next instruction that makes or reads a longer
// string or blob fails with lido.ErrTooBig. It ends a statement whose
// expressions cost much, between whose instructions Interrupt is not looked at.
// Any goroutine may call it at any time before Close.
func (c *Conn) RefuseValues() { atomic.StoreInt32(&db(c).FaLimit[LimitLength], shortest) }

// maxLength is the bound that is in force.
func (c *Conn) maxLength() int { return int(db(c).FaLimit[LimitLength]) }

// lengthError says which setting a value, a result or a row has run into.
type lengthError struct{ limit int }

func (e *lengthError) Error() string {
	if e.limit >= MaxLength {
		return fmt.Sprintf("over %d bytes, which SQLite cannot hold; keep it in pieces, or in a file", e.limit)
	}
	return fmt.Sprintf("over MaxLengthBytes, which is %d (pool.Config, sqlite.Options); raise it, or keep the data in pieces or in a file", e.limit)
}

// tooBigMessage is what the engine says of a value, a result or a row.
const tooBigMessage = "string or blob too big"

// tooBig is the engine's error for a value that was never given to it.
func (c *Conn) tooBig(query string) error {
	return &lido.Error{
		Query:    query,
		Code:     lib.SQLITE_TOOBIG,
		Extended: lib.SQLITE_TOOBIG,
		Message:  tooBigMessage,
		Offset:   -1,
		Cause:    &lengthError{c.maxLength()},
	}
}
