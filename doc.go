// Package lido is the waist of Lido: the few types that generated code is
// written against and that every engine below implements.
//
// Lido is to SQLite what pgx, pgxpool and sqlc together are to PostgreSQL.
// You write SQL files; sqlc and Lido's plugin turn each query into a typed
// method; the methods run on a pool that gives SQLite one writer and many
// readers. Generated code imports this package and the standard library, and
// nothing else. Package pool implements [Database] on an embedded file.
//
// # The closure contract
//
// A closure given to Read, Write or Savepoint does nothing that a rollback
// cannot undo: no mail sent, no channel written, no counter raised. Some
// engines run it more than once. The embedded pool runs it exactly once.
//
// The closure gets a context of its own. It marks the transaction, so that a
// call to the Database from inside its own closure is refused with [ErrNested]
// at once; without the mark it would wait for the connection that the closure
// itself holds.
//
// # Errors
//
// What the engine refuses comes back as *[Error], which matches the sentinels
// of this package under errors.Is. A query for one row that finds none returns
// [ErrNoRows], which is database/sql's own value.
package lido
