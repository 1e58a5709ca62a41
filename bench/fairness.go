package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/lidodb/lido/bench/lidogen"
	"github.com/lidodb/lido/pool"
)

const (
	bulkRows  = 2000                 // that one bulk closure inserts
	thinkTime = 2 * time.Millisecond // between the writes of one interactive writer
)

// fairness has interactive writers, bulk writers and a slow reader work at the
// same time, and measures how long each kind waits for the writer. Where nobody
// starves the longest wait is a small multiple of the median: a few turns of
// the bulk writers instead of two. Below stand those turns themselves, which wait
// for nobody but the machine: the closure, which has a processor for itself, or
// not, and its commit, which writes to the file system. No wait can be shorter
// than the longest of them.
func fairness(ctx context.Context, dir string, length time.Duration) error {
	fmt.Printf("\nwaits for the writer, %v: 8 who write a row every %v, 2 who write %d rows at a time without a pause, and a reader that takes its time\n\n",
		length, thinkTime, bulkRows)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "group commit\twho\ttimes\tmedian\tp99\tmax\tmax to median\t")
	for _, off := range []bool{true, false} {
		path := filepath.Join(dir, fmt.Sprintf("fairness-%v.db", off))
		if err := fill(ctx, path); err != nil {
			return err
		}
		t, err := mix(ctx, path, pool.Config{NoGroupCommit: off}, length)
		if err != nil {
			return err
		}
		for _, r := range []struct {
			who   string
			waits []time.Duration
		}{
			{"single write, to its commit", t.single}, {"bulk closure, to its start", t.bulk},
			{"bulk closure, from its start", t.closure}, {"its commit", t.commit},
			{"slow reader, to its start", t.read},
		} {
			slices.Sort(r.waits)
			at := func(p float64) time.Duration { return r.waits[int(p*float64(len(r.waits)-1))] }
			name := map[bool]string{true: "off", false: "on"}[off]
			fmt.Fprintf(w, "%s\t%s\t%d\t%v\t%v\t%v\t%.1f\t\n", name, r.who, len(r.waits), at(0.5).Round(time.Microsecond), at(0.99).Round(time.Microsecond),
				at(1).Round(time.Microsecond), float64(at(1))/float64(at(0.5)))
		}
	}
	return w.Flush()
}

// times is how long everything took, each time.
type times struct{ single, bulk, closure, commit, read []time.Duration }

// mix runs everybody for as long as length.
func mix(ctx context.Context, path string, cfg pool.Config, length time.Duration) (all times, err error) {
	db, err := pool.Open(ctx, path, cfg)
	if err != nil {
		return all, err
	}
	defer db.Close(ctx)
	store := lidogen.NewStore(db)
	row := lidogen.InsertItemParams{Name: "a new item of some length", Email: "someone@example.com", Price: 1999}
	end := time.Now().Add(length)
	var (
		mu sync.Mutex // guards all and err
		wg sync.WaitGroup
	)
	worker := func(work func(mine *times) error) {
		wg.Go(func() {
			var mine times
			var failed error
			for failed == nil && time.Now().Before(end) {
				failed = work(&mine)
			}
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = failed
			}
			all.single = append(all.single, mine.single...)
			all.bulk = append(all.bulk, mine.bulk...)
			all.closure = append(all.closure, mine.closure...)
			all.commit = append(all.commit, mine.commit...)
			all.read = append(all.read, mine.read...)
		})
	}
	for range 8 {
		worker(func(mine *times) error {
			time.Sleep(thinkTime)
			began := time.Now()
			err := store.InsertItem(ctx, row)
			mine.single = append(mine.single, time.Since(began))
			return err
		})
	}
	for range 2 {
		worker(func(mine *times) error {
			began := time.Now()
			var started, worked time.Time
			err := store.Write(ctx, func(ctx context.Context, q *lidogen.Queries) error {
				started = time.Now()
				for range bulkRows {
					if err := q.InsertItem(ctx, row); err != nil {
						return err
					}
				}
				worked = time.Now()
				return nil
			})
			mine.bulk = append(mine.bulk, started.Sub(began))
			mine.closure = append(mine.closure, worked.Sub(started))
			mine.commit = append(mine.commit, time.Since(worked))
			return err
		})
	}
	worker(func(mine *times) error {
		began := time.Now()
		return store.Read(ctx, func(ctx context.Context, q *lidogen.ReadQueries) error {
			mine.read = append(mine.read, time.Since(began))
			for range 10 {
				if _, err := q.ListItems(ctx, 1000); err != nil {
					return err
				}
				time.Sleep(5 * time.Millisecond)
			}
			return nil
		})
	})
	wg.Wait()
	return all, err
}
