package stdlib

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/lidodb/lido"
)

// stmt is a text that the engine has accepted. It holds no connection.
type stmt struct {
	conn *conn
	plan *plan
}

var (
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

// PrepareContext checks that the engine accepts query. The statement is
// prepared again, from the pool's cache, on the connection it then runs on.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	p := c.planOf(query, true)
	s := &stmt{conn: c, plan: p}
	// Of several statements later ones may need what the first ones make, and
	// a PRAGMA may take effect while it is prepared.
	if len(p.list) != 1 || p.list[0].class == classPragma || p.list[0].class.control() {
		return s, nil
	}
	if c.held != nil {
		st, err := c.held.Prepare(ctx, p.list[0].text)
		if err != nil {
			return nil, err
		}
		return s, st.Close()
	}
	if p.reads() {
		st, err := c.connector.db.PrepareRead(ctx, &p.query)
		if err == nil {
			return s, st.Close()
		}
		if !errors.Is(err, lido.ErrReadOnly) {
			return nil, err
		}
		p.writes.Store(true)
		return s, nil
	}
	r, err := c.connector.db.AcquireReader(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	st, err := r.Prepare(ctx, p.list[0].text)
	if err != nil {
		return nil, err
	}
	return s, st.Close()
}

// Close forgets the text. Nothing is held for it.
func (s *stmt) Close() error { return nil }

// NumInput returns -1: the arguments are counted, and their names looked at,
// when they are bound.
func (s *stmt) NumInput() int { return -1 }

// CheckNamedValue is that of the conn.
func (s *stmt) CheckNamedValue(v *driver.NamedValue) error { return checkValue(v) }

// ExecContext runs every statement of the text.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.exec(ctx, s.plan, args)
}

// QueryContext runs every statement of the text and returns the rows of the
// last.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.query(ctx, s.plan, args)
}

// Exec and Query are database/sql's methods from before contexts.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

// Query is Exec for rows.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

// named gives the arguments of database/sql's older interfaces their numbers.
func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, v := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}
