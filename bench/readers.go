package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/lidodb/lido/bench/lidogen"
	"github.com/lidodb/lido/pool"
)

// readers measures what a second reader adds, and what a writer that never
// rests takes from one.
func readers(ctx context.Context, dir string, rounds int, length time.Duration) error {
	path := filepath.Join(dir, "readers.db")
	if err := fill(ctx, path); err != nil {
		return err
	}
	db, err := pool.Open(ctx, path, pool.Config{MaxReaders: 8})
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	store := lidogen.NewStore(db)
	one := func(i int64) error { _, err := store.GetItem(ctx, 1+i%items); return err }
	list := func(int64) error { return want1000(store.ListItems(ctx, 1000)) }
	row := lidogen.InsertItemParams{Name: "a new item of some length", Email: "someone@example.com", Price: 1999}
	full := pool.WithSynchronous(ctx, pool.SynchronousFull)
	write := func(int64) error { return store.InsertItem(ctx, row) }
	compute := func(int64) error { return nil }
	writeFull := func(int64) error { return store.InsertItem(full, row) }

	fmt.Printf("\nreaders on %d processors, median of %d rounds of %v\n\n", runtime.GOMAXPROCS(0), rounds, length)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "what runs\treads/s\tto one reader\tto one beside a loop\ttarget\t")
	for _, shape := range []struct {
		name string
		read func(i int64) error
	}{{"one row by key", one}, {"list of 1,000 rows", list}} {
		rows := []struct {
			name   string
			calls  []func(i int64) error
			count  int // how many of calls are readers, the first ones
			target string
		}{
			{"one reader", []func(int64) error{shape.read}, 1, ""},
			{"two readers", []func(int64) error{shape.read, shape.read}, 2, "at least 1.8 to one reader"},
			// Alone, a reader has a second processor for the garbage collector.
			// This is what it reads on the one that a writer leaves it.
			{"one reader beside an empty loop", []func(int64) error{shape.read, compute}, 1, ""},
			{"one reader beside a writer that never rests, FULL", []func(int64) error{shape.read, writeFull}, 1, "at least 0.8 to one beside a loop"},
			{"one reader beside a writer that never rests, NORMAL", []func(int64) error{shape.read, write}, 1, "at least 0.8 to one beside a loop"},
		}
		// The rows take turns, so that a machine that slows down slows all.
		results := make([][]float64, len(rows))
		for range rounds {
			for i, r := range rows {
				perSecond, err := runFor(length, r.count, r.calls...)
				if err != nil {
					return err
				}
				results[i] = append(results[i], perSecond)
			}
		}
		alone, loop := medianOf(results[0]), medianOf(results[2])
		for i, r := range rows {
			perSecond := medianOf(results[i])
			fmt.Fprintf(w, "%s, %s\t%.0f\t%.2f\t%.2f\t%s\t\n", shape.name, r.name, perSecond, perSecond/alone, perSecond/loop, r.target)
		}
	}
	return w.Flush()
}

// runFor calls each of calls in a loop of its own, and returns how many calls
// a second the first count made together.
func runFor(length time.Duration, count int, calls ...func(i int64) error) (float64, error) {
	var (
		stop   atomic.Bool
		failed atomic.Pointer[error]
		wg     sync.WaitGroup
		done   = make([]int64, len(calls))
	)
	start := time.Now()
	for i, call := range calls {
		wg.Go(func() {
			n := int64(0)
			for ; !stop.Load(); n++ {
				if err := call(n * int64(i+1)); err != nil {
					failed.Store(&err)
					return
				}
			}
			done[i] = n
		})
	}
	time.Sleep(length)
	stop.Store(true)
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	var sum int64
	for _, n := range done[:count] {
		sum += n
	}
	return float64(sum) / time.Since(start).Seconds(), nil
}
