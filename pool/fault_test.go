package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/emulator"
	"github.com/lidodb/lido/internal/seam"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

func TestATruncatedFileIsAnErrorAndRetiresEveryConnection(t *testing.T) {
	emulator.NeedFaultAddress(t)
	for _, exclusive := range []bool{false, true} {
		t.Run(fmt.Sprintf("exclusive %v", exclusive), func(t *testing.T) { truncate(t, exclusive) })
	}
}

func truncate(t *testing.T, exclusive bool) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := pool.Open(t.Context(), path, pool.Config{Exclusive: exclusive, MaxReaders: 1, CacheBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	err = db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, `CREATE TABLE item(id INTEGER PRIMARY KEY, x BLOB);
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000) INSERT INTO item SELECT i, randomblob(1000) FROM n;
			PRAGMA wal_checkpoint(TRUNCATE)`)
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := &lido.Query{Name: "Sum", SQL: "SELECT sum(length(x)) FROM item", ReadOnly: true}
	if _, err := scalar(ctx, db, sum); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(path) // safe: locks belong to descriptors here
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	if _, err := scalar(ctx, db, sum); !errors.Is(err, sqlite.ErrFault) {
		t.Fatalf("%v", err)
	}
	if s := db.Stat(); s.Faults != 1 || s.Poisoned != 1 || s.Readers.Idle != 0 || s.Writer.Idle != 0 {
		t.Errorf("%+v", s)
	}
	// Once the file is whole again, fresh connections serve it.
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := scalar(ctx, db, sum); n != 2_000_000 || err != nil {
		t.Error(n, err)
	}
	if err := db.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestAFaultInAWriteLeavesNoLockBehind(t *testing.T) {
	emulator.NeedFaultAddress(t)
	for _, exclusive := range []bool{false, true} {
		t.Run(fmt.Sprintf("exclusive %v", exclusive), func(t *testing.T) { faultInWrite(t, exclusive) })
	}
}

func faultInWrite(t *testing.T, exclusive bool) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := pool.Open(t.Context(), path, pool.Config{Exclusive: exclusive, CacheBytes: 64 << 10, BusyTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	err = db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, `CREATE TABLE item(id INTEGER PRIMARY KEY, x BLOB);
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000) INSERT INTO item SELECT i, randomblob(1000) FROM n;
			PRAGMA wal_checkpoint(TRUNCATE)`)
	})
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := &lido.Query{Name: "Sum", SQL: "SELECT sum(length(x)) FROM item", ReadOnly: true}
	insert := &lido.Query{Name: "Insert", SQL: "INSERT INTO item(x) VALUES(?1)", Writes: []string{"item"}}
	for range 3 {
		err = db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
			if err := run(ctx, tx, insert, "lost"); err != nil {
				return err
			}
			if _, err := scalar(ctx, tx, sum); err != nil { // maps the file
				return err
			}
			if err := os.Truncate(path, 4096); err != nil {
				return err
			}
			_, err := scalar(ctx, tx, sum)
			return err
		})
		if !errors.Is(err, sqlite.ErrFault) {
			t.Fatalf("%v", err)
		}
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := scalar(ctx, db, sum); n != 2_000_000 || err != nil {
			t.Error(n, err)
		}
	}
	// The dead connections held the write lock and a read mark each.
	if err := run(ctx, db, insert, "kept"); err != nil {
		t.Error(err)
	}
	if res, err := db.Checkpoint(ctx, sqlite.Truncate); err != nil || res.Busy {
		t.Errorf("%+v %v", res, err)
	}
	if n, err := scalar(ctx, db, sum); n != 2_000_004 || err != nil {
		t.Error(n, err)
	}
	if err := db.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("-wal is left: %v", err)
	}
}

// faulting is a seam whose connections meet a fault in a statement, the text of
// which it is told. None of the pool's own runs that one.
type faulting struct{ armed *atomic.Bool }

func (f faulting) Open(_, vfs string) (seam.Hooks, error) {
	return seam.Hooks{VFS: vfs, Armed: f.armed.Load, Statement: func(_, sql string) int {
		if sql == "SELECT 1" && f.armed.CompareAndSwap(true, false) {
			panic(memoryFault{})
		}
		return 0
	}}, nil
}

// memoryFault looks like what the runtime panics with.
type memoryFault struct{}

func (memoryFault) Addr() uintptr { return 4096 }

// A checkpoint asks "SELECT 1" before it begins; see sqlite.Conn.Checkpoint.
func TestAFaultOfTheCheckpointerIsCountedAndRetiresEveryConnection(t *testing.T) {
	emulator.NeedFaultAddress(t)
	f := faulting{new(atomic.Bool)}
	db, err := pool.Open(seam.With(t.Context(), f), filepath.Join(t.TempDir(), "test.db"), pool.Config{
		CacheBytes: 64 << 10, CheckpointInterval: time.Millisecond, // it is never given back, see package sqlite
	})
	if err != nil {
		t.Fatal(err)
	}
	createItem(t, db)
	if count(t, t.Context(), db) != 0 {
		t.Error("a row")
	}
	created := db.Stat().Readers.Created + db.Stat().Writer.Created
	f.armed.Store(true)
	n := 0
	eventually(t, "the fault is counted", func() bool {
		n++
		addItems(t, db, fmt.Sprint(n, "-"), 1)
		return db.Stat().Faults == 1
	})
	if rows := count(t, t.Context(), db); rows != int64(n) {
		t.Errorf("%d rows of %d", rows, n)
	}
	addItems(t, db, "after", 1)
	if s := db.Stat(); s.Readers.Created+s.Writer.Created != created+2 || s.Faults != 1 {
		t.Errorf("%d connections before, then %+v", created, s)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
