package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"
)

func TestOpenReadsEveryPragmaBack(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2, Synchronous: pool.SynchronousFull})
	check := func(ctx context.Context, c *sqlite.Conn) error {
		for name, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "cache_size": "-64000", "mmap_size": "268435456",
			"foreign_keys": "1", "trusted_schema": "0", "cell_size_check": "1", "journal_size_limit": "67108864",
			"wal_autocheckpoint": "4000",
		} {
			if got, err := c.QueryText(ctx, "PRAGMA "+name); got != want || err != nil {
				t.Errorf("%s = %s (%v), want %s", name, got, err, want)
			}
		}
		return nil
	}
	if err := errors.Join(db.WithReader(t.Context(), check), db.WithWriter(t.Context(), check)); err != nil {
		t.Fatal(err)
	}
}

func TestReadersAreOpenedWhenTheyAreFirstNeeded(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2})
	if s := db.Stat(); s.Readers.Created != 0 || s.Writer.Created != 1 {
		t.Errorf("%+v", s)
	}
	count(t, t.Context(), db)
	count(t, t.Context(), db)
	if s := db.Stat(); s.Readers.Created != 1 {
		t.Errorf("%+v", s)
	}
}

func TestBadConfigurationsAreRefusedByTheNameOfTheirField(t *testing.T) {
	for field, cfg := range map[string]pool.Config{
		"MaxReaders":             {MaxReaders: -1},
		"MinIdleReaders":         {MaxReaders: 2, MinIdleReaders: 3},
		"BusyTimeout":            {BusyTimeout: -1},
		"LifetimeJitter":         {MaxLifetime: -1, LifetimeJitter: 1},
		"Synchronous":            {Synchronous: 7},
		"CacheTotalBytes":        {MaxReaders: 8, CacheBytes: 64 << 20, CacheTotalBytes: 128 << 20},
		"CacheBytes":             {MaxReaders: 3, CacheBytes: math.MaxInt/4 + 1},
		"MmapBytes":              {MmapBytes: math.MaxInt},
		"WALAutocheckpointPages": {WALAutocheckpointPages: math.MaxInt},
		"WALMaxBytes":            {WALMaxBytes: 100},
		"WALMaxBytes is 4194304": {WALMaxBytes: 4 << 20, CheckpointInterval: -1},
		"InterruptPinnedReaders": {InterruptPinnedReaders: true, ReaderWarnAge: -1, WALWarnBytes: -1},
		"StmtCacheCount":         {StmtCacheCount: -1},
		"MaxLengthBytes":         {MaxLengthBytes: 4000},
		"Exclusive":              {ReadOnly: true, Exclusive: true},
		"Prepare":                {ReadOnly: true, Prepare: func(context.Context, *pool.DB) error { return nil }},
		"Services[0]":            {Services: []pool.Service{nil}},
	} {
		path := filepath.Join(t.TempDir(), "test.db")
		db, err := pool.Open(t.Context(), path, cfg)
		if err == nil {
			t.Errorf("%s: accepted", field)
			_ = db.Close(t.Context())
			continue
		}
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named: %v", field, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file was created", field)
		}
	}
}

func TestAFailureInPrepareOrStartUndoesOpen(t *testing.T) {
	boom := errors.New("boom")
	path := filepath.Join(t.TempDir(), "test.db")
	if _, err := pool.Open(t.Context(), path, pool.Config{Prepare: func(context.Context, *pool.DB) error { return boom }}); !errors.Is(err, boom) {
		t.Error(err)
	}
	var log []string
	_, err := pool.Open(t.Context(), path, pool.Config{Services: []pool.Service{
		&service{name: "a", log: &log}, &service{name: "b", log: &log, startErr: boom}}})
	if !errors.Is(err, boom) {
		t.Error(err)
	}
	if got := fmt.Sprint(log); got != "[start a start b stop b stop a]" {
		t.Error(got)
	}
	openDBAt(t, path, pool.Config{}) // the claim on the file was given up
}

func TestAConnectionThatPrepareKeptDoesNotBarTheFileForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	boom := errors.New("boom")
	var kept *pool.Conn
	_, err := pool.Open(t.Context(), path, pool.Config{Prepare: func(ctx context.Context, db *pool.DB) (err error) {
		kept, err = db.AcquireReader(ctx)
		return errors.Join(err, boom)
	}})
	var held *pool.HeldError
	if !errors.Is(err, boom) || !errors.As(err, &held) {
		t.Fatal(err)
	}
	if _, err := pool.Open(t.Context(), path, pool.Config{}); err == nil {
		t.Error("the file was opened beside a connection that is still out")
	}
	kept.Release()
	openDBAt(t, path, pool.Config{})
}

func TestReadersThatAreKeptIdleDoNotRaceTheFirstOpen(t *testing.T) {
	for range 10 {
		db := openDB(t, pool.Config{MaxReaders: 2, MinIdleReaders: 2})
		if s := db.Stat(); s.Readers.Destroyed.Total() != 0 || s.Readers.OpenFailedCount != 0 {
			t.Errorf("%+v", s.Readers)
		}
	}
}

