package sqlite

import (
	"fmt"
	"unsafe"

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

// cell is how the engine holds one value of a row (sqlite3_value).
type cell = lib.Tsqlite3_value

const cellSize = unsafe.Sizeof(cell{})

// cell returns column i of the current row, or nil where there is none.
//
// It reads what sqlite3_column_value reads. The engine's accessors each look
// the cell up again, and a column needs three of them (its type, its bytes and
// their number): that is most of the time a long list takes. The structures
// are those of the pinned engine; TestCellsAreWhatTheAccessorsAnswer holds
// them against the accessors.
func (s *Stmt) cell(i int) *cell {
	if !s.usable() {
		return nil
	}
	vm := (*lib.TVdbe)(pointer(s.stmt))
	if vm.FpResultRow == 0 || uint(i) >= uint(vm.FnResColumn) {
		return nil
	}
	return (*cell)(pointer(vm.FpResultRow + uintptr(i)*cellSize))
}

// kind is the storage class of the value in a cell, in the order in which the
// engine itself asks.
func kind(c *cell) lido.Type {
	switch {
	case c == nil || c.Fflags&lib.MEM_Null != 0:
		return lido.Null
	case c.Fflags&(lib.MEM_Real|lib.MEM_IntReal) != 0:
		return lido.Float
	case c.Fflags&lib.MEM_Int != 0:
		return lido.Integer
	case c.Fflags&lib.MEM_Str != 0:
		return lido.Text
	}
	return lido.Blob
}

// ColumnType returns the storage class of column i.
func (s *Stmt) ColumnType(i int) lido.Type {
	c := s.cell(i)
	if c == nil {
		s.unreadable(i, lido.Null, "a value")
	}
	return kind(c)
}

// ColumnInt64 reads an integer.
func (s *Stmt) ColumnInt64(i int) int64 {
	c := s.cell(i)
	t := kind(c)
	switch t {
	case lido.Integer:
		return *(*int64)(unsafe.Pointer(&c.Fu))
	case lido.Float:
		if v, ok := convert.FloatToInt64(lib.Xsqlite3_column_double(s.conn.tls, s.stmt, int32(i))); ok {
			return v
		}
	case lido.Text:
		if v, ok := convert.TextToInt64(s.text(c, i)); ok {
			return v
		}
	}
	s.unreadable(i, t, "an integer")
	return 0
}

// ColumnFloat64 reads a number. An integer that a float64 cannot hold exactly
// is refused.
func (s *Stmt) ColumnFloat64(i int) float64 {
	c := s.cell(i)
	t := kind(c)
	switch t {
	case lido.Float:
		return lib.Xsqlite3_column_double(s.conn.tls, s.stmt, int32(i))
	case lido.Integer:
		v, ok := convert.Int64ToFloat64(*(*int64)(unsafe.Pointer(&c.Fu)))
		if !ok {
			s.unreadable(i, t, convert.Exactly)
		}
		return v
	case lido.Text:
		if v, ok := convert.TextToFloat64(s.text(c, i)); ok {
			return v
		}
	}
	s.unreadable(i, t, "a number")
	return 0
}

// ColumnText copies the value as a string. The bytes of text and blobs are
// copied as they are; numbers become their text.
//
// Strings of up to 256 bytes may share memory with others of the same run, at
// most 1 kB: who keeps one of them for long may keep as much. strings.Clone
// parts it from the others.
func (s *Stmt) ColumnText(i int) string {
	c := s.cell(i)
	if kind(c) == lido.Null {
		s.unreadable(i, lido.Null, "text")
		return ""
	}
	return s.text(c, i)
}

func (s *Stmt) text(c *cell, i int) string {
	switch {
	case c.Fflags&lib.MEM_Str != 0 && c.Fenc == lib.SQLITE_UTF8:
		return s.string(bytesAt(c.Fz, int(c.Fn)))
	case kind(c) == lido.Blob: // the engine would take it for UTF-16 where the database is
		return string(s.ColumnBlob(i, nil))
	}
	// A number, or text of a database in UTF-16: the engine converts.
	p := lib.Xsqlite3_column_text(s.conn.tls, s.stmt, int32(i))
	if p == 0 {
		return ""
	}
	return string(bytesAt(p, int(lib.Xsqlite3_column_bytes(s.conn.tls, s.stmt, int32(i)))))
}

// Strings up to maxShared bytes are put together into blocks of up to
// maxBlock bytes: of allocations, a list of short ones is mostly made.
const (
	maxShared = 256
	maxBlock  = 1024
)

// string copies b.
func (s *Stmt) string(b []byte) string {
	n := len(b)
	if n > len(s.block)-s.blockUsed {
		if n > maxShared {
			return string(b)
		}
		s.newBlock(n)
	}
	if n == 0 {
		return ""
	}
	to := s.block[s.blockUsed:]
	s.blockUsed += copy(to, b)
	return unsafe.String(&to[0], n)
}

// newBlock begins a block with room for n bytes at least. The first is as large
// as the text of the row; the others are each twice as large as the one before.
func (s *Stmt) newBlock(n int) {
	size := 2 * len(s.block)
	if size == 0 {
		size = s.rowText()
	}
	s.block, s.blockUsed = make([]byte, max(n, min(size, maxBlock))), 0
}

// rowText is how many bytes of text in the current row may go into a block.
func (s *Stmt) rowText() (n int) {
	for i := 0; ; i++ {
		c := s.cell(i)
		if c == nil {
			return n
		}
		if c.Fflags&lib.MEM_Str != 0 && c.Fn <= maxShared {
			n += int(c.Fn)
		}
	}
}

// ColumnBlob appends the bytes of the value to dst. NULL gives nil; an empty
// value gives a slice that is not nil.
func (s *Stmt) ColumnBlob(i int, dst []byte) []byte {
	c := s.cell(i)
	if c == nil {
		s.unreadable(i, lido.Null, "a value")
	}
	if kind(c) == lido.Null {
		return nil
	}
	bytes := lib.Xsqlite3_column_blob
	if c.Fflags&lib.MEM_Str != 0 && c.Fenc != lib.SQLITE_UTF8 {
		bytes = lib.Xsqlite3_column_text // as ColumnText has it, and not as UTF-16
	}
	p := bytes(s.conn.tls, s.stmt, int32(i))
	n := int(lib.Xsqlite3_column_bytes(s.conn.tls, s.stmt, int32(i)))
	switch {
	case p == 0 || n == 0:
		if dst == nil {
			dst = []byte{}
		}
		return dst
	case dst == nil:
		// In this form the compiler does not clear what copy overwrites.
		src := bytesAt(p, n)
		dst = make([]byte, len(src))
		copy(dst, src)
		return dst
	}
	return append(dst, bytesAt(p, n)...)
}

// unreadable keeps the mistake of reading column i as something it is not.
func (s *Stmt) unreadable(i int, t lido.Type, as string) {
	if s.phase == inEngine && !s.conn.faulted {
		s.misuse("column")
		return
	}
	if s.err != nil || s.phase == closed {
		return
	}
	if !s.usable() || (*lib.TVdbe)(pointer(s.stmt)).FpResultRow == 0 {
		s.Fail(fmt.Errorf("column %d: no row to read: %w", i, lido.ErrClosed))
		return
	}
	s.Fail(convert.Refusal(i, s.ColumnCount(), s.ColumnName(i), t, as))
}
