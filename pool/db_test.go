package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

var (
	insertItem = &lido.Query{Name: "InsertItem", SQL: "INSERT INTO item(name) VALUES(?1)", Writes: []string{"item"}}
	returnItem = &lido.Query{Name: "ReturnItem", SQL: "INSERT INTO item(name) VALUES(?1) RETURNING id, name", Writes: []string{"item"}}
	countItems = &lido.Query{Name: "CountItems", SQL: "SELECT count(*) FROM item", ReadOnly: true, Reads: []string{"item"}}
	endless    = &lido.Query{Name: "Endless", SQL: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n", ReadOnly: true}
	manyItems  = &lido.Query{Name: "ManyItems", SQL: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 50000000) INSERT INTO item(name) SELECT i FROM n", Writes: []string{"item"}}
)

// openDB opens a database with one table. The cleanup closes it and looks at
// what is left.
func openDB(t testing.TB, cfg pool.Config) *pool.DB {
	t.Helper()
	return openDBAt(t, filepath.Join(t.TempDir(), "test.db"), cfg)
}

func openDBAt(t testing.TB, path string, cfg pool.Config) *pool.DB {
	t.Helper()
	if cfg.Prepare == nil && !cfg.ReadOnly {
		cfg.Prepare = func(ctx context.Context, db *pool.DB) error {
			return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
				return c.Exec(ctx, "CREATE TABLE IF NOT EXISTS item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)")
			})
		}
	}
	db, err := pool.Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := db.Close(ctx); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("-wal is left: %v", err)
		}
	})
	return db
}

func run(ctx context.Context, w lido.Writer, q *lido.Query, args ...string) error {
	s, err := w.PrepareWrite(ctx, q)
	if err != nil {
		return err
	}
	defer s.Close()
	for i, a := range args {
		s.BindText(i+1, a)
	}
	for {
		row, err := s.Step()
		if err != nil {
			return err
		}
		if !row {
			return s.Close()
		}
	}
}

func count(t testing.TB, ctx context.Context, r lido.Reader) int64 {
	t.Helper()
	n, err := scalar(ctx, r, countItems)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func scalar(ctx context.Context, r lido.Reader, q *lido.Query) (int64, error) {
	s, err := r.PrepareRead(ctx, q)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if row, err := s.Step(); err != nil || !row {
		return 0, errors.Join(err, errors.New("no row"))
	}
	n := s.ColumnInt64(0)
	return n, s.Close()
}

func TestAWriteIsCommittedWhenItsClosureReturnsNilAndUndoneWhenNot(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	if err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "kept") }); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	if err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		return errors.Join(run(ctx, tx, insertItem, "undone"), boom)
	}); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if err := db.Write(ctx, func(context.Context, lido.Tx) error { return boom }); err != boom {
		t.Errorf("the closure's error came back as another: %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
			_ = run(ctx, tx, insertItem, "undone by panic")
			panic("boom")
		})
	}()
	if n := count(t, ctx, db); n != 1 {
		t.Errorf("%d items, want 1", n)
	}
	if s := db.Stat(); s.Commits != 1 || s.Rollbacks != 3 || s.LastCommit.IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestASingleWriteIsATransactionOfItsOwn(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	s, err := db.PrepareWrite(ctx, returnItem)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "b"} {
		s.BindText(1, name)
		row, err := s.Step()
		if !row || err != nil {
			t.Fatal(row, err)
		}
		if s.ColumnInt64(0) != int64(i+1) || s.ColumnText(1) != name || s.ColumnText(0) == "" {
			t.Error(s.ColumnInt64(0), s.ColumnText(1))
		}
		// Committed, though the row has not been left yet.
		if n := count(t, ctx, db); n != int64(i+1) {
			t.Errorf("%d items", n)
		}
		if row, err := s.Step(); row || err != nil {
			t.Fatal(row, err)
		}
		if s.Changes() != 1 || s.LastInsertID() != int64(i+1) {
			t.Error(s.Changes(), s.LastInsertID())
		}
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
	}
	s.BindText(1, "a")
	if _, err := s.Step(); !errors.Is(err, lido.ErrUnique) || !strings.Contains(err.Error(), "ReturnItem") {
		t.Error(err)
	}
	_ = s.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Step(); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
}

