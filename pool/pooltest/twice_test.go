package pooltest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool/pooltest"
)

func TestTwiceRunsEveryClosureTwiceAndKeepsOneRun(t *testing.T) {
	db := pooltest.Open(t, itemSchema)
	twice := pooltest.Twice(db)
	writes, reads := 0, 0
	err := twice.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
		writes++
		if n, err := countOf(ctx, tx); n != 0 || err != nil {
			t.Errorf("run %d finds %d rows: %v", writes, n, err)
		}
		return insert(ctx, tx, "a")
	})
	if err != nil || writes != 2 {
		t.Error(writes, err)
	}
	err = twice.Read(t.Context(), func(ctx context.Context, r lido.Reader) error {
		reads++
		wantCount(t, r, 1)
		return nil
	})
	if err != nil || reads != 2 {
		t.Error(reads, err)
	}
	batches := 0
	err = lido.Batch(t.Context(), twice, func(ctx context.Context, tx lido.Tx) error {
		batches++
		return insert(ctx, tx, "batch")
	})
	if err != nil || batches != 2 {
		t.Error(batches, err)
	}
	if err := insert(t.Context(), twice, "b"); err != nil { // no closure: once
		t.Error(err)
	}
	wantCount(t, db, 3)
}

func TestTwiceDoesNotRepeatAClosureThatFails(t *testing.T) {
	db := pooltest.Open(t, itemSchema)
	boom := errors.New("boom")
	runs := 0
	fail := func(ctx context.Context, tx lido.Tx) error {
		runs++
		return errors.Join(insert(ctx, tx, "a"), boom)
	}
	if err := pooltest.Twice(db).Write(t.Context(), fail); !errors.Is(err, boom) || runs != 1 {
		t.Error(runs, err)
	}
	wantCount(t, db, 0)
}
