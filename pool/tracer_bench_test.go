package pool_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/slogtrace"
	"github.com/lidodb/lido/sqlite"
)

// hotPaths are the calls that must not pay for what is switched off, with the
// allocations they make.
var hotPaths = []struct {
	name   string
	allocs float64
	do     func(ctx context.Context, db *pool.DB) error
}{
	{"read", 1, func(ctx context.Context, db *pool.DB) error { _, err := scalar(ctx, db, countItems); return err }},
	{"write", 2, func(ctx context.Context, db *pool.DB) error { return run(ctx, db, touchNothing) }},
	{"write closure", 4, func(ctx context.Context, db *pool.DB) error {
		return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, touchNothing) })
	}},
	{"acquire", 2, func(ctx context.Context, db *pool.DB) error {
		return db.WithReader(ctx, func(context.Context, *sqlite.Conn) error { return nil })
	}},
}

var touchNothing = &lido.Query{Name: "TouchNothing", SQL: "UPDATE item SET name = name WHERE id = 1", Writes: []string{"item"}}

func TestATracerThatIsOffAllocatesNothing(t *testing.T) {
	db := openDB(t, pool.Config{})
	for _, path := range hotPaths {
		got := testing.AllocsPerRun(200, func() {
			if err := path.do(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		})
		if got > path.allocs {
			t.Errorf("%s: %v allocations, want at most %v", path.name, got, path.allocs)
		}
	}
}

func BenchmarkTracer(b *testing.B) {
	for _, tracer := range []struct {
		name   string
		tracer pool.Tracer
	}{
		{"off", nil},
		{"slog", &slogtrace.Tracer{Logger: slog.New(slog.DiscardHandler)}},
	} {
		db := openDB(b, pool.Config{Tracer: tracer.tracer})
		if err := run(b.Context(), db, insertItem, "a"); err != nil {
			b.Fatal(err)
		}
		for _, path := range hotPaths {
			b.Run(tracer.name+"/"+path.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := path.do(b.Context(), db); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkOnCommit(b *testing.B) {
	for _, listeners := range []int{0, 1} {
		db := openDB(b, pool.Config{})
		if err := run(b.Context(), db, insertItem, "a"); err != nil {
			b.Fatal(err)
		}
		for range listeners {
			db.OnCommit(func(context.Context, pool.Commit) {})
		}
		b.Run(fmt.Sprint(listeners, "/write"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := run(b.Context(), db, touchNothing); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
