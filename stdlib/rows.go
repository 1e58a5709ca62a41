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

// few columns are as many as have room of their own in rows; see box.go.
const few = 4

// head is what is known of rows before the first one.
type head struct {
	columns *sqlite.Columns
	names   [few]string
	named   bool // names has been handed out
	typed   bool // integers, too, are read as their column is declared

	// Of rows that stream, here because there is room.
	row bool // the current row has not been read yet
	end bool
}

// head is that of a statement after its first step, which has come to row.
func (c *conn) head(columns *sqlite.Columns, row bool) head {
	return head{columns: columns, typed: c.connector.declaredTypes, row: row, end: !row}
}

// Columns returns the names of the columns, in a slice of the caller's own.
func (h *head) Columns() []string {
	if h.columns == nil {
		return nil
	}
	names := h.columns.Names
	if h.named || len(names) > few {
		return slices.Clone(names)
	}
	h.named = true
	return append(h.names[:0], names...)
}

// read copies the current row of s.
func (h *head) read(s source, dest []driver.Value, b *boxes) {
	for i := range dest {
		dest[i] = h.value(s, i, b)
	}
}

// rows stream from the connection that they hold.
type rows struct {
	head
	stmt  source
	on    *borrowed // nil where stmt holds the connection
	first boxes     // for the first row
}

// borrowed is where the connection of rows is the conn's own business, as in a
// transaction. Elsewhere it is their statement's, which the pool traces.
type borrowed struct {
	conn  *conn
	lease lease
	trace *pool.QueryTrace
	err   error // of Next
}

// stream returns rows whose connection is the conn's own business.
func (c *conn) stream(st *sqlite.Stmt, row bool, b borrowed) *rows {
	both := &struct {
		rows
		borrowed
	}{rows{head: c.head(st.Columns(), row), stmt: st}, b}
	both.rows.on = &both.borrowed
	return &both.rows
}

// Next reads the next row.
func (r *rows) Next(dest []driver.Value) error {
	if r.stmt == nil || r.end {
		return io.EOF
	}
	if !r.row {
		row, err := r.stmt.Step()
		if err != nil {
			r.end = true
			r.on.failed(err)
			return err
		}
		if !row {
			r.end = true
			return io.EOF
		}
	}
	r.row = false
	if r.on != nil {
		r.on.trace.Row()
	}
	r.read(r.stmt, dest, &r.first)
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
	r.on.end(err)
	return err
}

func (b *borrowed) failed(err error) {
	if b != nil {
		b.err = err
		b.conn.observe(&b.lease, statement{class: classRead}, err)
	}
}

func (b *borrowed) end(err error) {
	if b == nil {
		return
	}
	if !b.lease.own {
		b.conn.rows--
	}
	b.conn.settle(b.lease)
	b.trace.End(errors.Join(b.err, err))
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
