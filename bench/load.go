package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/lidodb/lido/bench/lidogen"
	"github.com/lidodb/lido/pool"
)

// load measures single writes from many goroutines: what a commit shared by
// those who wait together is worth, at both levels of durability.
func load(ctx context.Context, dir string, length time.Duration) error {
	sync, err := fsyncTime(dir)
	if err != nil {
		return err
	}
	fmt.Printf("\nsingle writes from many goroutines, %v each; one fsync takes %v here (median)\n\n", length, sync)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "durability\tgoroutines\tgroup commit\twrites/s\tp50\tp99\tto off\ttarget\t")
	for _, level := range []pool.Synchronous{pool.SynchronousFull, pool.SynchronousNormal} {
		for _, workers := range []int{1, 64} {
			var base float64
			for _, off := range []bool{true, false} {
				path := filepath.Join(dir, fmt.Sprintf("load-%v-%d-%v.db", level, workers, off))
				if err := fill(ctx, path); err != nil {
					return err
				}
				r, err := writeFor(ctx, path, pool.Config{Synchronous: level, NoGroupCommit: off}, workers, length)
				if err != nil {
					return err
				}
				name, target := "on", loadTarget(level, workers)
				if off {
					name, target, base = "off", "", r.perSecond
				}
				fmt.Fprintf(w, "%v\t%d\t%s\t%.0f\t%v\t%v\t%.2f\t%s\t\n", level, workers, name, r.perSecond, r.p50, r.p99, r.perSecond/base, target)
			}
		}
	}
	return w.Flush()
}

// loadTarget is what group commit is to gain, or may cost.
func loadTarget(level pool.Synchronous, workers int) string {
	switch {
	case workers == 1:
		return "at least 0.97"
	case level == pool.SynchronousFull:
		return "at least 15, p99 no worse"
	}
	return "at least 4"
}

type loadResult struct {
	perSecond float64
	p50, p99  time.Duration
}

// writeFor has workers insert rows one by one for as long as length.
func writeFor(ctx context.Context, path string, cfg pool.Config, workers int, length time.Duration) (res loadResult, err error) {
	db, err := pool.Open(ctx, path, cfg)
	if err != nil {
		return res, err
	}
	defer db.Close(ctx)
	store := lidogen.NewStore(db)
	row := lidogen.InsertItemParams{Name: "a new item of some length", Email: "someone@example.com", Price: 1999}
	var (
		stop   atomic.Bool
		failed atomic.Pointer[error]
		wg     sync.WaitGroup
		times  = make([][]time.Duration, workers)
	)
	start := time.Now()
	for i := range workers {
		wg.Go(func() {
			for !stop.Load() {
				began := time.Now()
				if err := store.InsertItem(ctx, row); err != nil {
					failed.Store(&err)
					return
				}
				times[i] = append(times[i], time.Since(began))
			}
		})
	}
	time.Sleep(length)
	stop.Store(true)
	wg.Wait()
	took := time.Since(start)
	if err := failed.Load(); err != nil {
		return res, *err
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	at := func(p float64) time.Duration { return all[int(p*float64(len(all)-1))].Round(time.Microsecond) }
	return loadResult{float64(len(all)) / took.Seconds(), at(0.50), at(0.99)}, nil
}

// fsyncTime is what a commit cannot be faster than at SynchronousFull.
func fsyncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var times []time.Duration
	for range 50 {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return times[len(times)/2].Round(time.Microsecond), nil
}