func TestAReadSeesOneSnapshotFromItsBeginning(t *testing.T) {
	// reader                      writer
	// Read begins
	//                             commits an item
	// counts none
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	err := db.Read(ctx, func(inner context.Context, r lido.Reader) error {
		if err := run(ctx, db, insertItem, "later"); err != nil {
			return err
		}
		if n := count(t, inner, r); n != 0 {
			t.Errorf("the snapshot shows %d items committed after it", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, ctx, db); n != 1 {
		t.Error(n)
	}
}

func TestACallFromInsideItsOwnClosureIsErrNested(t *testing.T) {
	db := openDB(t, pool.Config{})
	try := func(ctx context.Context) {
		t.Helper()
		_, readErr := db.PrepareRead(ctx, countItems)
		_, writeErr := db.PrepareWrite(ctx, insertItem)
		_, connErr := db.AcquireWriter(ctx)
		for _, err := range []error{readErr, writeErr, connErr,
			db.Read(ctx, func(context.Context, lido.Reader) error { return nil }),
			db.Write(ctx, func(context.Context, lido.Tx) error { return nil }),
		} {
			if !errors.Is(err, lido.ErrNested) {
				t.Errorf("%v", err)
			}
		}
	}
	ctx := t.Context()
	err := errors.Join(
		db.Read(ctx, func(ctx context.Context, _ lido.Reader) error { try(ctx); return nil }),
		db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
			try(ctx)
			return tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { try(ctx); return nil })
		}),
		db.WithReader(ctx, func(ctx context.Context, _ *sqlite.Conn) error { try(ctx); return nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func TestASavepointIsKeptOrUndoneByItself(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	boom := errors.New("boom")
	err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		if err := tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "kept") }); err != nil {
			return err
		}
		err := tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error {
			_ = run(ctx, tx, insertItem, "undone")
			return tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error {
				_ = run(ctx, tx, insertItem, "undone too")
				return boom
			})
		})
		if !errors.Is(err, boom) {
			t.Error(err)
		}
		if err := run(ctx, tx, insertItem, "kept"); !errors.Is(err, lido.ErrUnique) {
			t.Error(err)
		}
		return run(ctx, tx, insertItem, "after") // a constraint does not poison
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, ctx, db); n != 2 {
		t.Error(n)
	}
}

func TestAnInterruptedWritePoisonsItsTransaction(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		if err := run(ctx, tx, insertItem, "before"); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
		defer cancel()
		if err := run(short, tx, manyItems); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		// In autocommit now: without the poison this would stay in the file.
		if err := run(ctx, tx, insertItem, "after"); !errors.Is(err, lido.ErrInterrupted) {
			t.Errorf("%v", err)
		}
		return nil // Write must not take this for success
	})
	if !errors.Is(err, lido.ErrInterrupted) {
		t.Errorf("%v", err)
	}
	if n := count(t, ctx, db); n != 0 {
		t.Errorf("%d items escaped the transaction", n)
	}
}

