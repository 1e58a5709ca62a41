package pooltest

import (
	"context"
	"errors"

	"github.com/lidodb/lido"
)

// Twice returns db with a difference: the closures given to its Read, Write and
// Batch run twice. The first run is rolled back, the second is for real. A test
// that passes on db and fails on Twice(db) has a closure that does something
// that a rollback does not undo, such as adding to a slice, counting, or
// sending a message; some engines run closures again, and Batch does so on this
// one.
//
// A closure that fails, or panics, does not run again. Generated stores work on
// it as on db:
//
//	store := gen.NewStore(pooltest.Twice(db))
func Twice(db lido.Database) lido.Database { return twice{db} }

type twice struct{ lido.Database }

var _ lido.Batcher = twice{}

// errRehearsed undoes the first run.
var errRehearsed = errors.New("pooltest: the first of two runs is rolled back")

// Read runs fn on one snapshot, and then on another.
func (d twice) Read(ctx context.Context, fn func(ctx context.Context, r lido.Reader) error) error {
	if err := d.Database.Read(ctx, fn); err != nil {
		return err
	}
	return d.Database.Read(ctx, fn)
}

// Write runs fn in a transaction that is rolled back, and then in another.
func (d twice) Write(ctx context.Context, fn func(ctx context.Context, tx lido.Tx) error) error {
	return rehearse(ctx, d.Database.Write, fn)
}

// Batch runs fn in a transaction that is rolled back, and then in another that
// may be shared. On a database without Batch it is Write.
func (d twice) Batch(ctx context.Context, fn func(ctx context.Context, tx lido.Tx) error) error {
	run := func(ctx context.Context, fn func(ctx context.Context, tx lido.Tx) error) error {
		return lido.Batch(ctx, d.Database, fn)
	}
	return rehearse(ctx, run, fn)
}

type transact func(ctx context.Context, fn func(ctx context.Context, tx lido.Tx) error) error

func rehearse(ctx context.Context, run transact, fn func(ctx context.Context, tx lido.Tx) error) error {
	err := run(ctx, func(ctx context.Context, tx lido.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		return errRehearsed
	})
	if !errors.Is(err, errRehearsed) {
		return err
	}
	return run(ctx, fn)
}
