package stdlib

import (
	"database/sql/driver"
	"errors"
	"io"
	"slices"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// source is a statement that stands on a row: of the engine, or of the pool.
type source interface {
	Step() (row bool, err error)
	ColumnType(i int) lido.Type
	ColumnInt64(i int) int64
	ColumnFloat64(i int) float64
	ColumnText(i int) string
	ColumnBlob(i int, dst []byte) []byte
	Close() error
}

// head is what is known of rows before the first one.
type head struct {
	columns *sqlite.Columns
	as      []declared
	few     [8]declared // as, if the columns are few
	typed   bool        // integers, too, are read as their column is declared
}

func (h *head) describe(columns *sqlite.Columns, typed bool) {
	h.columns, h.typed = columns, typed
	if n := len(columns.Names); n <= len(h.few) {
		h.as = h.few[:n]
	} else {
		h.as = make([]declared, n)
	}
	for i, t := range columns.DeclTypes {
		h.as[i] = declaredAs(t)
	}
}

// Columns returns the names of the columns, in a slice of the caller's own.
func (h *head) Columns() []string {
	if h.columns == nil {
		return nil
	}
	return slices.Clone(h.columns.Names)
}

func (h *head) read(s source, dest []driver.Value) {
	for i := range dest {
		dest[i] = h.value(s, i)
	}
}

// rows stream from the connection that they hold.
type rows struct {
	head
	stmt source
	row  bool // the current row has not been read yet
	end  bool

	// Where the connection is the conn's own business, as in a transaction;
	// elsewhere stmt holds it, and is traced by the pool.
	conn  *conn
	lease *lease
	trace *pool.QueryTrace
	err   error // of Next
}

// Next reads the next row.
func (r *rows) Next(dest []driver.Value) error {
	if r.stmt == nil || r.end {
		return io.EOF
	}
	if !r.row {
		row, err := r.stmt.Step()
		if err != nil {
			r.end, r.err = true, err
			if r.conn != nil {
				r.conn.observe(r.lease, statement{class: classRead}, err)
			}
			return err
		}
		if !row {
			r.end = true
			return io.EOF
		}
	}
	r.row = false
	r.trace.Row()
	r.read(r.stmt, dest)
	return nil
}

// drain reads the rows to their end and throws them away.
func (r *rows) drain() error {
	for !r.end {
		row, err := r.stmt.Step()
		if err != nil {
			return errors.Join(err, r.Close())
		}
		r.end = !row
	}
	return r.Close()
}

// Close gives the connection back. Closing again does nothing.
func (r *rows) Close() error {
	if r.stmt == nil {
		return nil
	}
	err := r.stmt.Close()
	r.stmt = nil
	if r.conn != nil {
		if !r.lease.own {
			r.conn.rows--
		}
		r.conn.settle(*r.lease)
	}
	r.trace.End(errors.Join(r.err, err))
	return err
}

// buffered rows hold nothing.
type buffered struct {
	head
	rows [][]driver.Value
}

// Next reads the next row.
func (b *buffered) Next(dest []driver.Value) error {
	if len(b.rows) == 0 {
		return io.EOF
	}
	copy(dest, b.rows[0])
	b.rows = b.rows[1:]
	return nil
}

// Close does nothing.
func (b *buffered) Close() error { return nil }
