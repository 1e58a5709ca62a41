// Package migrate brings a database to the schema that a program was built
// for, with goose's migration files.
//
// A migration is a file such as 00002_balances.sql, with its number first and
// two sections, "-- +goose Up" and "-- +goose Down". Which ones have been
// applied is kept in the table goose_db_version, as goose itself does, so that
// an existing goose project can be taken over and left again.
//
// # Guarantees
//
//  1. One migration is one transaction. A migration that fails, or a process
//     that is killed in the middle of one, leaves the file as it was before that
//     migration; the next run goes on from there.
//  2. Each migration is applied once, however many goroutines and processes
//     start at the same time: see "The lock" below.
//  3. Foreign keys do not get in the way and are not broken. They are off while
//     a migration runs, so a table can be dropped and built anew under the rows
//     that refer to it, and they are checked before the commit. What was broken
//     before the migration does not make it fail: rows without a parent from a
//     time when foreign keys were off, a reference to columns without a unique
//     index, a reference to a table that is gone.
//     https://www.sqlite.org/lang_altertable.html#otheralter
//  4. A database that is newer than the program is refused with a *NewerError
//     before anything is written.
//  5. What WithBackup names is called before the first migration that touches a
//     database with rows in it; if it fails, nothing has been done.
//
// While foreign keys are off, ON DELETE CASCADE and its kin do nothing: a
// migration that deletes rows deletes what refers to them itself. What it
// forgets makes the check fail, and the migration is rolled back.
//
// # The lock
//
// SQLite has no lock that outlives a transaction. Up, UpTo, Down and Redo
// therefore lock a file beside the database, its name with "-migrate.lock"
// added (flock, on Windows LockFileEx). The operating system drops the lock
// when the process ends, however it ends, so there is no stale lock to clear; a
// file left behind by a crash means nothing. The database file itself is never
// opened for this: closing any descriptor of it would drop the engine's own
// locks. Waiting for the lock ends with the context.
//
// Programs that do not take this lock, such as the goose command, are caught by
// a second look inside each transaction, which by then is the only writer: a
// migration that has been recorded meanwhile is rolled back, and the error
// matches goose.ErrAlreadyApplied.
//
// # What cannot run in a transaction
//
// Files with "-- +goose NO TRANSACTION", and Go migrations that take a *sql.DB,
// are refused, for guarantee 1 cannot be given: most of them exist only to turn
// foreign keys off, which is done here anyway. WithUnsafeNoTransaction lets them
// run for what remains, such as VACUUM. One that begins a transaction by SQL and
// does not commit it is reported with ErrNotCommitted. Statements of transaction control inside
// a migration are refused as well.
//
// # Order
//
// As with goose, a migration whose number is below that of one already applied
// is refused with an *OutOfOrderError, unless WithOutOfOrder is given. Applied
// migrations that the program no longer has are let be as long as their number
// is below its newest.
package migrate
