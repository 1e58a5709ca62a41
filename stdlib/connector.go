package stdlib

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"time"

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
// the foreign keys are checked before COMMIT; and they are on again afterwards.
//
// While foreign keys are off, ON DELETE and ON UPDATE do nothing: a
// transaction that deletes rows must delete what refers to them itself. What it
// forgets, the check finds: Commit then fails with lido.ErrForeignKey, and the
// transaction is rolled back. It fails for what the transaction has broken, not
// for what was broken before: rows from a time without foreign keys, or a
// reference to columns without a unique index, keep no repair away.
//
// The check reads every row of every table with a foreign key, so this is for
// migrations and not for daily work. Package migrate uses it.
//
// https://www.sqlite.org/lang_altertable.html#otheralter
func WithSchemaChanges() Option {
	return func(c *connector) { c.schemaChanges = true }
}

// WithReadsOnWriter makes queries outside transactions run on the writer, like
// everything else. Nothing is gained by it in what a query sees: on a reader
// it sees all that was committed before it began. It is for programs that must
// know that no two of their statements run at the same time. Queries then wait
// for each other and for every transaction, and their rows are kept in memory,
// so that a loop over them can write.
//
// A transaction that is asked to be read-only still gets a reader.
func WithReadsOnWriter() Option {
	return func(c *connector) { c.readsOnWriter = true }
}

// WithDeclaredTypes makes the declared type of a column decide about integers,
// too, as mattn/go-sqlite3 does: 0 and 1 of a BOOLEAN column are read as bool (any
// other number is an int64 still, which no bool can say), and those of a DATE, DATETIME or TIMESTAMP column as time.Time, in seconds or,
// from 1e12 on, in milliseconds since 1970. Without it they are int64, as with
// modernc.org/sqlite; database/sql scans 0 and 1 into a bool either way.
func WithDeclaredTypes() Option {
	return func(c *connector) { c.declaredTypes = true }
}

// WithPoolClose makes closing the *sql.DB close the pool too: for frameworks
// that know only the *sql.DB. It waits as long as timeout for those who hold a
// connection, and then interrupts them.
func WithPoolClose(timeout time.Duration) Option {
	if timeout <= 0 {
		panic("stdlib: WithPoolClose needs a time to wait")
	}
	return func(c *connector) { c.closePool = timeout }
}

// OpenDB returns a *sql.DB whose statements run on the connections of db.
//
// It opens nothing, so it cannot fail. Closing the *sql.DB leaves db open,
// unless WithPoolClose says otherwise.
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
	readsOnWriter bool
	declaredTypes bool
	closePool     time.Duration // 0: the pool is left open
	trace         func(ctx context.Context, sql string)

	plans plans
}

var _ io.Closer = (*connector)(nil)

// Connect makes a handle. It opens nothing.
func (c *connector) Connect(context.Context) (driver.Conn, error) {
	return &conn{connector: c}, nil
}

// Close is called by the Close of the *sql.DB, after it has closed its handles.
func (c *connector) Close() error {
	if c.closePool == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.closePool)
	defer cancel()
	return c.db.Close(ctx)
}

// Driver returns a driver that opens nothing: there is no data source name.
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
