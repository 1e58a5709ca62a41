package lido

import "github.com/lidodb/lido/internal/seal"

// Type is the storage class of a value in a result row.
//
// https://www.sqlite.org/datatype3.html#storage_classes_and_datatypes
type Type int

// The storage classes, with the engine's own numbers.
const (
	Integer Type = 1
	Float   Type = 2
	Text    Type = 3
	Blob    Type = 4
	Null    Type = 5
)

// String returns the name SQL gives the class.
func (t Type) String() string {
	switch t {
	case Integer:
		return "INTEGER"
	case Float:
		return "REAL"
	case Text:
		return "TEXT"
	case Blob:
		return "BLOB"
	case Null:
		return "NULL"
	}
	return "unknown type"
}

// Stmt is a query that is ready to run. It holds whatever it needs to run,
// often a connection, until Close. One goroutine at a time may use it.
//
// Parameters are numbered from 1, columns from 0, as in SQLite's own API.
// Mistakes made by Bind are kept and returned by the next Step; mistakes made
// by Column (a NULL read as a number, text that is no number) are kept and
// returned by the next Step or by Close. A value is therefore to be trusted
// only once one of the two has returned nil. Mistakes made with the rows of a
// write outside a transaction, which is committed by then, match ErrCommitted.
//
// Only engines of this module implement Stmt.
type Stmt interface {
	// BindNull and its kin set parameter i. Text and blobs are copied. NaN is
	// an error: SQLite has no such number and would store NULL.
	BindNull(i int)
	BindInt64(i int, v int64)
	BindFloat64(i int, v float64)
	BindText(i int, v string)
	// BindBlob binds a nil slice as NULL and an empty one as an empty blob.
	BindBlob(i int, v []byte)

	// Step runs the statement up to its next row and reports whether there is
	// one. A write outside a transaction has been committed when Step returns
	// without an error.
	Step() (row bool, err error)

	// ColumnType returns the storage class of column i in the current row.
	ColumnType(i int) Type
	// ColumnInt64 reads an integer. A real number without a fraction and text
	// that spells an integer are converted; anything else is an error.
	ColumnInt64(i int) int64
	// ColumnFloat64 reads a number, or text that spells one. An integer that a
	// float64 cannot hold exactly is an error.
	ColumnFloat64(i int) float64
	// ColumnText copies the value as a string; numbers become their text.
	// Strings of up to 256 bytes may share memory with others of the same
	// result, at most 1 kB of it: who keeps one of many for long may keep as
	// much. strings.Clone parts it from the others.
	ColumnText(i int) string
	// ColumnBlob appends the bytes of the value to dst and returns the result.
	// NULL gives nil; an empty blob gives a slice that is not nil.
	ColumnBlob(i int, dst []byte) []byte

	// Changes returns how many rows the statement itself inserted, updated or
	// deleted, once Step has reported that there are no more rows.
	Changes() int64
	// LastInsertID returns the rowid of the last row the statement inserted.
	LastInsertID() int64

	// Reset readies the statement to run again with new values.
	Reset() error

	// Close gives back what the statement holds. It returns a mistake made by
	// Column that no Step has reported. Closing again does nothing.
	Close() error

	// Fail keeps err as if Bind or Column had made the mistake: the next Step
	// or Close returns it. Conversions outside the engine use it. Only the
	// first mistake is kept.
	Fail(err error)

	// Seal keeps implementations inside this module.
	Seal(seal.Stmt)
}
