package sqlite

import (
	"fmt"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/convert"
)

// The Column methods read column i, counted from 0, of the row that Step has
// reported. What the value cannot be read as is kept as a mistake and returned
// by the next Step or by Close; the engine itself would answer zero.
//
// https://www.sqlite.org/c3ref/column_blob.html

// ColumnCount returns how many columns a row has; 0 for a statement without
// rows.
func (s *Stmt) ColumnCount() int { return int(lib.Xsqlite3_column_count(s.conn.tls, s.stmt)) }

// ColumnName returns the name of column i, from its AS clause if it has one.
func (s *Stmt) ColumnName(i int) string {
	return libc.GoString(lib.Xsqlite3_column_name(s.conn.tls, s.stmt, int32(i)))
}

// ColumnDeclType returns the type that the schema declares for the table
// column behind column i, or nothing for an expression.
func (s *Stmt) ColumnDeclType(i int) string {
	return libc.GoString(lib.Xsqlite3_column_decltype(s.conn.tls, s.stmt, int32(i)))
}

// ColumnOrigin returns the table column behind column i; all are empty for an
// expression.
//
// https://www.sqlite.org/c3ref/column_database_name.html
func (s *Stmt) ColumnOrigin(i int) (database, table, column string) {
	tls, n := s.conn.tls, int32(i)
	return libc.GoString(lib.Xsqlite3_column_database_name(tls, s.stmt, n)),
		libc.GoString(lib.Xsqlite3_column_table_name(tls, s.stmt, n)),
		libc.GoString(lib.Xsqlite3_column_origin_name(tls, s.stmt, n))
}

// readable refuses to touch a row that has gone.
func (s *Stmt) readable() bool {
	if s.running && s.usable() {
		return true
	}
	s.Fail(fmt.Errorf("no row to read: %w", lido.ErrClosed))
	return false
}

// ColumnType returns the storage class of column i.
func (s *Stmt) ColumnType(i int) lido.Type {
	if !s.readable() {
		return lido.Null
	}
	return lido.Type(lib.Xsqlite3_column_type(s.conn.tls, s.stmt, int32(i)))
}

// ColumnInt64 reads an integer.
func (s *Stmt) ColumnInt64(i int) int64 {
	t := s.ColumnType(i)
	if t == lido.Integer {
		return int64(lib.Xsqlite3_column_int64(s.conn.tls, s.stmt, int32(i)))
	}
	switch t {
	case lido.Float:
		if v, ok := convert.FloatToInt64(lib.Xsqlite3_column_double(s.conn.tls, s.stmt, int32(i))); ok {
			return v
		}
	case lido.Text:
		if v, ok := convert.TextToInt64(s.text(i)); ok {
			return v
		}
	}
	s.unreadable(i, t, "an integer")
	return 0
}

// ColumnFloat64 reads a number.
func (s *Stmt) ColumnFloat64(i int) float64 {
	t := s.ColumnType(i)
	switch t {
	case lido.Float, lido.Integer:
		return lib.Xsqlite3_column_double(s.conn.tls, s.stmt, int32(i))
	case lido.Text:
		if v, ok := convert.TextToFloat64(s.text(i)); ok {
			return v
		}
	}
	s.unreadable(i, t, "a number")
	return 0
}

// ColumnText copies the value as a string. The bytes of text and blobs are
// copied as they are; numbers become their text.
func (s *Stmt) ColumnText(i int) string {
	t := s.ColumnType(i)
	if t == lido.Null {
		s.unreadable(i, t, "text")
		return ""
	}
	return s.text(i)
}

func (s *Stmt) text(i int) string {
	p := lib.Xsqlite3_column_text(s.conn.tls, s.stmt, int32(i))
	if p == 0 {
		return ""
	}
	return string(bytesAt(p, int(lib.Xsqlite3_column_bytes(s.conn.tls, s.stmt, int32(i)))))
}

// ColumnBlob appends the bytes of the value to dst. NULL gives nil; an empty
// value gives a slice that is not nil.
func (s *Stmt) ColumnBlob(i int, dst []byte) []byte {
	if s.ColumnType(i) == lido.Null {
		return nil
	}
	p := lib.Xsqlite3_column_blob(s.conn.tls, s.stmt, int32(i))
	n := int(lib.Xsqlite3_column_bytes(s.conn.tls, s.stmt, int32(i)))
	if dst == nil {
		dst = make([]byte, 0, n)
	}
	if p == 0 || n == 0 {
		return dst
	}
	return append(dst, bytesAt(p, n)...)
}

// unreadable keeps the mistake of reading column i as something it is not.
func (s *Stmt) unreadable(i int, t lido.Type, as string) {
	if s.err != nil || !s.readable() {
		return
	}
	s.Fail(convert.Refusal(i, s.ColumnCount(), s.ColumnName(i), t, as))
}
