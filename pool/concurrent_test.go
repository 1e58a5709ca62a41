package pool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// gates is an SQL function that says that the engine has called it, and returns
// when it is let go.
type gates struct{ inside, leave chan struct{} }

func openGated(t *testing.T) (*pool.DB, gates) {
	g := gates{make(chan struct{}), make(chan struct{})}
	return openDB(t, pool.Config{OnConnect: func(_ context.Context, c *sqlite.Conn) error {
		return c.CreateFunction("gate", 1, false, func(args []sqlite.Value) (any, error) {
			if args[0].Int64() == 1 {
				g.inside <- struct{}{}
				<-g.leave
			}
			return args[0].Int64(), nil
		})
	}}), g
}

var (
	readGate   = &lido.Query{Name: "ReadGate", SQL: "SELECT gate(1)", ReadOnly: true}
	insertGate = &lido.Query{Name: "InsertGate", SQL: "INSERT INTO item(name) VALUES('gate ' || gate(1))", Writes: []string{"item"}}
	endlessRun = &lido.Query{Name: "EndlessRun", SQL: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(gate(i)) FROM n", ReadOnly: true}
)

// beside makes call while another goroutine is in the engine with q.
//
//	steps q, is in the engine
//	                           call
//	leaves the engine
func (g gates) beside(ctx context.Context, r lido.Reader, q *lido.Query, call func()) error {
	result := make(chan error)
	go func() {
		if q.ReadOnly {
			_, err := scalar(ctx, r, q)
			result <- err
			return
		}
		result <- run(ctx, r.(lido.Writer), q)
	}()
	<-g.inside
	call()
	g.leave <- struct{}{}
	return <-result
}

// namesBoth checks that err is that of a concurrent use, and that it names this
// file twice: where the transaction was begun, and the call.
func namesBoth(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, lido.ErrConcurrentUse) || strings.Count(err.Error(), "pool/concurrent_test.go:") < 2 {
		t.Errorf("%s: %v", what, err)
	}
}

// works checks that the pool goes on: it has all connections, and its table has n rows.
func works(t *testing.T, db *pool.DB, n int64) {
	t.Helper()
	if st := db.Stat(); st.Readers.InUse+st.Writer.InUse != 0 {
		t.Errorf("%d readers and %d writers are held", st.Readers.InUse, st.Writer.InUse)
	}
	if err := run(t.Context(), db, insertItem, "afterwards"); err != nil {
		t.Error(err)
	}
	if got := count(t, t.Context(), db); got != n+1 {
		t.Errorf("%d rows, want %d", got, n+1)
	}
	if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		if answer, err := c.QueryText(ctx, "PRAGMA integrity_check"); err != nil || answer != "ok" {
			t.Error(answer, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// calls tries every method of tx and of s, a statement in it, and checks that
// each is refused.
func calls(t *testing.T, ctx context.Context, r lido.Reader, s lido.Stmt) {
	t.Helper()
	_, readErr := r.PrepareRead(ctx, countItems)
	_, stepErr := s.Step()
	errs := map[string]error{"PrepareRead": readErr, "Step": stepErr}
	if tx, ok := r.(lido.Tx); ok {
		_, errs["PrepareWrite"] = tx.PrepareWrite(ctx, insertItem)
		errs["Savepoint"] = tx.Savepoint(ctx, func(context.Context, lido.Tx) error {
			t.Error("the savepoint's closure ran")
			return nil
		})
	}
	for name, err := range errs {
		namesBoth(t, name, err)
	}
}

// Both goroutines get an error, and nothing is committed, even if the closure
// throws the errors away.
func TestConcurrentUse_ofATransactionIsAnErrorThatNamesBothPlaces(t *testing.T) {
	uses := map[string]func(ctx context.Context, db *pool.DB, fn func(context.Context, lido.Tx) error) error{
		"Write": func(ctx context.Context, db *pool.DB, fn func(context.Context, lido.Tx) error) error {
			return db.Write(ctx, fn)
		},
		"Batch": func(ctx context.Context, db *pool.DB, fn func(context.Context, lido.Tx) error) error {
			return db.Batch(ctx, fn)
		},
		"Batch alone": func(ctx context.Context, db *pool.DB, fn func(context.Context, lido.Tx) error) error {
			return db.Batch(pool.Alone(ctx), fn)
		},
		"Savepoint": func(ctx context.Context, db *pool.DB, fn func(context.Context, lido.Tx) error) error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return tx.Savepoint(ctx, fn) })
		},
		"Read": func(ctx context.Context, db *pool.DB, fn func(context.Context, lido.Tx) error) error {
			return db.Read(ctx, func(ctx context.Context, r lido.Reader) error { return fn(ctx, readerTx{Reader: r}) })
		},
	}
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			db, g := openGated(t)
			err := use(t.Context(), db, func(ctx context.Context, tx lido.Tx) error {
				var r lido.Reader = tx
				q := insertGate
				if only, ok := tx.(readerTx); ok {
					r, q = only.Reader, readGate
				} else if err := run(ctx, tx, insertItem, "before"); err != nil {
					t.Error(err)
				}
				s, err := r.PrepareRead(ctx, countItems)
				if err != nil {
					t.Fatal(err)
				}
				if err := g.beside(ctx, r, q, func() {
					calls(t, ctx, r, s)
					namesBoth(t, "Reset", s.Reset())
					namesBoth(t, "Close", s.Close())
				}); err != nil && !errors.Is(err, lido.ErrConcurrentUse) {
					t.Error(err)
				}
				calls(t, ctx, r, s)
				return s.Close()
			})
			namesBoth(t, name, err)
			works(t, db, 0)
		})
	}
}

