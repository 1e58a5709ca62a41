package stdlib

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// A single statement outside a transaction and a session is asked of the pool
// as generated code asks: a query gets a reader for as long as its rows are
// open, a change shares its commit with others that wait at the same time.

// read runs a query on a reader.
func (c *conn) read(ctx context.Context, p *plan, list []driver.NamedValue) (*rows, error) {
	st := &c.reader
	if st.Open() { // a *sql.Conn can have several
		st = new(pool.ReadStmt)
	}
	if err := c.connector.db.PrepareReadIn(ctx, &p.query, p.once, st); err != nil {
		return nil, err
	}
	return c.first(ctx, p, list, st)
}

// changeRows runs a change that returns rows, which are kept in memory.
func (c *conn) changeRows(ctx context.Context, p *plan, list []driver.NamedValue) (*rows, error) {
	st, err := c.prepareChange(ctx, p)
	if err != nil {
		return nil, err
	}
	rows, err := c.first(ctx, p, list, st)
	if err != nil {
		return nil, err
	}
	c.last = result{rowid: st.LastInsertID(), changes: st.Changes()}
	return rows, nil
}

// first runs a statement up to its first row: from then on the columns are
// known, and the snapshot is that of the call.
func (c *conn) first(ctx context.Context, p *plan, list []driver.NamedValue, st lido.Stmt) (*rows, error) {
	args := arguments{plan: p, list: list}
	err := args.bind(st, p.list[0].params)
	var row bool
	if err == nil {
		c.connector.note(ctx, p.list[0].text)
		row, err = st.Step()
	}
	if err != nil {
		return nil, closing(st, err)
	}
	// The waist has no names for columns, but the pool's statements do.
	columns := st.(interface{ Columns() *sqlite.Columns }).Columns()
	return &rows{head: c.head(columns, row), stmt: st}, nil
}

// change runs a change.
func (c *conn) change(ctx context.Context, p *plan, list []driver.NamedValue) (driver.Result, error) {
	st, err := c.prepareChange(ctx, p)
	if err != nil {
		return nil, err
	}
	args := arguments{plan: p, list: list}
	if err = args.bind(st, p.list[0].params); err == nil {
		c.connector.note(ctx, p.list[0].text)
		_, err = st.Step()
	}
	if err != nil {
		return nil, closing(st, err)
	}
	c.last = result{rowid: st.LastInsertID(), changes: st.Changes()}
	return c.last, st.Close()
}

func (c *conn) prepareChange(ctx context.Context, p *plan) (lido.Stmt, error) {
	st, err := c.connector.db.PrepareWrite(ctx, p.change)
	if err != nil {
		return nil, err
	}
	if r, ok := st.(interface {
		Recall(rowid, changes int64)
		Once()
	}); ok {
		r.Recall(c.last.rowid, c.last.changes)
		if p.once {
			r.Once()
		}
	}
	return st, nil
}

// closing closes a statement that has failed. err stays itself if that works:
// callers compare it.
func closing(st lido.Stmt, err error) error {
	if closeErr := st.Close(); closeErr != nil && !errors.Is(err, closeErr) {
		return errors.Join(err, closeErr)
	}
	return err
}
