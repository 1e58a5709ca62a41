package stdlib

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/lidodb/lido/pool"
)

// Option changes what OpenDB returns.
type Option func(*connector)

// WithTrace calls fn with the text of every statement just before it goes to
// the engine, BEGIN, COMMIT and ROLLBACK included. fn runs on the goroutine of
// the caller while a connection is held; it must not use the database.
func WithTrace(fn func(ctx context.Context, sql string)) Option {
	return func(c *connector) { c.trace = fn }
}

// WithSchemaChanges makes every writing transaction follow the procedure that
// SQLite gives for changing tables: foreign keys are off from before BEGIN, so
// that a table can be dropped and built anew under the rows that refer to it;
// PRAGMA foreign_key_check must come back empty before COMMIT; and foreign keys
// are on again afterwards.
//
// While foreign keys are off, ON DELETE and ON UPDATE do nothing: a
// transaction that deletes rows must delete what refers to them itself. What it
// forgets, the check finds: Commit then fails with lido.ErrForeignKey, and the
// transaction is rolled back.
//
// The check reads every row of every table with a foreign key, so this is for
// migrations and not for daily work. Package migrate uses it.
//
// https://www.sqlite.org/lang_altertable.html#otheralter
func WithSchemaChanges() Option {
	return func(c *connector) { c.schemaChanges = true }
}

// OpenDB returns a *sql.DB whose statements run on the connections of db.
//
// It opens nothing, so it cannot fail. Closing the *sql.DB leaves db open.
// Limits set on the *sql.DB count handles, not connections to the file, and
// are best left alone: db has its own.
func OpenDB(db *pool.DB, opts ...Option) *sql.DB {
	return sql.OpenDB(NewConnector(db, opts...))
}

// NewConnector returns what OpenDB makes its *sql.DB from: for libraries that
// wrap a driver.Connector, be it to trace or to count, before sql.OpenDB gets
// it. It opens nothing, and nothing of it has to be closed.
func NewConnector(db *pool.DB, opts ...Option) driver.Connector {
	if db == nil {
		panic("stdlib: a *sql.DB without a pool")
	}
	c := &connector{db: db, readOnly: db.Config().ReadOnly}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// connector makes the handles that database/sql calls connections. It is safe
// for concurrent use; its fields do not change.
type connector struct {
	db            *pool.DB
	readOnly      bool
	schemaChanges bool
	trace         func(ctx context.Context, sql string)
}

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	return &conn{connector: c}, nil
}

func (c *connector) Driver() driver.Driver { return noDriver{} }

// noDriver stands where database/sql wants a driver.
type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("stdlib: there is no data source name; use OpenDB with a pool")
}

func (c *connector) note(ctx context.Context, sql string) {
	if c.trace != nil {
		c.trace(ctx, sql)
	}
}