// readerTx has a closure of Read take the form of the others.
type readerTx struct{ lido.Reader }

func (readerTx) PrepareWrite(context.Context, *lido.Query) (lido.Stmt, error) { panic("reads") }
func (readerTx) Savepoint(context.Context, func(context.Context, lido.Tx) error) error {
	panic("reads")
}

// What others have done in the same group stays.
func TestConcurrentUse_inABatchIsItsOwnFault(t *testing.T) {
	db, g := openGated(t)
	var wg sync.WaitGroup
	hold := make(chan struct{})
	begun := make(chan struct{})
	wg.Go(func() { // leads, and so has the others form a group behind it
		if err := db.Write(t.Context(), func(context.Context, lido.Tx) error { close(begun); <-hold; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-begun
	const n = 6
	for i := range n {
		wg.Go(func() {
			err := db.Batch(t.Context(), func(ctx context.Context, tx lido.Tx) error {
				if i%2 == 0 {
					return run(ctx, tx, insertItem, fmt.Sprint("kept ", i))
				}
				_ = g.beside(ctx, tx, insertGate, func() { _, _ = scalar(ctx, tx, countItems) })
				return nil
			})
			if (err != nil) != (i%2 == 1) || i%2 == 1 && !errors.Is(err, lido.ErrConcurrentUse) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	close(hold)
	wg.Wait()
	works(t, db, n/2)
}

// The closure returns without waiting for a goroutine that is in the engine. The
// call is interrupted, and the connection is given back after it.
func TestConcurrentUse_byAGoroutineThatOutlivesTheClosure(t *testing.T) {
	db, g := openGated(t)
	late := make(chan error)
	outlives := func(ctx context.Context, r lido.Reader) {
		go func() {
			_, err := scalar(ctx, r, endlessRun)
			_, after := r.PrepareRead(ctx, countItems)
			late <- errors.Join(err, after)
		}()
		<-g.inside
		g.leave <- struct{}{} // and goes on in the engine
	}
	for name, use := range map[string]func() error{
		"Write": func() error {
			return db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
				err := run(ctx, tx, insertItem, "before")
				outlives(ctx, tx)
				return err
			})
		},
		"Savepoint": func() error {
			return db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
				return tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { outlives(ctx, tx); return nil })
			})
		},
		"Read": func() error {
			return db.Read(t.Context(), func(ctx context.Context, r lido.Reader) error { outlives(ctx, r); return nil })
		},
	} {
		if err := use(); !errors.Is(err, lido.ErrConcurrentUse) {
			t.Errorf("%s: %v", name, err)
		}
		if err := <-late; !errors.Is(err, lido.ErrInterrupted) || !errors.Is(err, lido.ErrClosed) && !errors.Is(err, lido.ErrConcurrentUse) {
			t.Errorf("%s: the goroutine got %v", name, err)
		}
	}
	works(t, db, 0)
}

// COMMIT would keep what a savepoint that is not over has done so far.
//
//	closure            goroutine
//	                   in a savepoint, inserts
//	returns
//	                   its savepoint ends
func TestConcurrentUse_ofASavepointThatOutlivesTheClosure(t *testing.T) {
	db := openDB(t, pool.Config{})
	inside, leave, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
		go func() {
			ended <- tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error {
				err := run(ctx, tx, insertItem, "half")
				close(inside)
				<-leave
				return err
			})
		}()
		<-inside
		return nil
	})
	if !errors.Is(err, lido.ErrConcurrentUse) {
		t.Error(err)
	}
	close(leave)
	if err := <-ended; !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	works(t, db, 0)
}

