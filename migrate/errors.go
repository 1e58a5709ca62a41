package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// What a migration is refused for, beside the typed errors of this package.
var (
	// ErrNoMigrations: the file system holds no migration.
	ErrNoMigrations = errors.New("no migrations found")
	// ErrUnknownVersion: the program has no migration of that number.
	ErrUnknownVersion = errors.New("no migration has this version")
	// ErrNothingApplied: there is no migration to undo.
	ErrNothingApplied = errors.New("no migration has been applied")
	// ErrIrreversible: the migration does not say how it is undone.
	ErrIrreversible = errors.New("migration has nothing under \"-- +goose Down\" and cannot be undone")
	// ErrNoTransaction: the migration does not run in a transaction.
	ErrNoTransaction = errors.New("migration does not run in one transaction")
	// ErrUnmarked: the migration does not say which of its statements apply it.
	ErrUnmarked = errors.New("migration has statements that no \"-- +goose Up\" stands above; write that line at the top")
	// ErrNotCommitted: the migration ran without an error, and yet the database
	// does not have it. It begins a transaction by SQL that it does not commit.
	ErrNotCommitted = errors.New("migration ran but was not committed: it begins a transaction by SQL and does not end it")
)

// NewerError reports that the database has seen a migration which is newer than
// all that the program knows. Run the newer program, or restore the backup from
// before that migration.
type NewerError struct {
	Database int64 // the highest version that has been applied
	Program  int64 // the highest version that the program has
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("migrate: the database is at version %d, newer than this program, which knows versions up to %d: run the newer program, or restore a backup from before",
		e.Database, e.Program)
}

// OutOfOrderError reports migrations that have not been applied although a
// later one has.
type OutOfOrderError struct {
	Missing  []Migration
	Database int64 // the highest version that has been applied
}

func (e *OutOfOrderError) Error() string {
	return fmt.Sprintf("migrate: the database is at version %d, but %s was not applied: give it a higher number, or allow it with WithOutOfOrder",
		e.Database, join(e.Missing))
}

// PartialError reports a migration that failed. It was rolled back; the ones
// before it stay.
type PartialError struct {
	Applied []Step      // what ran before, in this order
	Failed  Step        // what failed
	Pending []Migration // what was not tried
	Err     error       // why
}

func (e *PartialError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "migrate: %s %s: %v", e.Failed.Migration, e.Failed.Direction, e.Err)
	if n := len(e.Applied); n > 0 {
		fmt.Fprintf(&b, " (%d applied before it)", n)
	}
	if n := len(e.Pending); n > 0 {
		fmt.Fprintf(&b, " (%d not tried)", n)
	}
	return b.String()
}

// Unwrap returns why the migration failed.
func (e *PartialError) Unwrap() error { return e.Err }

// cause takes from an error of goose what goose adds when it rolls back a
// transaction that has ended already: by a failed commit, or because ctx did.
// An error that says no more than that is given the reason of ctx.
func cause(ctx context.Context, err error) error {
	list := []error{err}
	if parts, ok := err.(interface{ Unwrap() []error }); ok {
		list = parts.Unwrap()
	}
	var kept []error
	for _, e := range list {
		if e != sql.ErrTxDone {
			kept = append(kept, e)
		}
	}
	switch {
	case len(kept) == 0 && ctx.Err() != nil:
		return errors.Join(context.Cause(ctx), err)
	case len(kept) == 0, len(kept) == len(list):
		return err
	case len(kept) == 1:
		return kept[0]
	}
	return errors.Join(kept...)
}

func join(list []Migration) string {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.String()
	}
	return strings.Join(names, ", ")
}
