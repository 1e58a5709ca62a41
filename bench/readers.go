package main

import (
	"context"
	"errors"
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
// rests takes from one: each commit that a reader sees makes it begin anew with
// the WAL and its page cache.
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
	var engine [2]*direct // on a file of their own
	enginePath := filepath.Join(dir, "readers-engine.db")
	if err := fill(ctx, enginePath); err != nil {
		return err
	}
	for i := range engine {
		if engine[i], err = openDirect(enginePath); err != nil {
			return err
		}
		defer engine[i].close()
	}
	store := lidogen.NewStore(db)
	one := func(i int64) error { _, err := store.GetItem(ctx, 1+i%items); return err }
	list := func(int64) error { return want1000(store.ListItems(ctx, 1000)) }
	row := lidogen.InsertItemParams{Name: "a new item of some length", Email: "someone@example.com", Price: 1999}
	full := pool.WithSynchronous(ctx, pool.SynchronousFull)
	write := func(int64) error { return store.InsertItem(ctx, row) }
	bulk := func(int64) error {
		return store.Write(ctx, func(ctx context.Context, q *lidogen.Queries) error {
			for range 1000 {
				if err := q.InsertItem(ctx, row); err != nil {
					return err
				}
			}
			return nil
		})
	}
	engineOne := func(i int64) error { _, err := engine[0].getItem(1 + i%items); return err }
	engineList := func(int64) error { return want1000(engine[0].listItems(1000)) }
	engineWrite := func(int64) error { return engine[1].insertItem(row.Name, row.Email, row.Price) }
	compute := func(int64) error { return nil }
	writeFull := func(int64) error { return store.InsertItem(full, row) }

	// What one row writes is not to be carried to the disk while the next runs.
	// The files remain open: closing one could drop the engine's locks on it.
	var files []*os.File
	for _, name := range []string{path, path + "-wal", enginePath, enginePath + "-wal"} {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		files = append(files, f)
	}
	settle := func() (err error) {
		for _, f := range files {
			err = errors.Join(err, f.Sync())
		}
		return err
	}

	fmt.Printf("\nreaders on %d processors, median of %d rounds of %v\n\n", runtime.GOMAXPROCS(0), rounds, length)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "what runs\treads/s\tto one reader\tto one beside a loop\tcommits/s\ttarget\t")
	for _, shape := range []struct {
		name         string
		read, engine func(i int64) error
	}{{"one row by key", one, engineOne}, {"list of 1,000 rows", list, engineList}} {
		rows := []struct {
			name           string
			reader, beside func(i int64) error // beside is a second reader, a writer, or nil
			commits        bool
			target         string
		}{
			{name: "one reader", reader: shape.read},
			{name: "two readers", reader: shape.read, beside: shape.read, target: "at least 1.8 to one reader"},
			// Alone, a reader has a second processor for the garbage collector.
			// This is what it reads on the one that a writer leaves it.
			{name: "beside an empty loop", reader: shape.read, beside: compute},
			{name: "beside a writer of 1,000 rows a transaction", reader: shape.read, beside: bulk, commits: true, target: "at least 0.8 to one beside a loop"},
			{name: "beside a writer of single rows, FULL", reader: shape.read, beside: writeFull, commits: true, target: "at least 0.8 to one beside a loop"},
			{name: "beside a writer of single rows, NORMAL", reader: shape.read, beside: write, commits: true, target: "at least 0.8 to one beside a loop"},
			{name: "engine alone", reader: shape.engine},
			{name: "engine alone, beside a writer of single rows, NORMAL", reader: shape.engine, beside: engineWrite, commits: true},
		}
		// The rows take turns, so that a machine that slows down slows all.
		reads, commits := make([][]float64, len(rows)), make([][]float64, len(rows))
		for range rounds {
			for i, r := range rows {
				calls := []func(int64) error{r.reader}
				if r.beside != nil {
					calls = append(calls, r.beside)
				}
				if err := settle(); err != nil {
					return err
				}
				perSecond, err := runFor(length, calls...)
				if err != nil {
					return err
				}
				n := perSecond[0]
				switch {
				case r.commits:
					commits[i] = append(commits[i], perSecond[1])
				case r.name == "two readers":
					n += perSecond[1]
				}
				reads[i] = append(reads[i], n)
			}
		}
		alone, loop := medianOf(reads[0]), medianOf(reads[2])
		for i, r := range rows {
			n, beside := medianOf(reads[i]), ""
			if r.commits {
				beside = fmt.Sprintf("%.0f", medianOf(commits[i]))
			}
			fmt.Fprintf(w, "%s, %s\t%.0f\t%.2f\t%.2f\t%s\t%s\t\n", shape.name, r.name, n, n/alone, n/loop, beside, r.target)
		}
	}
	return w.Flush()
}

// runFor calls each of calls in a loop of its own, and returns how many times a
// second.
func runFor(length time.Duration, calls ...func(i int64) error) ([]float64, error) {
	var (
		stop   atomic.Bool
		failed atomic.Pointer[error]
		wg     sync.WaitGroup
		done   = make([]float64, len(calls))
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
			done[i] = float64(n)
		})
	}
	time.Sleep(length)
	stop.Store(true)
	wg.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	for i := range done {
		done[i] /= time.Since(start).Seconds()
	}
	return done, nil
}
