package pool_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

func TestAConfigCanBeReadBackAndUsedAgain(t *testing.T) {
	cfg := pool.Config{MaxReaders: 3, CacheBytes: 1 << 20, Synchronous: pool.SynchronousFull}
	first := openDB(t, cfg)
	cfg.MaxReaders = 1 // Open has its own copy
	got := first.Config()
	if got.MaxReaders != 3 || got.CacheBytes != 1<<20 || got.Synchronous != pool.SynchronousFull || got.BusyTimeout == 0 {
		t.Errorf("%+v", got)
	}
	second := openDB(t, got)
	if again := second.Config(); again.MaxReaders != got.MaxReaders || again.CacheBytes != got.CacheBytes ||
		again.BusyTimeout != got.BusyTimeout || again.MmapBytes != got.MmapBytes || again.MaxLifetime != got.MaxLifetime || again.LifetimeJitter != got.LifetimeJitter {
		t.Errorf("opened with %+v\nhas %+v", got, again)
	}
	if s := second.Stat(); s.Readers.Max != 3 {
		t.Errorf("%+v", s.Readers)
	}
}

func TestReadersOpenedInTheBackgroundOutliveTheContextOfOpen(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	db, err := pool.Open(ctx, filepath.Join(t.TempDir(), "test.db"), pool.Config{MaxReaders: 3, MinIdleReaders: 2})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	idle := func() bool { return db.Stat().Readers.Idle == 2 }
	waitUntil(t, idle)
	c, err := db.AcquireReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Destroy(nil)
	waitUntil(t, idle) // opened long after
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAReaderIsHeldWhileRowsAreOpenAndBackAfterwards(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2})
	ctx := t.Context()
	for _, name := range []string{"a", "b", "c"} {
		if err := run(ctx, db, insertItem, name); err != nil {
			t.Fatal(err)
		}
	}
	s, err := db.PrepareRead(ctx, listItems)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		row, err := s.Step()
		if err != nil {
			t.Fatal(err)
		}
		if p := db.Stat().Readers; p.InUse != 1 {
			t.Errorf("at row %d: %+v", i, p)
		}
		if !row {
			break
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if p := db.Stat().Readers; p.InUse != 0 || p.Idle != 1 || p.Created != 1 {
		t.Errorf("%+v", p)
	}
}

func TestAPanicInAReadGivesTheReaderBack(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 1})
	for range 3 {
		text := panicText(t, func() {
			_ = db.Read(t.Context(), func(ctx context.Context, r lido.Reader) error {
				s, err := r.PrepareRead(ctx, countItems)
				if err != nil {
					return err
				}
				if _, err := s.Step(); err != nil {
					return err
				}
				panic("while it reads a row")
			})
		})
		if text != "while it reads a row" {
			t.Error(text)
		}
		count(t, t.Context(), db)
	}
	if p := db.Stat().Readers; p.InUse != 0 || p.Idle != 1 || p.Created != 1 {
		t.Errorf("%+v", p)
	}
}

func TestABorrowedConnectionStaysWithItsBorrowerAfterItsTransaction(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	c, err := db.AcquireWriter(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if err := c.Begin(ctx, sqlite.Immediate); err != nil {
			t.Fatal(err)
		}
		if err := c.Exec(ctx, "INSERT INTO item(name) VALUES('"+name+"')"); err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(); err != nil {
			t.Fatal(err)
		}
		if p := db.Stat().Writer; p.InUse != 1 {
			t.Errorf("%+v", p)
		}
	}
	c.Release()
	if p := db.Stat().Writer; p.InUse != 0 || p.Created != 1 {
		t.Errorf("%+v", p)
	}
	if n := count(t, ctx, db); n != 2 {
		t.Error(n)
	}
}

// old borrower       reader             next borrower
// Close              is back
//
//	uses it
//
// Close, again and again
func TestClosingAnOldHandleDoesNotTouchTheConnectionsNextBorrower(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 1})
	ctx := t.Context()
	old, err := db.PrepareRead(ctx, countItems)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Step(); err != nil {
		t.Fatal(err)
	}
	conn, err := db.AcquireWriter(ctx)
	if err != nil {
		t.Fatal(err)
	}
	closeAll := func() error {
		conn.Release()
		conn.Destroy(nil)
		return old.Close()
	}
	if err := closeAll(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 200 {
			count(t, ctx, db)
			if err := run(ctx, db, &lido.Query{Name: "Touch", SQL: "UPDATE item SET name = name", Writes: []string{"item"}}); err != nil {
				t.Error(err)
			}
		}
	})
	for range 200 {
		if err := closeAll(); err != nil {
			t.Error(err)
		}
		if _, err := old.Step(); !errors.Is(err, lido.ErrClosed) {
			t.Error(err)
		}
	}
	wg.Wait()
	if s := db.Stat(); s.Readers.Created != 1 || s.Writer.Created != 1 || s.Readers.InUse != 0 || s.Writer.InUse != 0 {
		t.Errorf("%+v", s)
	}
}
