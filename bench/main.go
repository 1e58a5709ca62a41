// Command bench measures what a typed call costs against the same statement
// straight on the engine, and against sqlc's own output on the stock driver,
// all in one run. It prints times and allocations of one call, the ratio to the
// first of those that do the same, and the target where there is one. With
// -load it measures many goroutines at once. The figures are medians of rounds that take turns, so that
// a machine that slows down for a moment slows all of them.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	_ "modernc.org/sqlite" // the stock driver

	"github.com/lidodb/lido/bench/lidogen"
	"github.com/lidodb/lido/bench/sqlcgen"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
	"github.com/lidodb/lido/stdlib"
)

const items = 10_000

func main() {
	testing.Init()
	rounds := flag.Int("rounds", 5, "rounds for each figure")
	length := flag.Duration("time", 500*time.Millisecond, "length of one round")
	only := flag.String("only", "", "measure only the operations whose name contains this; with -load only writes, waits, readers or memory")
	concurrent := flag.Bool("load", false, "measure writes from many goroutines instead")
	flag.Parse()
	if err := flag.Set("test.benchtime", length.String()); err != nil {
		fail(err)
	}
	dir, err := os.MkdirTemp(".", "lido-bench-")
	if err != nil {
		fail(err)
	}
	if *concurrent {
		for _, part := range []struct {
			name    string
			measure func(ctx context.Context, dir string) error
		}{
			{"writes", func(ctx context.Context, dir string) error { return load(ctx, dir, *length) }},
			{"waits", func(ctx context.Context, dir string) error { return fairness(ctx, dir, *length) }},
			{"readers", func(ctx context.Context, dir string) error { return readers(ctx, dir, *rounds, *length) }},
			{"memory", memory},
		} {
			if strings.Contains(part.name, *only) {
				err = errors.Join(err, part.measure(context.Background(), dir))
			}
		}
	} else {
		err = run(dir, *rounds, *only)
	}
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// contender runs one operation in its own way.
type contender struct {
	name   string
	run    func(b *testing.B)
	target string // what is asked of it, or empty
}

// operation is what all contenders do; the first is the baseline.
type operation struct {
	name       string
	contenders []contender
}

func run(dir string, rounds int, only string) error {
	// As every server has: a context that can be cancelled.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	// Each contender has its own file with the same rows.
	paths := map[string]string{}
	for _, name := range []string{"engine", "lido", "shared", "exclusive", "stock"} {
		paths[name] = filepath.Join(dir, name+".db")
		if err := fill(ctx, paths[name]); err != nil {
			return err
		}
	}
	engine, err := openDirect(paths["engine"])
	if err != nil {
		return err
	}
	defer engine.close()
	db, err := pool.Open(ctx, paths["lido"], pool.Config{})
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	// Somebody else has this one open too, which is when locks are not kept
	// between reads.
	shared, err := pool.Open(ctx, paths["shared"], pool.Config{})
	if err != nil {
		return err
	}
	defer shared.Close(ctx)
	somebody, err := sqlite.Open(ctx, paths["shared"], sqlite.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer somebody.Close()
	exclusive, err := pool.Open(ctx, paths["exclusive"], pool.Config{Exclusive: true})
	if err != nil {
		return err
	}
	defer exclusive.Close(ctx)
	stock, err := sql.Open("sqlite", "file:"+paths["stock"]+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-64000)&_pragma=mmap_size(268435456)&_pragma=foreign_keys(1)")
	if err != nil {
		return err
	}
	defer stock.Close()
	handle, sharedHandle, exclusiveHandle := stdlib.OpenDB(db), stdlib.OpenDB(shared), stdlib.OpenDB(exclusive)
	defer handle.Close()
	defer sharedHandle.Close()
	defer exclusiveHandle.Close()

	anything, err := pool.New(pool.Options[int]{
		Name: "thing", MaxCount: 1,
		Open:  func(context.Context) (int, error) { return 0, nil },
		Close: func(int) {},
	})
	if err != nil {
		return err
	}
	defer anything.Close(ctx)

	fmt.Printf("SQLite %s, %d rows, median of %d rounds\n\n", sqlite.Version(), items, rounds)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "operation\tns\tallocs\tbytes\tto first\ttarget\t")
	ops := operations(ctx, engine, db, shared, exclusive, anything, stock)
	more, err := viaDatabaseSQL(ctx, stock, handle, sharedHandle, exclusiveHandle)
	if err != nil {
		return err
	}
	for _, op := range append(ops, more...) {
		if !strings.Contains(op.name, only) {
			continue
		}
		results := make([][]testing.BenchmarkResult, len(op.contenders))
		for range rounds {
			for i, c := range op.contenders {
				r := testing.Benchmark(c.run)
				if r.N == 0 {
					return fmt.Errorf("%s, %s: failed", op.name, c.name)
				}
				results[i] = append(results[i], r)
			}
		}
		var base float64
		for i, c := range op.contenders {
			r := median(results[i])
			ns := float64(r.T.Nanoseconds()) / float64(r.N)
			if i == 0 {
				base = ns
			}
			fmt.Fprintf(w, "%s, %s\t%.0f\t%d\t%d\t%.2f\t%s\t\n", op.name, c.name, ns, r.AllocsPerOp(), r.AllocedBytesPerOp(), ns/base, c.target)
		}
	}
	return w.Flush()
}

func median(rs []testing.BenchmarkResult) testing.BenchmarkResult {
	slices.SortFunc(rs, func(a, b testing.BenchmarkResult) int { return int(a.NsPerOp() - b.NsPerOp()) })
	return rs[len(rs)/2]
}

func medianOf(vs []float64) float64 {
	slices.Sort(vs)
	return vs[len(vs)/2]
}

// othersToo names the contender on a file that somebody else has open.
const othersToo = "lido, not alone"

func operations(ctx context.Context, engine *direct, db, shared, exclusive *pool.DB, anything *pool.Pool[int], stock *sql.DB) []operation {
	typed, beside, alone, plain := lidogen.NewStore(db), lidogen.NewStore(shared), lidogen.NewStore(exclusive), sqlcgen.New(stock)
	insert := lidogen.InsertItemParams{Name: "a new item of some length", Email: "someone@example.com", Price: 1999}

	return []operation{
		{"one row by key", []contender{
			{name: "engine alone", run: loop(func(i int64) error { _, err := engine.getItem(1 + i%items); return err })},
			{name: "lido", run: loop(func(i int64) error { _, err := typed.GetItem(ctx, 1+i%items); return err }), target: "at most 1.25"},
			{name: othersToo, run: loop(func(i int64) error { _, err := beside.GetItem(ctx, 1+i%items); return err }), target: "at most 1.25"},
			{name: "lido, Exclusive", run: loop(func(i int64) error { _, err := alone.GetItem(ctx, 1+i%items); return err }), target: "below the one above"},
			{name: "sqlc on the stock driver", run: loop(func(i int64) error { _, err := plain.GetItem(ctx, 1+i%items); return err })},
		}},
		{"list of 1,000 rows", []contender{
			{name: "engine alone", run: loop(func(int64) error { return want1000(engine.listItems(1000)) })},
			{name: "lido", run: loop(func(int64) error { return want1000(typed.ListItems(ctx, 1000)) }), target: "at most 1.1"},
			{name: "sqlc on the stock driver", run: loop(func(int64) error { return want1000(plain.ListItems(ctx, 1000)) })},
		}},
		{"1,000 inserts in a transaction", []contender{
			{name: "engine alone", run: loop(func(int64) error {
				err := engine.run(engine.begin)
				for range 1000 {
					err = errors.Join(err, engine.insertItem(insert.Name, insert.Email, insert.Price))
				}
				return errors.Join(err, engine.run(engine.rollback))
			})},
			{name: "lido", run: loop(func(int64) error {
				return undone(typed.Write(ctx, func(ctx context.Context, q *lidogen.Queries) error {
					for range 1000 {
						if err := q.InsertItem(ctx, insert); err != nil {
							return err
						}
					}
					return errUndo
				}))
			}), target: "at most 1.3"},
			{name: "sqlc on the stock driver", run: loop(func(int64) error {
				tx, err := stock.BeginTx(ctx, nil)
				if err != nil {
					return err
				}
				q := plain.WithTx(tx)
				for range 1000 {
					if err := q.InsertItem(ctx, sqlcgen.InsertItemParams(insert)); err != nil {
						return err
					}
				}
				return tx.Rollback()
			})},
		}},
		{"one insert and its commit", []contender{
			{name: "engine alone", run: loop(func(int64) error { return engine.insertItem(insert.Name, insert.Email, insert.Price) })},
			{name: "lido", run: loop(func(int64) error { return typed.InsertItem(ctx, insert) })},
			{name: othersToo, run: loop(func(int64) error { return beside.InsertItem(ctx, insert) })},
			{name: "lido, Exclusive", run: loop(func(int64) error { return alone.InsertItem(ctx, insert) }), target: "below the ones above"},
			{name: "sqlc on the stock driver", run: loop(func(int64) error { return plain.InsertItem(ctx, sqlcgen.InsertItemParams(insert)) })},
		}},
		{"acquire and release", []contender{
			{name: "pool of anything", run: loop(func(int64) error { return acquireAndRelease(ctx, anything) }), target: "at most 250 ns, no allocation"},
			{name: "reader of a database", run: loop(func(int64) error {
				c, err := db.AcquireReader(ctx)
				if err == nil {
					c.Release()
				}
				return err
			})},
		}},
	}
}

func acquireAndRelease(ctx context.Context, p *pool.Pool[int]) error {
	r, err := p.Acquire(ctx)
	if err == nil {
		r.Release()
	}
	return err
}

// errUndo rolls back, which keeps every round at the same number of rows.
var errUndo = errors.New("undo")

func undone(err error) error {
	if err == errUndo {
		return nil
	}
	return err
}

func loop(call func(i int64) error) func(b *testing.B) {
	return func(b *testing.B) {
		b.ReportAllocs()
		for i := int64(0); b.Loop(); i++ {
			if err := call(i); err != nil {
				// testing.Benchmark keeps what a benchmark logs to itself.
				fmt.Fprintln(os.Stderr, "bench:", err)
				b.FailNow()
			}
		}
	}
}

func want1000[T any](rows []T, err error) error {
	if err == nil && len(rows) != 1000 {
		err = fmt.Errorf("%d rows", len(rows))
	}
	return err
}

func fill(ctx context.Context, path string) error {
	db, err := pool.Open(ctx, path, pool.Config{Prepare: func(ctx context.Context, db *pool.DB) error {
		return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
			return c.Exec(ctx, "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, price INTEGER NOT NULL)")
		})
	}})
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	store := lidogen.NewStore(db)
	return store.Write(ctx, func(ctx context.Context, q *lidogen.Queries) error {
		for i := range items {
			n := strconv.Itoa(i)
			if err := q.InsertItem(ctx, lidogen.InsertItemParams{Name: "item number " + n, Email: "owner" + n + "@example.com", Price: int64(i)}); err != nil {
				return err
			}
		}
		return nil
	})
}