func TestACancelledContextEndsEveryWait(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 1})
	ctx := t.Context()
	held := func(fn func()) {
		r, err := db.AcquireReader(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		w, err := db.AcquireWriter(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Release()
		fn()
	}
	held(func() { // waiting for a connection
		for name, wait := range map[string]func(ctx context.Context) error{
			"Read": func(ctx context.Context) error {
				return db.Read(ctx, func(context.Context, lido.Reader) error { return nil })
			},
			"Write": func(ctx context.Context) error {
				return db.Write(ctx, func(context.Context, lido.Tx) error { return nil })
			},
			"PrepareRead":   func(ctx context.Context) error { _, err := scalar(ctx, db, countItems); return err },
			"PrepareWrite":  func(ctx context.Context) error { return run(ctx, db, insertItem, "x") },
			"AcquireReader": func(ctx context.Context) error { _, err := db.AcquireReader(ctx); return err },
			"Checkpoint":    func(ctx context.Context) error { _, err := db.Checkpoint(ctx, sqlite.Passive); return err },
		} {
			short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
			if err := wait(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
			if err := wait(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s with an expired context: %v", name, err)
			}
		}
	})
	for range 20 { // inside a statement
		short, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
		if _, err := scalar(short, db, endless); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		if n := count(t, ctx, db); n != 0 {
			t.Error(n)
		}
	}
	// between fn and COMMIT
	short, cancel := context.WithCancel(ctx)
	err := db.Write(short, func(ctx context.Context, tx lido.Tx) error {
		defer cancel()
		return run(ctx, tx, insertItem, "too late")
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := count(t, ctx, db); n != 0 {
		t.Error(n)
	}
	if s := db.Stat(); s.Readers.InUse != 0 || s.Writer.InUse != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAHandleThatOutlivesItsClosureIsErrClosed(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	var leaked lido.Tx
	var stmt lido.Stmt
	err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		leaked = tx
		var err error
		stmt, err = tx.PrepareWrite(ctx, returnItem)
		if err != nil {
			return err
		}
		stmt.BindText(1, "a")
		_, err = stmt.Step()
		return err // with the statement open, on its row
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaked.PrepareRead(ctx, countItems); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	if err := leaked.Savepoint(ctx, nil); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	stmt.BindText(1, "b")
	if _, err := stmt.Step(); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	_ = stmt.ColumnText(1)
	if err := stmt.Close(); err != nil {
		t.Error(err)
	}
	if n := count(t, ctx, db); n != 1 {
		t.Error(n)
	}
}

func TestAQueryThatWritesIsRefusedByAReader(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	if _, err := db.PrepareRead(ctx, insertItem); !errors.Is(err, lido.ErrReadOnly) {
		t.Error(err)
	}
	// A query that lies about itself meets the engine's own answer.
	liar := *insertItem
	liar.ReadOnly = true
	lie := func(ctx context.Context, r lido.Reader) error {
		s, err := r.PrepareRead(ctx, &liar)
		if !errors.Is(err, lido.ErrReadOnly) || s != nil {
			t.Error(s, err)
		}
		return nil
	}
	err := errors.Join(lie(ctx, db), db.Read(ctx, lie),
		db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return lie(ctx, tx) }))
	if n := count(t, ctx, db); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestTransactionControlInAQueryIsRefused(t *testing.T) {
	db := openDB(t, pool.Config{})
	for _, sql := range []string{"COMMIT", "BEGIN", "ROLLBACK", "SAVEPOINT x", "ATTACH ':memory:' AS x"} {
		err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
			return run(ctx, tx, &lido.Query{Name: "Control", SQL: sql})
		})
		if err == nil {
			t.Errorf("%s was let through", sql)
		}
	}
}

func TestAChangedConnectionIsNotHandedOn(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 1})
	ctx := t.Context()
	for _, leave := range []func(c *sqlite.Conn) error{
		func(c *sqlite.Conn) error { return c.Exec(ctx, "PRAGMA foreign_keys=OFF") },
		func(c *sqlite.Conn) error { return c.Exec(ctx, "ATTACH ':memory:' AS x") },
		func(c *sqlite.Conn) error { return c.Exec(ctx, "CREATE TEMP TABLE t(a)") },
		func(c *sqlite.Conn) error { _, err := c.Prepare(ctx, "SELECT 1"); return err },
		func(c *sqlite.Conn) error { return c.Exec(ctx, "BEGIN; INSERT INTO item(name) VALUES('escaped')") },
	} {
		if err := db.WithWriter(ctx, func(_ context.Context, c *sqlite.Conn) error { return leave(c) }); err != nil {
			t.Fatal(err)
		}
		err := db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
			fk, err := c.QueryInt64(ctx, "PRAGMA foreign_keys")
			if fk != 1 || c.InTransaction() || c.OpenStatements() || c.Tainted() != "" {
				t.Errorf("foreign_keys %d, in transaction %v, open statements %v, tainted %q", fk, c.InTransaction(), c.OpenStatements(), c.Tainted())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, ctx, db); n != 0 {
		t.Error(n)
	}
	if d := db.Stat().Writer.Destroyed; d.Invalid != 4 {
		t.Errorf("%+v", d)
	}
}

func TestOpenReadsEveryPragmaBack(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2, Synchronous: pool.SynchronousFull})
	check := func(ctx context.Context, c *sqlite.Conn) error {
		for name, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "cache_size": "-64000", "mmap_size": "268435456",
			"foreign_keys": "1", "trusted_schema": "0", "cell_size_check": "1", "journal_size_limit": "67108864",
			"wal_autocheckpoint": "1000",
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
		"MaxReaders":      {MaxReaders: -1},
		"MinIdleReaders":  {MaxReaders: 2, MinIdleReaders: 3},
		"BusyTimeout":     {BusyTimeout: -1},
		"LifetimeJitter":  {MaxLifetime: -1, LifetimeJitter: 1},
		"Synchronous":     {Synchronous: 7},
		"CacheTotalBytes": {MaxReaders: 8, CacheBytes: 64 << 20, CacheTotalBytes: 128 << 20},
		"StmtCacheCount":  {StmtCacheCount: -1},
		"Prepare":         {ReadOnly: true, Prepare: func(context.Context, *pool.DB) error { return nil }},
		"Services[0]":     {Services: []pool.Service{nil}},
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

func TestOpenSaysWhatIsWrongWithTheFile(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	text := strings.Repeat("not a database ", 100)
	if err := os.WriteFile(garbage, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		garbage:                               "restore a backup",
		dir:                                   "is a directory",
		filepath.Join(dir, "no", "folder.db"): "folder must exist",
		":memory:":                            "name a file",
		"":                                    "name a file",
	} {
		db, err := pool.Open(t.Context(), path, pool.Config{})
		if err == nil {
			t.Errorf("%q was opened", path)
			_ = db.Close(t.Context())
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if _, err := pool.Open(t.Context(), filepath.Join(dir, "absent.db"), pool.Config{MustExist: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if got, err := os.ReadFile(garbage); string(got) != text || err != nil {
		t.Error("the file was changed")
	}
}

func TestASecondOpenOfTheSameFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := openDBAt(t, path, pool.Config{})
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link} {
		if _, err := pool.Open(t.Context(), p, pool.Config{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	openDBAt(t, path, pool.Config{})
}

type service struct {
	name     string
	log      *[]string
	startErr error
}

func (s *service) Start(context.Context, *pool.DB) error {
	*s.log = append(*s.log, "start "+s.name)
	return s.startErr
}

func (s *service) Stop(context.Context) error {
	*s.log = append(*s.log, "stop "+s.name)
	return nil
}

func TestServicesStartInOrderAfterPrepareAndStopInReverse(t *testing.T) {
	var log []string
	db := openDB(t, pool.Config{
		Prepare:  func(context.Context, *pool.DB) error { log = append(log, "prepare"); return nil },
		Services: []pool.Service{&service{name: "a", log: &log}, &service{name: "b", log: &log}},
	})
	for range 2 {
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(log); got != "[prepare start a start b stop b stop a]" {
		t.Error(got)
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

func TestCloseInterruptsWhatRunsAndNamesWhoHolds(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	started := make(chan struct{})
	result := make(chan error)
	go func() {
		result <- db.Read(ctx, func(ctx context.Context, r lido.Reader) error {
			close(started)
			_, err := scalar(ctx, r, endless)
			return err
		})
	}()
	<-started
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := db.Close(short); err != nil {
		t.Errorf("a statement that can be interrupted must not keep Close from finishing: %v", err)
	}
	if err := <-result; !errors.Is(err, lido.ErrInterrupted) {
		t.Error(err)
	}
	_, connErr := db.OpenConn(ctx)
	for _, err := range []error{
		db.Read(ctx, func(context.Context, lido.Reader) error { return nil }),
		db.Write(ctx, func(context.Context, lido.Tx) error { return nil }),
		run(ctx, db, insertItem, "x"),
		connErr,
	} {
		if !errors.Is(err, lido.ErrClosed) {
			t.Error(err)
		}
	}
}

// TestAFolderThatCannotBeWrittenToIsNamed runs as a user who is bound by the
// modes of folders, which root is not.
func TestAFolderThatCannotBeWrittenToIsNamed(t *testing.T) {
	if dir := os.Getenv("LIDO_TEST_READONLY_FOLDER"); dir != "" {
		_, err := pool.Open(t.Context(), filepath.Join(dir, "test.db"), pool.Config{})
		if err == nil || !strings.Contains(err.Error(), "must be able to write") || !strings.Contains(err.Error(), dir) {
			t.Error(err)
		}
		return
	}
	dir, err := os.MkdirTemp("", "readonly-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	// Go builds the test where only its user can run it.
	home, err := os.MkdirTemp("", "anyone-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	if err := os.Chmod(home, 0o755); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(home, "pool.test")
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(self, program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "LIDO_TEST_READONLY_FOLDER="+dir)
	cmd.Dir = os.TempDir()
	if os.Geteuid() == 0 {
		asNobody(cmd)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if entries, err := os.ReadDir(dir); len(entries) != 0 || err != nil {
		t.Error(entries, err)
	}
}

func TestCloseNamesWhoStillHoldsAConnectionAndCanBeTriedAgain(t *testing.T) {
	// holder                      closer
	// Read, waits for leave
	//                             Close gives up, naming the holder
	// leaves
	//                             Close again: done
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := pool.Open(t.Context(), path, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	held, leave, left := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		left <- db.Read(t.Context(), func(context.Context, lido.Reader) error {
			close(held)
			<-leave // not in the engine, where nothing can interrupt it
			return nil
		})
	}()
	<-held
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err = db.Close(short)
	var heldErr *pool.HeldError
	if !errors.As(err, &heldErr) || len(heldErr.Holders) != 1 || !strings.Contains(err.Error(), "db_test.go:") {
		t.Errorf("%v", err)
	}
	close(leave)
	if err := <-left; err != nil {
		t.Error(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("-wal is left: %v", err)
	}
}

func TestIdleAndOldConnectionsAreRecycled(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2, IdleTimeout: 5 * time.Millisecond, MaxLifetime: 20 * time.Millisecond, LifetimeJitter: time.Millisecond})
	deadline := time.Now().Add(10 * time.Second)
	for {
		count(t, t.Context(), db)
		s := db.Stat()
		if s.Readers.Destroyed.Idle+s.Writer.Destroyed.Idle > 0 && s.Readers.Destroyed.Lifetime+s.Writer.Destroyed.Lifetime > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing was recycled: %+v", s)
		}
	}
	if err := run(t.Context(), db, insertItem, "after"); err != nil {
		t.Error(err)
	}
}

func TestNothingEscapesThroughAnotherHandleOfALostTransaction(t *testing.T) {
	// INSERT OR ROLLBACK makes the engine throw the whole transaction away,
	// whichever handle it ran on; the others must know at once.
	rollback := &lido.Query{Name: "Rollback", SQL: "INSERT OR ROLLBACK INTO item(name) VALUES(?1)", Writes: []string{"item"}}
	boom := errors.New("boom")
	for name, lose := range map[string]func(ctx context.Context, outer, inner lido.Tx) error{
		"the outer handle": func(ctx context.Context, outer, inner lido.Tx) error {
			_ = run(ctx, inner, rollback, "taken")
			return run(ctx, outer, insertItem, "escaped")
		},
		"the inner handle": func(ctx context.Context, outer, inner lido.Tx) error {
			_ = run(ctx, outer, rollback, "taken")
			return run(ctx, inner, insertItem, "escaped")
		},
		"a savepoint": func(ctx context.Context, outer, inner lido.Tx) error {
			_ = run(ctx, inner, rollback, "taken")
			return outer.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "escaped") })
		},
	} {
		db := openDB(t, pool.Config{})
		if err := run(t.Context(), db, insertItem, "taken"); err != nil {
			t.Fatal(err)
		}
		err := db.Write(t.Context(), func(ctx context.Context, outer lido.Tx) error {
			return outer.Savepoint(ctx, func(ctx context.Context, inner lido.Tx) error {
				if err := lose(ctx, outer, inner); err == nil {
					t.Errorf("%s is still usable", name)
				}
				return boom
			})
		})
		if err == nil {
			t.Errorf("%s: Write reports success", name)
		}
		if n := count(t, t.Context(), db); n != 1 {
			t.Errorf("%s: %d items, want 1", name, n)
		}
	}
}

func TestWhatABorrowerDidToItsConnectionDoesNotReachTheNext(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 1})
	ctx := t.Context()
	if err := run(ctx, db, insertItem, "a"); err != nil {
		t.Fatal(err)
	}
	list := &lido.Query{Name: "List", SQL: "SELECT name FROM item", ReadOnly: true}
	for name, leave := range map[string]func(c *sqlite.Conn){
		"closed":      func(c *sqlite.Conn) { _ = c.Close() },
		"interrupted": func(c *sqlite.Conn) { c.Interrupt() },
		"limited":     func(c *sqlite.Conn) { c.Limit(0, 5) },
		"authorized": func(c *sqlite.Conn) {
			c.SetAuthorizer(func(sqlite.Action, string, string, string, string) sqlite.Auth { return sqlite.AuthIgnore })
			_, _ = c.QueryText(ctx, list.SQL)
		},
		"temporary virtual table": func(c *sqlite.Conn) { _ = c.Exec(ctx, "CREATE VIRTUAL TABLE temp.item USING dbstat") },
		"control prepared":        func(c *sqlite.Conn) { _, _ = c.QueryText(ctx, "COMMIT") },
	} {
		for _, lend := range []func(context.Context, func(context.Context, *sqlite.Conn) error) error{db.WithReader, db.WithWriter} {
			if err := lend(ctx, func(_ context.Context, c *sqlite.Conn) error { leave(c); return nil }); err != nil {
				t.Fatal(err)
			}
			err := db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
				if err := run(ctx, tx, &lido.Query{Name: "Commit", SQL: "COMMIT"}); err == nil {
					t.Errorf("%s: COMMIT was let through", name)
				}
				for _, r := range []lido.Reader{tx} {
					found, err := names(ctx, r)
					if len(found) != 1 || !found["a"] || err != nil {
						t.Errorf("%s: %v %v", name, found, err)
					}
				}
				return run(ctx, tx, manyItemsUpTo, "20000")
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := names(ctx, db); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := run(ctx, db, &lido.Query{Name: "Clear", SQL: "DELETE FROM item WHERE name <> 'a'"}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

var manyItemsUpTo = &lido.Query{Name: "ManyItemsUpTo", SQL: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < CAST(?1 AS INTEGER)) INSERT INTO item(name) SELECT i FROM n", Writes: []string{"item"}}

func TestTheSameNewFileThroughALinkedFolderIsTheSameFile(t *testing.T) {
	real := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		name := "x.db"
		opened := make(chan *pool.DB, 2)
		for _, dir := range []string{real, link} {
			go func() {
				db, _ := pool.Open(t.Context(), filepath.Join(dir, name), pool.Config{})
				opened <- db
			}()
		}
		a, b := <-opened, <-opened
		if (a == nil) == (b == nil) {
			t.Error("want one of two pools on one file")
		}
		for _, db := range []*pool.DB{a, b} {
			if db != nil {
				if err := errors.Join(run(t.Context(), db, &lido.Query{Name: "Create", SQL: "CREATE TABLE t(a)"})); err != nil {
					t.Error(err)
				}
				if s := db.Stat(); s.WALBytes == 0 || !strings.HasPrefix(db.Path(), real) {
					t.Errorf("the WAL of %s is not seen: %+v", db.Path(), s)
				}
				if err := db.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		if err := os.Remove(filepath.Join(real, name)); err != nil {
			t.Fatal(err)
		}
	}
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

func TestAnErrorOfOnConnectUndoesOpen(t *testing.T) {
	boom := errors.New("boom")
	path := filepath.Join(t.TempDir(), "test.db")
	if _, err := pool.Open(t.Context(), path, pool.Config{OnConnect: func(context.Context, *sqlite.Conn) error { return boom }}); !errors.Is(err, boom) {
		t.Error(err)
	}
	openDBAt(t, path, pool.Config{})
}
