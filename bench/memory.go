package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// memoryReaders is how many readers are open, and hold a snapshot, while
// memory is measured.
const memoryReaders = 8

// memory measures what the pool holds once eight readers have each read a file
// that is larger than their caches. The engine's allocator takes 8 KiB for a
// page of 4 KiB and its header, so a full cache is twice what is configured.
func memory(ctx context.Context, dir string) error {
	const mb = 1 << 20
	path := filepath.Join(dir, "memory.db")
	db, err := pool.Open(ctx, path, pool.Config{Prepare: func(ctx context.Context, db *pool.DB) error {
		return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
			return c.Exec(ctx, `CREATE TABLE big (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
				WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 60000)
				INSERT INTO big SELECT i, hex(randomblob(1000)) FROM n`)
		})
	}})
	if err != nil {
		return err
	}
	if err := db.Close(ctx); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}

	fmt.Printf("\nmemory after each of %d readers has read all of a file of %d MB\n\n", memoryReaders, info.Size()/mb)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "configuration\tmemory, the mapped file aside\tCacheTotalBytes\t")
	for _, row := range []struct {
		name string
		cfg  pool.Config
	}{
		{"defaults", pool.Config{MaxReaders: memoryReaders}},
		{"no mapped memory", pool.Config{MaxReaders: memoryReaders, MmapBytes: -1}},
		{"no mapped memory, 64 MB of cache", pool.Config{MaxReaders: memoryReaders, MmapBytes: -1, CacheTotalBytes: 64 * mb}},
	} {
		db, err := pool.Open(ctx, path, row.cfg)
		if err != nil {
			return err
		}
		err = readAll(ctx, db)
		debug.FreeOSMemory()
		fmt.Fprintf(w, "%s\t%d MB\t%d MB\t\n", row.name, anonymousBytes()/mb, db.Config().CacheTotalBytes/mb)
		if err == nil {
			err = db.Close(ctx)
		}
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

// readAll has every reader of db read the table at the same time, so that all
// of them are open.
func readAll(ctx context.Context, db *pool.DB) error {
	sum := &lido.Query{Name: "ReadAll", SQL: "SELECT sum(length(body)) FROM big", ReadOnly: true}
	var wg, together sync.WaitGroup
	errs := make([]error, memoryReaders)
	together.Add(memoryReaders)
	for i := range memoryReaders {
		wg.Go(func() {
			arrive := sync.OnceFunc(together.Done)
			defer arrive()
			errs[i] = db.Read(ctx, func(ctx context.Context, r lido.Reader) error {
				arrive()
				together.Wait()
				s, err := r.PrepareRead(ctx, sum)
				if err != nil {
					return err
				}
				defer s.Close()
				_, err = s.Step()
				return err
			})
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// anonymousBytes is the program's resident memory without what the kernel
// could read from a file again, or 0 where that cannot be told.
func anonymousBytes() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	return 0
}
