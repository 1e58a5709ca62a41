package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

var listItems = &lido.Query{Name: "ListItems", SQL: "SELECT name FROM item ORDER BY name", ReadOnly: true, Reads: []string{"item"}}

func names(ctx context.Context, r lido.Reader) (map[string]bool, error) {
	s, err := r.PrepareRead(ctx, listItems)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	found := make(map[string]bool)
	for {
		row, err := s.Step()
		if err != nil {
			return nil, err
		}
		if !row {
			return found, s.Close()
		}
		found[s.ColumnText(0)] = true
	}
}

// TestWhatWasAcknowledgedIsThereAndNothingElseIs runs every way of writing at
// once, with contexts that end at any moment, panics, statements that fail,
// savepoints, connections recycled all the time and handles left open. Each
// write is told either nil or an error; afterwards exactly those with nil are
// in the file.
func TestWhatWasAcknowledgedIsThereAndNothingElseIs(t *testing.T) {
	workers, rounds := 8, 150
	if testing.Short() {
		rounds = 40
	}
	for _, cfg := range []pool.Config{
		{},
		{MaxReaders: 1, StmtCacheCount: 1, MmapBytes: -1, WALAutocheckpointPages: 3},
		{MaxReaders: 4, MaxLifetime: time.Millisecond, IdleTimeout: time.Millisecond, LifetimeJitter: time.Millisecond, Synchronous: pool.SynchronousFull},
	} {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			db := openDBAt(t, path, cfg)
			var mu sync.Mutex
			acknowledged := make(map[string]bool)
			outcomes := make(map[bool]int)
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(seed, uint64(w)))
					for i := range rounds {
						name := fmt.Sprintf("%d/%d", w, i)
						written, err := writeSomehow(t.Context(), db, rng, name)
						if errors.Is(err, lido.ErrCommitUnknown) || errors.Is(err, lido.ErrBusy) {
							t.Errorf("%s: %v", name, err)
						}
						mu.Lock()
						outcomes[err == nil]++
						if err == nil {
							for _, n := range written {
								acknowledged[n] = true
							}
						}
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			found, err := names(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			for n := range acknowledged {
				if !found[n] {
					t.Errorf("%s was acknowledged and is lost", n)
				}
			}
			for n := range found {
				if !acknowledged[n] {
					t.Errorf("%s was refused and is there", n)
				}
			}
			// The maintenance may have some in its hands.
			waitUntil(t, func() bool { s := db.Stat(); return s.Readers.InUse+s.Writer.InUse+s.Writer.Waiting == 0 })
			if outcomes[true] < workers || outcomes[false] < workers {
				t.Errorf("outcomes %v: the test did not try both", outcomes)
			}
			if err := db.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			c, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.QueryText(t.Context(), "PRAGMA integrity_check"); got != "ok" || err != nil {
				t.Error(got, err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// writeSomehow writes name, and perhaps more, in a way that rng chooses. It
// returns what is in the file if the error is nil.
func writeSomehow(ctx context.Context, db *pool.DB, rng *rand.Rand, name string) (written []string, err error) {
	if rng.IntN(2) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(1500))*time.Microsecond)
		defer cancel()
	}
	boom := errors.New("boom")
	write := db.Write
	if rng.IntN(2) == 0 {
		write = db.Batch
	}
	switch rng.IntN(6) {
	case 0: // a single statement
		return []string{name}, run(ctx, db, insertItem, name)
	case 1: // one with RETURNING, left on its row
		s, err := db.PrepareWrite(ctx, returnItem)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		s.BindText(1, name)
		_, err = s.Step()
		return []string{name}, err
	case 2: // a transaction with a statement that breaks a constraint
		return []string{name}, write(ctx, func(ctx context.Context, tx lido.Tx) error {
			if err := run(ctx, tx, insertItem, name); err != nil {
				return err
			}
			if err := run(ctx, tx, insertItem, name); !errors.Is(err, lido.ErrUnique) {
				return fmt.Errorf("duplicate: %w", errors.Join(err, boom))
			}
			return nil
		})
	case 3: // savepoints, one kept and one undone
		return []string{name, name + "/kept"}, write(ctx, func(ctx context.Context, tx lido.Tx) error {
			if err := run(ctx, tx, insertItem, name); err != nil {
				return err
			}
			err := tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, name+"/kept") })
			if err != nil {
				return err
			}
			err = tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error {
				_ = run(ctx, tx, insertItem, name+"/undone")
				return boom
			})
			if !errors.Is(err, boom) {
				return err
			}
			return nil
		})
	case 4: // an error or a panic at the end, with statements left open
		defer func() {
			if recover() != nil {
				err = boom
			}
		}()
		return nil, write(ctx, func(ctx context.Context, tx lido.Tx) error {
			if s, err := tx.PrepareWrite(ctx, returnItem); err == nil {
				s.BindText(1, name)
				_, _ = s.Step()
			}
			if rng.IntN(2) == 0 {
				panic("boom")
			}
			return boom
		})
	default: // by hand, released in the middle of a transaction
		c, err := db.AcquireWriter(ctx)
		if err != nil {
			return nil, err
		}
		defer c.Release()
		if err := c.Begin(ctx, sqlite.Immediate); err != nil {
			return nil, err
		}
		if err := c.Exec(ctx, "INSERT INTO item(name) VALUES('"+name+"')"); err != nil {
			return nil, err
		}
		if rng.IntN(2) == 0 {
			return nil, boom
		}
		return []string{name}, c.Commit()
	}
}

func TestReadersAtTheSameTimeSeeWholeTransactions(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 4})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := db.Read(t.Context(), func(ctx context.Context, r lido.Reader) error {
					first, err := scalar(ctx, r, countItems)
					if err != nil {
						return err
					}
					second, err := scalar(ctx, r, countItems)
					if first%10 != 0 || first != second {
						t.Errorf("saw %d and then %d items; writers add ten at a time", first, second)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 50 {
		err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
			for j := range 10 {
				if err := run(ctx, tx, insertItem, fmt.Sprintf("%d/%d", i, j)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}
