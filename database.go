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
