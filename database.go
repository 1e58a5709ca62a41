package lido

import "context"

// Reader prepares queries that cannot change the database.
//
// A snapshot given to [Database].Read is a Reader and nothing more: it has no
// PrepareWrite, so a write through it does not compile.
type Reader interface {
	// PrepareRead readies q to run. It waits for a connection where the Reader
	// does not already hold one, for as long as ctx allows. A query that is not
	// ReadOnly is refused with ErrReadOnly.
	PrepareRead(ctx context.Context, q *Query) (Stmt, error)
}

// Writer prepares queries that may change the database.
type Writer interface {
	Reader

	// PrepareWrite readies q to run. Outside a transaction the statement is
	// a transaction of its own, and its first Step returns after the commit.
	PrepareWrite(ctx context.Context, q *Query) (Stmt, error)
}

// Tx is one atomic transaction. It belongs to the goroutine that runs the
// closure and ends with it; a call after that fails with ErrClosed.
type Tx interface {
	Writer

	// Savepoint runs fn in a nested transaction: kept when fn returns nil,
	// undone when it returns an error or panics. The outer transaction goes on
	// either way.
	//
	// https://www.sqlite.org/lang_savepoint.html
	Savepoint(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
}

// Database is where generated stores run. Package pool implements it on an
// embedded file. It is safe for concurrent use.
type Database interface {
	Writer

	// Read runs fn on one consistent snapshot. The snapshot is pinned before fn
	// is called: what other callers commit meanwhile does not show in it.
	Read(ctx context.Context, fn func(ctx context.Context, r Reader) error) error

	// Write runs fn in one atomic transaction: committed when fn returns nil,
	// rolled back when it returns an error or panics. When Write returns nil
	// the transaction is committed, as durable as the database's setting says.
	Write(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
}

// Batcher is a Database on which closures may share a commit with others that
// are written at the same time.
type Batcher interface {
	// Batch runs fn as Write does, with one difference: fn may run more than
	// once. Each time it finds nothing of the time before in the database. What
	// it leaves elsewhere, such as a variable it adds to, it must be able to do
	// again.
	Batch(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
}

// Batch runs fn in one atomic transaction, for which it may run fn more than
// once: that of db.Batch, if db is a [Batcher], and otherwise of db.Write. When
// it returns nil the transaction is committed.
func Batch(ctx context.Context, db Database, fn func(ctx context.Context, tx Tx) error) error {
	if b, ok := db.(Batcher); ok {
		return b.Batch(ctx, fn)
	}
	return db.Write(ctx, fn)
}
