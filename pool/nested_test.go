package pool_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// The goroutine tells where the context does not.
//
//	prepares a write, under ctx
//	Write: has the writer
//	  steps it: would wait for the writer
func TestAWriteFromInsideAClosureWithTheWriterIsErrNestedUnderAnyContext(t *testing.T) {
	db, other := openDB(t, pool.Config{}), openDB(t, pool.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var outside lido.Stmt
	try := func() {
		t.Helper()
		_, stepErr := outside.Step()
		_, connErr := db.AcquireWriter(ctx)
		_, checkpointErr := db.Checkpoint(ctx, sqlite.Passive)
		for i, err := range []error{stepErr, connErr, checkpointErr,
			run(ctx, db, insertItem, "single"), run(pool.Alone(ctx), db, insertItem, "alone"),
			db.Write(ctx, func(context.Context, lido.Tx) error { return nil }),
			db.Batch(ctx, func(context.Context, lido.Tx) error { return nil }),
		} {
			if !errors.Is(err, lido.ErrNested) {
				t.Errorf("%d: %v", i, err)
			}
		}
		// A reader is another connection, and so is another database.
		if _, err := scalar(ctx, db, countItems); err != nil {
			t.Error(err)
		}
		if err := run(ctx, other, insertItem, rand.Text()); err != nil {
			t.Error(err)
		}
	}
	closure := func(ctx context.Context, tx lido.Tx) error {
		try()
		return tx.Savepoint(ctx, func(context.Context, lido.Tx) error { try(); return nil })
	}
	for name, do := range map[string]func() error{
		"Write":       func() error { return db.Write(ctx, closure) },
		"Batch":       func() error { return db.Batch(ctx, closure) },
		"Batch alone": func() error { return db.Batch(pool.Alone(ctx), closure) },
		"WithWriter": func() error {
			return db.WithWriter(ctx, func(context.Context, *sqlite.Conn) error { try(); return nil })
		},
		"Batches together": func() error {
			batch := func(ctx context.Context) error { return db.Batch(ctx, closure) }
			return errors.Join(together(t, db, batch, batch, batch)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if outside, err = db.PrepareWrite(ctx, insertItem); err != nil {
				t.Fatal(err)
			}
			defer outside.Close()
			outside.BindText(1, "a")
			if err := do(); err != nil {
				t.Error(err)
			}
			if n := count(t, ctx, db); n != 0 {
				t.Errorf("%d rows", n)
			}
			// Afterwards, and when it has panicked, nothing is nested.
			func() {
				defer func() { _ = recover() }()
				_ = db.Write(ctx, func(context.Context, lido.Tx) error { panic("boom") })
			}()
			if err := db.Write(ctx, func(context.Context, lido.Tx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
}

// Somebody else than the closure's goroutine waits, as ctx allows.
func TestAWriteBesideAClosureWaits(t *testing.T) {
	db := openDB(t, pool.Config{})
	err := db.Write(t.Context(), func(context.Context, lido.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for _, ctx := range []context.Context{ctx, pool.Alone(ctx)} {
			wg.Go(func() {
				if err := run(ctx, db, insertItem, "a"); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestACallFromInsideItsOwnClosureIsErrNested(t *testing.T) {
	db := openDB(t, pool.Config{})
	try := func(ctx context.Context) {
		t.Helper()
		_, readErr := db.PrepareRead(ctx, countItems)
		_, writeErr := db.PrepareWrite(ctx, insertItem)
		_, connErr := db.AcquireWriter(ctx)
		for _, err := range []error{readErr, writeErr, connErr,
			db.Read(ctx, func(context.Context, lido.Reader) error { return nil }),
			db.Write(ctx, func(context.Context, lido.Tx) error { return nil }),
		} {
			if !errors.Is(err, lido.ErrNested) {
				t.Errorf("%v", err)
			}
		}
	}
	ctx := t.Context()
	err := errors.Join(
		db.Read(ctx, func(ctx context.Context, _ lido.Reader) error { try(ctx); return nil }),
		db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
			try(ctx)
			return tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { try(ctx); return nil })
		}),
		db.WithReader(ctx, func(ctx context.Context, _ *sqlite.Conn) error { try(ctx); return nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
}
