package lido

import (
	"database/sql"
	"errors"
	"strconv"
	"strings"
)

// ErrNoRows is what a query for one row returns when there is none. It is
// database/sql's own value, so existing code goes on working.
var ErrNoRows = sql.ErrNoRows

// Sentinels to test for with errors.Is. The first group describes what the
// engine answered and is matched by *Error; the second is Lido's own.
var (
	ErrUnique      = errors.New("unique constraint failed")
	ErrForeignKey  = errors.New("foreign key constraint failed")
	ErrNotNull     = errors.New("not null constraint failed")
	ErrCheck       = errors.New("check constraint failed")
	ErrBusy        = errors.New("database is locked by another connection")
	ErrReadOnly    = errors.New("attempt to write through a read-only handle")
	ErrCorrupt     = errors.New("database file is damaged or not a database")
	ErrFull        = errors.New("disk or database is full")
	ErrInterrupted = errors.New("interrupted")
	ErrTooBig      = errors.New("string, blob or row too big")

	// ErrNested: the database was called from inside its own Read or Write
	// closure. Use the handle that the closure was given.
	ErrNested = errors.New("call on the database from inside its own closure; use the closure's handle")
	// ErrClosed: the pool, transaction or statement has ended.
	ErrClosed = errors.New("closed")
	// ErrUnavailable: no connection to the database could be opened, or its file
	// was truncated. Another call will fail too, until the reason in the message
	// is mended.
	ErrUnavailable = errors.New("the database cannot be opened")
	// ErrReadersExhausted: a call waited for a reader in vain, while statements
	// that are not closed (of iterators, mostly) hold every one of them. A loop
	// whose body queries as well belongs inside Read.
	ErrReadersExhausted = errors.New("every reader is held by a statement that is still open")
	// ErrConcurrentUse: two goroutines used at once what belongs to one at a time,
	// a transaction or a connection. The message names both.
	ErrConcurrentUse = errors.New("two goroutines used it at once; give each its own transaction or connection")
	// ErrCommitUnknown: the engine could not say whether a commit happened.
	// Read the data back, or write with an idempotency key, to find out.
	ErrCommitUnknown = errors.New("outcome of commit is unknown")
	// ErrCommitted: a write was committed, and then a row that it returned could
	// not be read as the Go type wanted. To write again would write twice.
	ErrCommitted = errors.New("the write itself is committed")
	// ErrGroupAborted: a group commit was thrown away whole; nothing of the
	// call was applied, and it may be tried again.
	ErrGroupAborted = errors.New("group commit aborted, nothing was applied")
)

// Primary result codes of SQLite that Lido gives a meaning.
//
// https://www.sqlite.org/rescode.html
const (
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeInterrupt  = 9
	codeCorrupt    = 11
	codeFull       = 13
	codeTooBig     = 18
	codeConstraint = 19
	codeNotADB     = 26

	extCheck      = codeConstraint | 1<<8
	extForeignKey = codeConstraint | 3<<8
	extNotNull    = codeConstraint | 5<<8
	extPrimaryKey = codeConstraint | 6<<8
	extTrigger    = codeConstraint | 7<<8
	extUnique     = codeConstraint | 8<<8
	extRowID      = codeConstraint | 10<<8
)

// Error is an answer of the engine to one query.
//
// Message and Columns may echo data of the statement: log them with the care
// the data deserves, and keep them out of metric labels.
type Error struct {
	// Query is the name of the query, or empty outside generated code.
	Query string
	// Code is SQLite's primary result code, Extended the extended one.
	//
	// https://www.sqlite.org/rescode.html
	Code, Extended int
	// Message is what the engine said.
	Message string
	// Constraint names the constraint that failed, where the engine names it:
	// that of a CHECK, or the index of a unique expression index.
	Constraint string
	// Table and Columns are those of a failed UNIQUE, PRIMARY KEY or NOT NULL.
	Table   string
	Columns []string
	// Offset is the byte in the SQL at which a syntax error was found, or -1.
	Offset int
	// Cause is why Lido stopped the statement, where it did: the context's
	// error after an interrupt, for instance. It may be nil.
	Cause error
}

// Error says which query failed, what the engine said and its code.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Query != "" {
		b.WriteString(e.Query)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	b.WriteString(" (SQLite code ")
	b.WriteString(strconv.Itoa(e.Extended))
	b.WriteString(")")
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause, so that errors.Is(err, context.Canceled) holds for
// a statement that its context ended.
func (e *Error) Unwrap() error { return e.Cause }

// Is matches the sentinels of this package by result code.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrUnique:
		return e.Extended == extUnique || e.Extended == extPrimaryKey || e.Extended == extRowID
	case ErrForeignKey:
		// ON DELETE RESTRICT is a trigger inside the engine, and fails as one.
		return e.Extended == extForeignKey || e.Extended == extTrigger && e.Message == "FOREIGN KEY constraint failed"
	case ErrNotNull:
		return e.Extended == extNotNull
	case ErrCheck:
		return e.Extended == extCheck
	case ErrBusy:
		return e.Code == codeBusy || e.Code == codeLocked
	case ErrReadOnly:
		return e.Code == codeReadOnly
	case ErrCorrupt:
		return e.Code == codeCorrupt || e.Code == codeNotADB
	case ErrFull:
		return e.Code == codeFull
	case ErrInterrupted:
		return e.Code == codeInterrupt
	case ErrTooBig:
		return e.Code == codeTooBig
	}
	return false
}
