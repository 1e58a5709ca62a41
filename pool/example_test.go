package pool_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
)

// openExample opens a database with a table of settings in a new folder.
func openExample(ctx context.Context) (db *pool.DB, closeDB func()) {
	dir, err := os.MkdirTemp("", "lido-")
	if err != nil {
		log.Fatal(err)
	}
	db, err = pool.Open(ctx, filepath.Join(dir, "app.db"), pool.Config{Prepare: func(ctx context.Context, db *pool.DB) error {
		w, err := db.AcquireWriter(ctx) // in a program: migrations
		if err != nil {
			return err
		}
		defer w.Release()
		return w.Exec(ctx, "CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT); CREATE TABLE visit(at)")
	}})
	if err != nil {
		log.Fatal(err)
	}
	return db, func() {
		if err := errors.Join(db.Close(ctx), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
}

// settings is a cache of a table that is read often and seldom written.
type settings struct {
	db *pool.DB

	mu     sync.Mutex
	values map[string]string // nil: to be loaded; guarded by mu
	age    int               // how often values was forgotten; guarded by mu
}

func newSettings(db *pool.DB) *settings {
	s := &settings{db: db}
	db.OnCommit(func(_ context.Context, c pool.Commit) {
		if c.Wrote("setting") {
			s.mu.Lock()
			s.values = nil // whoever needs them next loads them
			s.age++
			s.mu.Unlock()
			fmt.Println("settings forgotten")
		}
	})
	return s
}

func (s *settings) get(ctx context.Context, name string) (string, error) {
	s.mu.Lock()
	values, age := s.values, s.age
	s.mu.Unlock()
	if values == nil {
		var err error
		if values, err = s.load(ctx); err != nil {
			return "", err
		}
		s.mu.Lock()
		if s.age == age { // else a write came between, and these may be old
			s.values = values
		}
		s.mu.Unlock()
	}
	return values[name], nil
}

func (s *settings) load(ctx context.Context) (map[string]string, error) {
	all := &lido.Query{Name: "ListSettings", SQL: "SELECT name, value FROM setting", ReadOnly: true, Reads: []string{"setting"}}
	stmt, err := s.db.PrepareRead(ctx, all)
	if err != nil {
		return nil, err
	}
	defer stmt.Close()
	fmt.Println("settings loaded")
	values := make(map[string]string)
	for {
		row, err := stmt.Step()
		if err != nil || !row {
			return values, err
		}
		values[stmt.ColumnText(0)] = stmt.ColumnText(1)
	}
}

// A cache that forgets what was written, by whomever and however.
func ExampleDB_OnCommit() {
	ctx := context.Background()
	db, closeDB := openExample(ctx)
	defer closeDB()

	cache := newSettings(db)
	show := func() {
		value, err := cache.get(ctx, "colour")
		fmt.Printf("colour=%q %v\n", value, err)
	}
	write := func(sql string) {
		if err := run(ctx, db, &lido.Query{Name: "Write", SQL: sql, Writes: []string{"setting"}}); err != nil {
			log.Fatal(err)
		}
	}
	show()
	write("INSERT INTO setting VALUES('colour', 'blue')")
	show()
	write("INSERT INTO visit VALUES('2026-01-01')") // another table
	show()
	// Output:
	// settings loaded
	// colour="" <nil>
	// settings forgotten
	// settings loaded
	// colour="blue" <nil>
	// colour="blue" <nil>
}

// queryCounter is a tracer for queries alone: it need not be more.
type queryCounter struct {
	mu    sync.Mutex
	count map[string]int // guarded by mu
}

var _ pool.Tracer = (*queryCounter)(nil)

func (c *queryCounter) TraceQueryStart(ctx context.Context, _ pool.TraceQueryStartData) context.Context {
	return ctx // a span would begin here
}

func (c *queryCounter) TraceQueryEnd(_ context.Context, d pool.TraceQueryEndData) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[d.Query.Name]++
	if d.Err != nil {
		c.count["failed"]++
	}
}

func ExampleTracer() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "lido-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	counter := &queryCounter{count: make(map[string]int)}
	db, err := pool.Open(ctx, filepath.Join(dir, "app.db"), pool.Config{Tracer: counter})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close(ctx)

	one := &lido.Query{Name: "One", SQL: "SELECT 1", ReadOnly: true}
	for range 3 {
		if _, err := scalar(ctx, db, one); err != nil {
			log.Fatal(err)
		}
	}
	_, _ = scalar(ctx, db, &lido.Query{Name: "Broken", SQL: "SELECT nothing", ReadOnly: true})
	fmt.Println(counter.count)
	// Output: map[Broken:1 One:3 failed:1]
}
