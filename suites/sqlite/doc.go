// Package sqlite stands where the suites of other projects import a SQLite
// driver: it registers, under the names that such drivers have, one whose
// statements run through package stdlib.
//
// Lido itself registers no driver and has no data source names. The suites
// know nothing else, so this package turns each name into a pool:
//
//   - a file is opened once in a program, by the first *sql.DB that needs it,
//     and closed with the last; the settings of the first hold for all;
//   - ":memory:" and an empty name are a database of their own for each
//     *sql.DB, and a shared memory database is found by its name. Unlike with
//     other drivers all connections of one *sql.DB see the same database;
//   - _pragma, _busy_timeout, _foreign_keys, _fk, _inttotime and mode=ro are
//     understood. The journal is always a WAL, and transactions that write
//     begin with BEGIN IMMEDIATE, whatever the name asks for;
//   - text in double quotes that names no column is a string, as it is with
//     other drivers by default;
//   - under the name "sqlite3", that of mattn's driver, integers in columns
//     declared as times or as BOOLEAN are read as such.
//
// Errors that the engine gives to Exec, Query and Prepare are of type *Error,
// with the text and the method Code that callers of the stock driver know.
package sqlite
