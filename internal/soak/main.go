// Command soak runs a mixed load on one database for a long time and looks
// whether anything grows: memory, goroutines, descriptors, the WAL.
//
// The load comes in cycles. In each there are typed reads, iterators that are
// left early, loops that query in their bodies, single writes, Write closures
// and Batches that fail and panic, calls that are cancelled at random moments,
// connections that come back changed, a statement that is forgotten and a
// reader that pins the WAL. Between two cycles all is quiet: then the WAL has to
// be cut to nothing, every connection to be back, every write that was
// acknowledged to be there, and none else, and what is left is measured. The
// first third of the cycles is compared with the last.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

const (
	readers   = 6
	accounts  = 2000
	minCycles = 6
	maxCycle  = 10 * time.Second
)

func main() {
	length := flag.Duration("time", 10*time.Minute, "how long to go on")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what is random")
	flag.Parse()
	if err := run(context.Background(), *length, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, length time.Duration, seed uint64) (err error) {
	dir, err := os.MkdirTemp(".", "lido-soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	cycle := min(length/minCycles, maxCycle)
	s := &soak{
		load: cycle * 3 / 4,
		rand: rand.New(rand.NewPCG(seed, 1)),
	}
	path := filepath.Join(dir, "soak.db")
	before := runtime.NumGoroutine()
	s.db, err = pool.Open(ctx, path, pool.Config{
		MaxReaders: readers, MinIdleReaders: readers, // so that their number does not change what is measured
		CheckpointInterval: max(cycle/40, 20*time.Millisecond),
		ReaderWarnAge:      s.load / 8,
		LeakWarnAge:        s.load / 4,
		IteratorLifetime:   s.load / 2,
		Logger:             slog.New(slog.NewTextHandler(&s.log, nil)),
		Prepare:            prepare,
	})
	if err != nil {
		return err
	}
	fmt.Printf("seed %d, cycles of %v, for %v\n\n", seed, cycle.Round(time.Millisecond), length)
	var samples []sample
	for end := time.Now().Add(length); len(samples) < minCycles || time.Now().Before(end); {
		if err = s.cycle(ctx); err == nil {
			var m sample
			m, err = s.rest(ctx)
			samples = append(samples, m)
		}
		if err != nil {
			break
		}
	}
	closing, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := errors.Join(err, s.db.Close(closing)); err != nil {
		return err
	}
	if err := s.after(ctx, path, before); err != nil {
		return err
	}
	s.printCounts()
	return s.judge(samples)
}

func prepare(ctx context.Context, db *pool.DB) error {
	return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, fmt.Sprintf(`
			CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, written INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL);
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)
			INSERT INTO account(id, balance, note) SELECT i, 1000, hex(zeroblob(100)) FROM n;`, accounts))
	})
}

// after looks at what is left once the database is closed.
func (s *soak) after(ctx context.Context, path string, goroutines int) error {
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a -wal is left after Close: %v", err)
	}
	if err := within(5*time.Second, func() error {
		if n := runtime.NumGoroutine(); n > goroutines {
			return fmt.Errorf("%d goroutines after Close, %d before Open", n, goroutines)
		}
		return nil
	}); err != nil {
		return err
	}
	c, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	result, err := c.QueryText(ctx, "PRAGMA integrity_check")
	if err == nil && result != "ok" {
		err = fmt.Errorf("integrity_check: %s", result)
	}
	return errors.Join(err, c.Close())
}

// within tries until check succeeds, and returns its last error if it does not.
func within(d time.Duration, check func() error) error {
	for end := time.Now().Add(d); ; time.Sleep(time.Millisecond) {
		err := check()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}