// A tx that many goroutines use as fast as they can: a commit holds every
// row that they wrote, or there is none.
func TestConcurrentUse_byManyGoroutinesNeverCrashes(t *testing.T) {
	db := openDB(t, pool.Config{})
	rounds, goroutines := 60, 8
	if testing.Short() {
		rounds = 10
	}
	use := func(ctx context.Context, tx lido.Tx, name string) error {
		if err := run(ctx, tx, insertItem, name); err != nil {
			return err
		}
		if _, err := scalar(ctx, tx, countItems); err != nil {
			return err
		}
		return tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, name+" nested") })
	}
	var want int64
	for round := range rounds {
		var done sync.WaitGroup
		var mu sync.Mutex
		rows, refused := int64(0), false
		write := db.Write
		if round%2 == 1 {
			write = db.Batch
		}
		err := write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
			start := make(chan struct{})
			for i := range goroutines {
				done.Go(func() {
					<-start
					for j := range 20 {
						err := use(ctx, tx, fmt.Sprint(round, " ", i, " ", j))
						mu.Lock()
						if err == nil {
							rows += 2
						} else if refused = true; !errors.Is(err, lido.ErrConcurrentUse) {
							t.Errorf("round %d: %v", round, err)
						}
						mu.Unlock()
					}
				})
			}
			close(start)
			done.Wait()
			return nil
		})
		switch {
		case err == nil && !refused:
			want += rows
		case !errors.Is(err, lido.ErrConcurrentUse) || !refused:
			t.Fatalf("round %d: %v, refused %v", round, err, refused)
		}
		if n := count(t, t.Context(), db); n != want {
			t.Fatalf("round %d: %d rows, want %d", round, n, want)
		}
	}
	works(t, db, want)
}

// A panic of the caller's making leaves nothing entered: the transaction ends, and
// its connection goes on.
func TestConcurrentUse_isNotSaidAfterAPanic(t *testing.T) {
	db := openDB(t, pool.Config{})
	var none context.Context
	for name, use := range map[string]func(ctx context.Context, tx lido.Tx){
		"Prepare":   func(_ context.Context, tx lido.Tx) { _, _ = tx.PrepareWrite(none, returnItem) },
		"Savepoint": func(_ context.Context, tx lido.Tx) { _ = tx.Savepoint(none, nil) },
		"in a savepoint": func(ctx context.Context, tx lido.Tx) {
			_ = tx.Savepoint(ctx, func(context.Context, lido.Tx) error { panic("boom") })
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			_ = db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error { use(ctx, tx); return nil })
		}()
	}
	if err := db.WithReader(t.Context(), func(_ context.Context, c *sqlite.Conn) error {
		defer func() { _ = recover() }()
		_, err := c.Prepare(none, "SELECT 1")
		return err
	}); err != nil {
		t.Error(err)
	}
	works(t, db, 0)
}

// Two goroutines close one statement: its reader is given back once.
func TestConcurrentUse_ofAStatementOutsideTransactions(t *testing.T) {
	db, g := openGated(t)
	s, err := db.PrepareRead(t.Context(), readGate)
	if err != nil {
		t.Fatal(err)
	}
	stepped := make(chan error)
	go func() { _, err := s.Step(); stepped <- err }()
	<-g.inside
	for name, err := range map[string]error{"Close": s.Close(), "Reset": s.Reset()} {
		if !errors.Is(err, lido.ErrConcurrentUse) {
			t.Errorf("%s: %v", name, err)
		}
	}
	g.leave <- struct{}{}
	if err := <-stepped; err != nil {
		t.Error(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := s.Close(); err != nil && !errors.Is(err, lido.ErrConcurrentUse) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	works(t, db, 0)
}

// A borrowed connection: the call beside another's is refused, Release waits
// for the other, and what it left is undone.
func TestConcurrentUse_ofABorrowedConnection(t *testing.T) {
	db, g := openGated(t)
	late := make(chan error)
	if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		if err := c.Begin(ctx, sqlite.Immediate); err != nil {
			return err
		}
		go func() {
			_, err := c.QueryInt64(ctx, endlessRun.SQL)
			late <- err
		}()
		<-g.inside
		if err := c.Exec(ctx, insertItem.SQL); !errors.Is(err, lido.ErrConcurrentUse) || !strings.Contains(err.Error(), "pool/concurrent_test.go:") {
			t.Error(err)
		}
		g.leave <- struct{}{}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := <-late; !errors.Is(err, lido.ErrInterrupted) {
		t.Error(err)
	}
	works(t, db, 0)
}