func TestAReadOnlyDatabaseLeavesNoWALThatWasNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := openDBAt(t, path, pool.Config{})
	if err := errors.Join(run(t.Context(), db, insertItem, "a"), db.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	reader := openDBAt(t, path, pool.Config{ReadOnly: true}) // its cleanup looks for -wal
	if n := count(t, t.Context(), reader); n != 1 {
		t.Error(n)
	}
	for _, err := range []error{
		run(t.Context(), reader, insertItem, "b"),
		reader.Write(t.Context(), func(context.Context, lido.Tx) error { return nil }),
	} {
		if !errors.Is(err, lido.ErrReadOnly) || !strings.Contains(err.Error(), "Config.ReadOnly") {
			t.Errorf("%v", err)
		}
	}
}

func TestEveryConnectionHasTheFunctionsOfOnConnect(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2, OnConnect: func(_ context.Context, c *sqlite.Conn) error {
		return c.CreateFunction("twice", 1, true, func(args []sqlite.Value) (any, error) { return args[0].Int64() * 2, nil })
	}})
	ctx := t.Context()
	twice := &lido.Query{Name: "Twice", SQL: "SELECT twice(21)", ReadOnly: true}
	err := db.Read(ctx, func(inner context.Context, r lido.Reader) error {
		n, err := scalar(inner, r, twice)
		if n != 42 {
			t.Error(n)
		}
		other, otherErr := scalar(ctx, db, twice) // on the second reader
		if other != 42 {
			t.Error(other)
		}
		return errors.Join(err, otherErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, db, &lido.Query{Name: "Insert", SQL: "INSERT INTO item(name) VALUES(twice(21))", Writes: []string{"item"}}); err != nil {
		t.Error(err)
	}
	c, err := db.OpenConn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.QueryInt64(ctx, "SELECT twice(name) FROM item"); n != 84 || err != nil {
		t.Error(n, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if s := db.Stat(); s.Readers.Destroyed.Total()+s.Writer.Destroyed.Total() != 0 {
		t.Errorf("connections are not kept: %+v", s)
	}
}

func TestEachConnectionThatIsNotBrokenGoesThroughBeforeClose(t *testing.T) {
	var log bytes.Buffer
	var closed []*sqlite.Conn
	db, err := pool.Open(pooltest.WithFaults(t.Context(), t), filepath.Join(t.TempDir(), "test.db"), pool.Config{
		MaxReaders: 1, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		BeforeClose: func(c *sqlite.Conn) {
			closed = append(closed, c)
			if n, err := c.QueryInt64(context.Background(), "SELECT 1"); n != 1 || err != nil {
				t.Errorf("cannot be used: %d, %v", n, err)
			}
			panic("boom")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	borrow := func(destroy bool) *sqlite.Conn {
		t.Helper()
		c, err := db.AcquireReader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		inner := c.Conn
		if destroy {
			c.Destroy(nil)
		} else {
			c.Release()
		}
		return inner
	}
	first := borrow(true)
	borrow(false)
	pooltest.Faults(t, db).Corrupt("One")
	if _, err := scalar(t.Context(), db, &lido.Query{Name: "One", SQL: "SELECT 1", ReadOnly: true}); !errors.Is(err, lido.ErrCorrupt) {
		t.Fatal(err)
	}
	third := borrow(false)
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(closed) != 3 || closed[0] != first || closed[1] != third { // and the writer
		t.Errorf("%v", closed)
	}
	if n := strings.Count(log.String(), "BeforeClose panicked"); n != 3 {
		t.Errorf("%d panics in %s", n, log.String())
	}
}

func TestAnErrorOfOnConnectUndoesOpen(t *testing.T) {
	boom := errors.New("boom")
	path := filepath.Join(t.TempDir(), "test.db")
	if _, err := pool.Open(t.Context(), path, pool.Config{OnConnect: func(context.Context, *sqlite.Conn) error { return boom }}); !errors.Is(err, boom) {
		t.Error(err)
	}
	openDBAt(t, path, pool.Config{})
}

func TestREGEXPWorksOnReadersAndTheWriter(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2, OnConnect: sqlite.Regexp})
	ctx := t.Context()
	change := &lido.Query{Name: "Change", SQL: "UPDATE item SET name = name || '!' WHERE name REGEXP ?1", Writes: []string{"item"}}
	if err := errors.Join(run(ctx, db, insertItem, "box 1"), run(ctx, db, insertItem, "box x"), run(ctx, db, change, `\d$`)); err != nil {
		t.Fatal(err)
	}
	matching := &lido.Query{Name: "Matching", SQL: `SELECT count(*) FROM item WHERE name REGEXP '^box \d!$'`, ReadOnly: true}
	if n, err := scalar(ctx, db, matching); n != 1 || err != nil {
		t.Error(n, err)
	}
	broken := &lido.Query{Name: "Broken", SQL: "SELECT count(*) FROM item WHERE name REGEXP '['", ReadOnly: true}
	if _, err := scalar(ctx, db, broken); err == nil || !strings.Contains(err.Error(), "Broken: regexp: error parsing regexp") {
		t.Errorf("%v", err)
	}
	if err := run(ctx, db, change, "("); err == nil || !strings.Contains(err.Error(), "missing closing )") {
		t.Errorf("%v", err)
	}
	if s := db.Stat(); s.Readers.Destroyed.Total()+s.Writer.Destroyed.Total() != 0 {
		t.Errorf("%+v", s)
	}
}
