package stdlib

import (
	"database/sql/driver"
	"io"

	"github.com/lidodb/lido/sqlite"
)

// head is what is known of rows before the first one.
type head struct {
	names []string
	types []string // as declared
	as    []declared
}

func headOf(s *sqlite.Stmt) head {
	n := s.ColumnCount()
	h := head{names: make([]string, n), types: make([]string, n), as: make([]declared, n)}
	for i := range n {
		h.names[i] = s.ColumnName(i)
		h.types[i] = s.ColumnDeclType(i)
		h.as[i] = declaredAs(h.types[i])
	}
	return h
}

// Columns returns the names of the columns.
func (h *head) Columns() []string { return h.names }

// ColumnTypeDatabaseTypeName returns the declared type of a column, or nothing
// for an expression.
func (h *head) ColumnTypeDatabaseTypeName(i int) string { return h.types[i] }

func (h *head) read(s *sqlite.Stmt, dest []driver.Value) {
	for i := range dest {
		dest[i] = columnValue(s, i, h.as[i])
	}
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*buffered)(nil)
)

// rows stream from the connection that they hold.
type rows struct {
	head
	conn  *conn
	lease lease
	stmt  *sqlite.Stmt
	row   bool // the current row has not been read yet
	end   bool
}

func (r *rows) Next(dest []driver.Value) error {
	if r.stmt == nil || r.end {
		return io.EOF
	}
	if !r.row {
		row, err := r.stmt.Step()
		if err != nil {
			r.end = true
			r.conn.observe(&r.lease, statement{class: classRead}, err)
			return err
		}
		if !row {
			r.end = true
			return io.EOF
		}
	}
	r.row = false
	r.read(r.stmt, dest)
	return nil
}

// Close gives the connection back. Closing again does nothing.
func (r *rows) Close() error {
	if r.stmt == nil {
		return nil
	}
	err := r.stmt.Close()
	r.stmt = nil
	if !r.lease.own {
		r.conn.rows--
	}
	r.conn.settle(r.lease)
	return err
}

// buffered rows hold nothing.
type buffered struct {
	head
	rows [][]driver.Value
}

func (b *buffered) Next(dest []driver.Value) error {
	if len(b.rows) == 0 {
		return io.EOF
	}
	copy(dest, b.rows[0])
	b.rows = b.rows[1:]
	return nil
}

func (b *buffered) Close() error { return nil }
