package pool

import (
	"context"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// Conn is a connection that was borrowed by hand. It belongs to one goroutine
// until Release or Destroy.
//
// The borrower may open transactions on it, which the typed calls may not. What
// it leaves behind is looked at on Release: an open transaction is rolled back;
// a connection with an open statement, a changed PRAGMA, an attached file, a
// temporary table or a function of the borrower's own is closed, and the pool
// opens another in its place. An authorizer and a function of OnEnding end with
// the loan. What is for all belongs into Config.OnConnect.
type Conn struct {
	*sqlite.Conn
	res *Resource[*sqlite.Conn]

	db   *DB   // nil of a reader, which has no news
	news int64 // the newest commit before the loan
}

// closedConn takes the place of the connection after Release.
var closedConn = new(sqlite.Conn)

// AcquireReader borrows a read-only connection, for which it waits as ctx
// allows. The caller must call Release or Destroy.
func (db *DB) AcquireReader(ctx context.Context) (*Conn, error) {
	return db.lend(ctx, db.readers, rawReader)
}

// AcquireWriter borrows the one connection that writes, for which it waits as
// ctx allows. Nothing else is written until the caller calls Release or Destroy.
// It commits at the level of durability that ctx says; see [WithSynchronous].
func (db *DB) AcquireWriter(ctx context.Context) (*Conn, error) {
	return db.lend(ctx, db.writer, rawWriter)
}

func (db *DB) lend(ctx context.Context, p *Pool[*sqlite.Conn], as *lido.Query) (*Conn, error) {
	r, err := db.acquire(ctx, p, nil)
	if err != nil {
		return nil, err
	}
	r.SetHolder(as)
	c := &Conn{Conn: r.Value(), res: r}
	if p == db.writer {
		if err := db.setLevel(ctx, r.Value()); err != nil {
			r.Release()
			return nil, err
		}
		db.byHand = true
		c.db, c.news = db, db.news.last.Load()
	}
	c.DenyControl(false)
	return c, nil
}

// Release gives the connection back. Calling it again does nothing.
func (c *Conn) Release() {
	if c.Conn == closedConn {
		return
	}
	c.Reclaim()
	c.RestoreHooks()
	c.DenyControl(true)
	c.Conn = closedConn
	defer c.spread()
	c.res.Release()
}

// Destroy closes the connection instead of giving it back. reason is logged.
func (c *Conn) Destroy(reason error) {
	if c.Conn == closedConn {
		return
	}
	c.Conn = closedConn
	defer c.spread()
	c.res.Destroy(reason)
}

// spread has the commits on the connection told of.
func (c *Conn) spread() {
	if c.db != nil && c.db.news.last.Load() > c.news {
		c.db.spread(context.Background())
	}
}

// WithReader lends fn a read-only connection and takes it back afterwards,
// also when fn panics.
func (db *DB) WithReader(ctx context.Context, fn func(ctx context.Context, c *sqlite.Conn) error) error {
	return db.with(ctx, db.readers, rawReader, fn)
}

// WithWriter lends fn the one connection that writes and takes it back
// afterwards, also when fn panics. A transaction that fn opens must be ended by
// fn; Write is the form that does so itself.
func (db *DB) WithWriter(ctx context.Context, fn func(ctx context.Context, c *sqlite.Conn) error) error {
	return db.with(ctx, db.writer, rawWriter, fn)
}

func (db *DB) with(ctx context.Context, p *Pool[*sqlite.Conn], as *lido.Query, fn func(ctx context.Context, c *sqlite.Conn) error) error {
	c, err := db.lend(ctx, p, as)
	if err != nil {
		return err
	}
	defer c.Release()
	if p == db.writer {
		db.enterClosure()
		defer db.leaveClosure()
	}
	return fn(context.WithValue(ctx, closureKey{db}, c), c.Conn)
}
