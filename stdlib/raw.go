package stdlib

import (
	"context"
	"fmt"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// Conn is what (*sql.Conn).Raw hands to its function: the way to what
// database/sql has no words for, such as backups, functions and limits.
//
//	err := conn.Raw(func(driverConn any) error {
//		return driverConn.(stdlib.Conn).WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
//			return c.Exec(ctx, script)
//		})
//	})
//
// A *sql.Conn holds no connection by itself. Where it has one, in a transaction
// of BeginTx or after a statement that has changed its connection, both methods
// lend that one. Elsewhere they borrow a connection until fn returns; what fn
// leaves on the writer, a transaction or a PRAGMA that it has set, makes the
// *sql.Conn hold it until it is closed, as the same would by SQL.
//
// fn must neither keep the connection nor call the *sql.Conn or the pool.
// Statements that it leaves open cost the connection.
type Conn interface {
	// Pool returns the pool behind the *sql.DB.
	Pool() *pool.DB
	// WithReader lends a connection that reads, for which it waits as ctx
	// allows.
	WithReader(ctx context.Context, fn func(ctx context.Context, c *sqlite.Conn) error) error
	// WithWriter lends the connection that writes, for which it waits as ctx
	// allows. In a transaction that is read-only it returns lido.ErrReadOnly.
	WithWriter(ctx context.Context, fn func(ctx context.Context, c *sqlite.Conn) error) error
}

func (c *conn) Pool() *pool.DB { return c.connector.db }

func (c *conn) WithReader(ctx context.Context, fn func(ctx context.Context, c *sqlite.Conn) error) error {
	if err := c.refused(statement{}); err != nil {
		return err
	}
	if c.held != nil {
		return c.lend(ctx, lease{Conn: c.held}, fn)
	}
	r, err := c.connector.db.AcquireReader(ctx)
	if err != nil {
		return err
	}
	return c.lend(ctx, lease{Conn: r, own: true, reader: true}, fn)
}

func (c *conn) WithWriter(ctx context.Context, fn func(ctx context.Context, c *sqlite.Conn) error) error {
	if err := c.refused(statement{}); err != nil {
		return err
	}
	if c.tx != nil && c.tx.readOnly || c.connector.readOnly {
		return fmt.Errorf("stdlib: %w", lido.ErrReadOnly)
	}
	l, err := c.lease(ctx)
	if err != nil {
		return err
	}
	return c.lend(ctx, l, fn)
}

// lend calls fn, and looks at what it has left behind, also when it panics.
func (c *conn) lend(ctx context.Context, l lease, fn func(ctx context.Context, c *sqlite.Conn) error) (err error) {
	defer func() {
		// What fn has ended it has ended on purpose, but for a transaction of
		// BeginTx, which is not its own.
		c.observe(&l, statement{class: classEnd}, err)
		c.settle(l)
	}()
	return fn(ctx, l.Conn.Conn)
}
