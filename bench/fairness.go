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
// the bulk writers instead of two.
func fairness(ctx context.Context, dir string, length time.Duration) error {
	fmt.Printf("\nwaits for the writer, %v: 8 who write a row every %v, 2 who write %d rows at a time without a pause, and a reader that takes its time\n\n",
		length, thinkTime, bulkRows)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "group commit\twho\twrites\tmedian\tp99\tmax\tmax to median\t")
	for _, off := range []bool{true, false} {
		path := filepath.Join(dir, fmt.Sprintf("fairness-%v.db", off))
		if err := fill(ctx, path); err != nil {
			return err
		}
		single, bulk, err := mix(ctx, path, pool.Config{NoGroupCommit: off}, length)
		if err != nil {
			return err
		}
		for _, r := range []struct {
			who   string
			waits []time.Duration
		}{{"single write, to its commit", single}, {"bulk closure, to its start", bulk}} {
			slices.Sort(r.waits)
			at := func(p float64) time.Duration { return r.waits[int(p*float64(len(r.waits)-1))] }
			name := map[bool]string{true: "off", false: "on"}[off]
			fmt.Fprintf(w, "%s\t%s\t%d\t%v\t%v\t%v\t%.1f\t\n", name, r.who, len(r.waits), at(0.5).Round(time.Microsecond), at(0.99).Round(time.Microsecond),
				at(1).Round(time.Microsecond), float64(at(1))/float64(at(0.5)))
		}
	}
	return w.Flush()
}

// mix runs everybody for as long as length, and returns how long each single
// write took and each bulk closure waited.
func mix(ctx context.Context, path string, cfg pool.Config, length time.Duration) (single, bulk []time.Duration, err error) {
	db, err := pool.Open(ctx, path, cfg)
	if err != nil {
		return nil, nil, err
	}
	defer db.Close(ctx)
	store := lidogen.NewStore(db)
	row := lidogen.InsertItemParams{Name: "a new item of some length", Email: "someone@example.com", Price: 1999}
	end := time.Now().Add(length)
	var (
		mu sync.Mutex // guards single, bulk and err
		wg sync.WaitGroup
	)
	worker := func(waits *[]time.Duration, work func() (time.Duration, error)) {
		wg.Go(func() {
			var mine []time.Duration
			var failed error
			for failed == nil && time.Now().Before(end) {
				var wait time.Duration
				wait, failed = work()
				mine = append(mine, wait)
			}
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = failed
			}
			*waits = append(*waits, mine...)
		})
	}
	for range 8 {
		worker(&single, func() (time.Duration, error) {
			time.Sleep(thinkTime)
			began := time.Now()
			err := store.InsertItem(ctx, row)
			return time.Since(began), err
		})
	}
	for range 2 {
		worker(&bulk, func() (wait time.Duration, err error) {
			began := time.Now()
			err = store.Write(ctx, func(ctx context.Context, q *lidogen.Queries) error {
				wait = time.Since(began)
				for range bulkRows {
					if err := q.InsertItem(ctx, row); err != nil {
						return err
					}
				}
				return nil
			})
			return wait, err
		})
	}
	var nobody []time.Duration
	worker(&nobody, func() (time.Duration, error) {
		return 0, store.Read(ctx, func(ctx context.Context, q *lidogen.ReadQueries) error {
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
	return single, bulk, err
}
