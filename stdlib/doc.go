// Package stdlib offers a pool as a *sql.DB, for goose and for every other
// library that is written against database/sql.
//
// The *sql.DB has no connections of its own: each statement borrows a reader
// or the writer from the pool and gives it back. Typed code and database/sql
// code can therefore work side by side on one file in one process, without
// one of them finding the database locked by the other. No driver is
// registered and there is no DSN; what a connection is set to is said once, in
// pool.Config.
//
// # Where a statement runs
//
//   - BeginTx takes the writer with BEGIN IMMEDIATE and holds it until Commit
//     or Rollback. The lock is there from the start, so a transaction never
//     fails half way because it could not be upgraded to write. Isolation
//     levels up to serializable are accepted, for SQLite's transactions are
//     serializable whatever was asked for; write committed and linearizable are
//     refused.
//   - BeginTx with TxOptions.ReadOnly takes a reader, and pins the snapshot
//     before it returns.
//   - Outside a transaction a SELECT, VALUES or WITH that the engine itself
//     calls read-only runs on a reader, as does a PRAGMA that only tells about
//     the file (table_info, user_version, integrity_check and their like); all
//     else runs on the writer. Open rows hold their reader until they are closed
//     or read to their end. With WithReadsOnWriter everything runs on the writer.
//   - A single INSERT, UPDATE, DELETE or REPLACE outside a transaction is a
//     write as those of generated code are: writes that wait for the writer at
//     the same time share one commit (see pool.DB.PrepareWrite), and each has
//     its own result and its own error.
//   - last_insert_rowid() and changes() answer for the *sql.Conn or *sql.Tx that
//     asks, whatever others have inserted meanwhile. Through a *sql.DB, which
//     picks any handle, take the numbers from sql.Result, or use RETURNING.
//   - A statement that changes its connection (PRAGMA with a value, ATTACH, a
//     temporary table, BEGIN or SAVEPOINT as SQL) makes a *sql.Conn hold the
//     writer until the *sql.Conn is closed, and all its statements run there.
//     Through a *sql.DB such a statement has no effect beyond itself: what it
//     changed is undone when it ends.
//
// pool.WithSynchronous makes what a context begins as durable as it says: a
// transaction, or the statements of one call.
//
// SQLite has one writer. A goroutine that holds a transaction open and then
// writes through the *sql.DB waits for itself, until the context it passed
// ends; use the *sql.Tx.
//
// # Guarantees
//
//  1. What has been committed is seen by every statement that begins
//     afterwards, whichever connection it runs on. In WAL mode a commit is
//     there once its frames are in the WAL index, which is before COMMIT
//     returns; a read takes the end of the WAL as its snapshot when it begins
//     (https://www.sqlite.org/wal.html#concurrency). A SELECT after an INSERT
//     sees the row.
//  2. A statement that writes has run to its end, and outside a transaction has
//     been committed, when Exec or Query returns. The rows of a RETURNING
//     clause are kept in memory, so the writer is free while they are read.
//  3. When the engine rolls a transaction back by itself (a full disk, an
//     interrupted write), every later call on the *sql.Tx fails. Nothing of it
//     ever runs in autocommit. A *sql.Conn on which SQL has begun a transaction
//     refuses everything in the same way until COMMIT or ROLLBACK ends it; that
//     COMMIT fails.
//  4. A *sql.Tx or *sql.Rows that is closed gives its connection back; nothing
//     is held by an idle *sql.DB.
//
// Transactions that wrote are counted in pool.DB.Stat when they have ended: in
// Writes, Commits or Rollbacks, and LastCommit.
//
// # Values
//
// A time.Time is written in [lido.TimeLayout]. Text in columns declared DATE,
// DATETIME or TIMESTAMP is read as time.Time, in any form that lido.ParseTime
// knows; text that is no time stays a string. Otherwise the value decides:
// int64, float64, string, []byte or nil, as with the stock driver
// (modernc.org/sqlite). With WithDeclaredTypes 0 and 1 of BOOLEAN columns are
// read as bool, and integers of time columns as time.Time, as mattn/go-sqlite3
// does. A nil []byte is written as NULL, an empty one as an empty blob. What
// differs from the stock driver is listed in docs/stdlib.md, by tests that ask
// both.
//
// Arguments are positional or sql.Named. A name (:name, @name, $name) takes the
// argument of that name, ?NNN and $NNN the one of that number, and a plain ? the
// one of its number in SQLite: one after the highest so far. This is what the
// stock driver binds, but an argument that is missing, that no parameter takes,
// or that has a name and stands in the place of another is an error, before the
// first statement runs.
//
// Exec takes several statements, and its result is that of the last one that
// does not only read. Their
// parameters are numbered as those of one statement: a plain ? comes after all
// before it, ?NNN is the same argument in each; a text with both is refused.
// Query runs all of them and returns the rows of the last, as other SQLite
// drivers do, and so there is no next result set.
//
// # What lies below
//
// pool.Config.Tracer hears of every statement and transaction, and pool.DB.Stat
// counts them. (*sql.Conn).Raw hands out a [Conn], which lends the connection of package
// sqlite. A text that comes a second time goes into the statement cache of its
// connection, so that preparing it in database/sql saves next to nothing; one that
// comes once, as with values written into it, takes nobody's place there. A
// *sql.Stmt holds no connection, and is in the cache at once. A context that ends interrupts what runs, without a goroutine of
// its own, and leaves the connection fit for the next.
//
// # Errors
//
// What the engine refuses is a *lido.Error, also here: errors.Is(err,
// lido.ErrUnique) holds. When an I/O error may have struck a commit, be it that
// of a single statement, the error matches lido.ErrCommitUnknown. A call made with the context of a lido Write or Read
// closure is refused with lido.ErrNested; a closed pool answers lido.ErrClosed.
package stdlib
