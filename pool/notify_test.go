package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"
	"github.com/lidodb/lido/stdlib"
)

const related = `
	CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);
	CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON DELETE CASCADE);
	CREATE TABLE history(child INTEGER);
	CREATE TRIGGER gone AFTER DELETE ON child BEGIN INSERT INTO history VALUES(old.id); END;
	INSERT INTO parent VALUES(1, 'a'), (2, 'b');
	INSERT INTO child VALUES(1, 1), (2, 2);`

var (
	deleteParent = &lido.Query{Name: "DeleteParent", SQL: "DELETE FROM parent WHERE id = ?1", Writes: []string{"parent", "child", "history"}}
	nameParents  = &lido.Query{Name: "NameParents", SQL: "UPDATE parent SET name = ?1", Writes: []string{"parent"}}
	addHistory   = &lido.Query{Name: "AddHistory", SQL: "INSERT INTO history VALUES(1)", Writes: []string{"history"}}
)

// spell writes a commit as "child parent", with "schema" and "unknown" before.
func spell(c pool.Commit) string {
	var words []string
	if c.Unknown {
		words = append(words, "unknown")
	}
	if c.Schema {
		words = append(words, "schema")
	}
	return strings.Join(append(words, c.Tables...), " ")
}

// hear notes the commits of db. It needs no lock: calls come one at a time.
func hear(db *pool.DB) (heard *[]string) {
	heard = new([]string)
	db.OnCommit(func(_ context.Context, c pool.Commit) { *heard = append(*heard, spell(c)) })
	return heard
}

func TestOnCommitSeesEveryWayOfWriting(t *testing.T) {
	boom := errors.New("boom")
	everything := "child history parent"
	for _, test := range []struct {
		name  string
		do    func(ctx context.Context, db *pool.DB) error
		fails bool
		want  []string
	}{
		{"single write", func(ctx context.Context, db *pool.DB) error { return run(ctx, db, deleteParent, "1") }, false, []string{everything}},
		{"single writes, one after the other", func(ctx context.Context, db *pool.DB) error {
			return errors.Join(run(ctx, db, deleteParent, "1"), run(ctx, db, nameParents, "x"), run(ctx, db, deleteParent, "2"))
		}, false, []string{everything, "parent", everything}},
		{"single write that changes nothing", func(ctx context.Context, db *pool.DB) error { return run(ctx, db, deleteParent, "3") }, false, nil},
		{"closure", func(ctx context.Context, db *pool.DB) error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
				return errors.Join(run(ctx, tx, nameParents, "x"), run(ctx, tx, addHistory))
			})
		}, false, []string{"history parent"}},
		{"batch", func(ctx context.Context, db *pool.DB) error {
			return db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error {
				return errors.Join(run(ctx, tx, nameParents, "x"), run(ctx, tx, addHistory))
			})
		}, false, []string{"history parent"}},
		{"closure that fails", func(ctx context.Context, db *pool.DB) error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return errors.Join(run(ctx, tx, addHistory), boom) })
		}, true, nil},
		{"closure with a savepoint that is undone", func(ctx context.Context, db *pool.DB) error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
				_ = tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return errors.Join(run(ctx, tx, addHistory), boom) })
				return run(ctx, tx, nameParents, "x")
			})
		}, false, []string{"parent"}},
		{"read closure", func(ctx context.Context, db *pool.DB) error {
			return db.Read(ctx, func(ctx context.Context, r lido.Reader) error {
				_, err := list(ctx, r, &lido.Query{SQL: "SELECT * FROM parent", ReadOnly: true})
				return err
			})
		}, false, nil},
		{"by hand", func(ctx context.Context, db *pool.DB) error {
			return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
				return c.Exec(ctx, "INSERT INTO history VALUES(1); BEGIN; DELETE FROM parent; COMMIT; BEGIN; DELETE FROM history; ROLLBACK; DELETE FROM history; CREATE TABLE fresh(a)")
			})
		}, false, []string{"history", everything, "history", "schema fresh"}},
		{"database/sql", func(ctx context.Context, db *pool.DB) error {
			handle := stdlib.OpenDB(db)
			defer handle.Close()
			if _, err := handle.ExecContext(ctx, "INSERT INTO history VALUES(1)"); err != nil {
				return err
			}
			tx, err := handle.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			_, err1 := tx.ExecContext(ctx, "DELETE FROM parent WHERE id = ?", 1)
			_, err2 := tx.ExecContext(ctx, "SAVEPOINT a; ALTER TABLE parent ADD COLUMN more; ROLLBACK TO a; RELEASE a")
			return errors.Join(err1, err2, tx.Commit())
		}, false, []string{"history", everything}},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := pooltest.Open(t, nil)
			if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, related) }); err != nil {
				t.Fatal(err)
			}
			heard := hear(db)
			if err := test.do(t.Context(), db); (err != nil) != test.fails {
				t.Fatal(err)
			}
			if !slices.Equal(*heard, test.want) {
				t.Errorf("%q, want %q", *heard, test.want)
			}
		})
	}
}

// Who shares a commit is told of as one transaction; who failed in it left
// nothing behind.
func TestOnCommitIsToldOfAGroupOnce(t *testing.T) {
	db := openDB(t, pool.Config{})
	if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "CREATE TABLE other(x); CREATE TABLE third(x); INSERT INTO item(name) VALUES('taken')")
	}); err != nil {
		t.Fatal(err)
	}
	into := func(table string) *lido.Query {
		return &lido.Query{Name: table, SQL: "INSERT INTO " + table + " VALUES(?1)", Writes: []string{table}}
	}
	heard := hear(db)
	errs := together(t, db, inserts(db, into("third"), "a"), inserts(db, insertItem, "taken"), inserts(db, into("other"), "b"))
	if errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Fatal(errs)
	}
	if !slices.Equal(*heard, []string{"other third"}) {
		t.Errorf("%q", *heard)
	}
}

// A cache that OnCommit clears is never behind the writes of its own user, and
// the order of calls is that of the commits.
//
//	writer A                     writer B
//	COMMIT                       waits for the writer
//	fn                           COMMIT
//	returns, reads the cache     fn
func TestOnCommitRunsInOrderAndBeforeTheWriteReturns(t *testing.T) {
	db := openDB(t, pool.Config{})
	const writers = 4
	if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "CREATE TABLE t0(x); CREATE TABLE t1(x); CREATE TABLE t2(x); CREATE TABLE t3(x)")
	}); err != nil {
		t.Fatal(err)
	}
	var order []string // owned by who has the writer
	var mu sync.Mutex
	var heard []string
	told := map[string]int{}
	db.OnCommit(func(_ context.Context, c pool.Commit) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, spell(c))
		told[spell(c)]++
	})
	var wg sync.WaitGroup
	for g := range writers {
		table := fmt.Sprint("t", g)
		q := &lido.Query{Name: "Add", SQL: "INSERT INTO " + table + " VALUES(1)", Writes: []string{table}}
		wg.Go(func() {
			for i := range 50 {
				err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
					order = append(order, table)
					return run(ctx, tx, q)
				})
				mu.Lock()
				if err != nil || told[table] != i+1 {
					t.Errorf("%s: told of %d commits after %d: %v", table, told[table], i+1, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if !slices.Equal(heard, order) {
		t.Errorf("told of %q\nbut committed %q", heard, order)
	}
}

// Members of a group are answered by its leader, who may be behind with telling.
func TestOnCommitRunsBeforeAnyMemberOfAGroupReturns(t *testing.T) {
	db := openDB(t, pool.Config{})
	var told atomic.Int64
	db.OnCommit(func(context.Context, pool.Commit) { told.Add(1) })
	var writes []func(ctx context.Context) error
	for i := range 8 {
		writes = append(writes, func(ctx context.Context) error {
			err := run(ctx, db, insertItem, fmt.Sprint(i))
			if told.Load() == 0 {
				t.Error("returned before fn was called")
			}
			return err
		})
	}
	if err := errors.Join(together(t, db, writes...)...); err != nil {
		t.Fatal(err)
	}
	if s := db.Stat(); s.Groups != 1 || told.Load() != 1 {
		t.Error(s.Groups, told.Load())
	}
}

// What fn writes is committed by the time its call returns, and told of after
// the call.
func TestOnCommitMayUseTheDatabase(t *testing.T) {
	for _, own := range []bool{false, true} {
		for name, write := range map[string]func(ctx context.Context, db *pool.DB) error{
			"single": func(ctx context.Context, db *pool.DB) error { return run(ctx, db, insertItem, "b") },
			"alone":  func(ctx context.Context, db *pool.DB) error { return run(pool.Alone(ctx), db, insertItem, "b") },
			"closure": func(ctx context.Context, db *pool.DB) error {
				return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "b") })
			},
			"batch": func(ctx context.Context, db *pool.DB) error {
				return db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "b") })
			},
			"by hand": func(ctx context.Context, db *pool.DB) error {
				return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
					return c.Exec(ctx, "INSERT INTO item(name) VALUES('b')")
				})
			},
		} {
			t.Run(fmt.Sprint(name, ", own context ", own), func(t *testing.T) {
				db := openDB(t, pool.Config{})
				pool.SetNewsPatience(db, time.Hour)
				var heard []int64
				inside := false
				db.OnCommit(func(ctx context.Context, c pool.Commit) {
					if own {
						ctx = t.Context()
					}
					if inside {
						t.Error("called in its own call")
					}
					inside = true
					defer func() { inside = false }()
					if len(heard) == 0 {
						if err := write(ctx, db); err != nil {
							t.Error(err)
						}
						if _, err := db.Checkpoint(ctx, sqlite.Passive); err != nil {
							t.Error(err)
						}
					}
					n, err := scalar(ctx, db, countItems)
					if err != nil {
						t.Error(err)
					}
					heard = append(heard, n)
				})
				done := make(chan error, 1)
				go func() { done <- run(t.Context(), db, insertItem, "a") }()
				select {
				case err := <-done:
					if err != nil || !slices.Equal(heard, []int64{2, 2}) {
						t.Error(heard, err)
					}
				case <-time.After(2 * time.Minute):
					t.Fatal("the write waits for itself")
				}
			})
		}
	}
}

func TestOnCommitMayCloseTheDatabase(t *testing.T) {
	db := openDB(t, pool.Config{})
	db.OnCommit(func(ctx context.Context, _ pool.Commit) {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	done := make(chan error, 1)
	go func() { done <- run(t.Context(), db, insertItem, "a") }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("Close waits for its own caller")
	}
	if err := run(t.Context(), db, insertItem, "b"); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
}

// Two that fn waits for, one with its context and one without.
func TestOnCommitMayWaitForOthersWhoWrite(t *testing.T) {
	var log bytes.Buffer
	db := openDB(t, pool.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	pool.SetNewsPatience(db, 10*time.Millisecond)
	first := true
	heard := 0
	db.OnCommit(func(ctx context.Context, _ pool.Commit) {
		heard++
		if !first {
			return
		}
		first = false
		for name, ctx := range map[string]context.Context{"b": ctx, "c": context.Background()} {
			done := make(chan error)
			go func() { done <- run(ctx, db, insertItem, name) }()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	if err := run(t.Context(), db, insertItem, "a"); err != nil {
		t.Fatal(err)
	}
	if heard != 3 || count(t, t.Context(), db) != 3 {
		t.Errorf("told of %d commits", heard)
	}
	if n := strings.Count(log.String(), "before all functions of OnCommit"); n != 1 {
		t.Errorf("%d lines in %s", n, log.String())
	}
}

// A write whose context ends does not wait for what others' commits have fn do.
func TestAWriteLeavesASlowOnCommitWhenItsContextEnds(t *testing.T) {
	db := openDB(t, pool.Config{})
	began, goOn := make(chan struct{}, 2), make(chan struct{})
	var heard atomic.Int64
	db.OnCommit(func(context.Context, pool.Commit) {
		heard.Add(1)
		began <- struct{}{}
		<-goOn
	})
	slow := make(chan error, 1)
	go func() { slow <- run(t.Context(), db, insertItem, "a") }()
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	quick := make(chan error, 1)
	go func() { quick <- run(ctx, db, insertItem, "b") }()
	eventually(t, "both are committed", func() bool { return db.Stat().Commits == prepared+2 })
	select {
	case err := <-quick:
		t.Fatal("returned before fn was told:", err)
	default:
	}
	cancel()
	if err := <-quick; err != nil {
		t.Error(err)
	}
	close(goOn)
	if err := <-slow; err != nil || heard.Load() != 2 {
		t.Error(heard.Load(), err)
	}
}

// It has nothing to wait for.
func TestABorrowerWhoCommitsNothingDoesNotWaitForASlowOnCommit(t *testing.T) {
	db := openDB(t, pool.Config{})
	pool.SetNewsPatience(db, time.Hour)
	began, goOn := make(chan struct{}), make(chan struct{})
	db.OnCommit(func(context.Context, pool.Commit) {
		close(began)
		<-goOn
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(t.Context(), db, insertItem, "a"); err != nil {
			t.Error(err)
		}
	})
	<-began
	err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "BEGIN IMMEDIATE; ROLLBACK")
	})
	if err != nil {
		t.Error(err)
	}
	close(goOn)
	wg.Wait()
}

func TestAListenerThatEndsItsGoroutineTakesNobodyWithIt(t *testing.T) {
	db := openDB(t, pool.Config{})
	heard := 0
	db.OnCommit(func(context.Context, pool.Commit) {
		if heard++; heard == 1 {
			runtime.Goexit()
		}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = run(t.Context(), db, insertItem, "a")
	}()
	<-done
	if err := run(t.Context(), db, insertItem, "b"); err != nil || heard != 2 {
		t.Error(heard, err)
	}
}

func TestStopLeavesTheOthers(t *testing.T) {
	db := openDB(t, pool.Config{})
	calls := ""
	db.OnCommit(func(context.Context, pool.Commit) { calls += "a" })
	var stop func()
	stop = db.OnCommit(func(context.Context, pool.Commit) { calls += "b"; stop() }) // in its own call
	db.OnCommit(func(context.Context, pool.Commit) { calls += "c" })
	for _, name := range []string{"x", "y"} {
		if err := run(t.Context(), db, insertItem, name); err != nil {
			t.Fatal(err)
		}
	}
	if calls != "abcac" {
		t.Error(calls)
	}
}

// The transaction is committed, so its caller must not be told otherwise.
func TestAPanicInOnCommitIsLoggedAndGoesNoFurther(t *testing.T) {
	var log bytes.Buffer
	db := openDB(t, pool.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	db.OnCommit(func(context.Context, pool.Commit) { panic("boom") })
	heard := hear(db)
	errs := together(t, db, inserts(db, insertItem, "a"), inserts(db, insertItem, "b"))
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "c") }); err != nil {
		t.Error(err)
	}
	if !slices.Equal(*heard, []string{"item", "item"}) || count(t, t.Context(), db) != 3 {
		t.Errorf("%q", *heard)
	}
	if s := db.Stat(); s.Writer.Created != 1 {
		t.Errorf("%d writers, the first one was lost", s.Writer.Created)
	}
	for _, want := range []string{"level=ERROR", "OnCommit panicked", "panic=boom", "notify_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, log.String())
		}
	}
}

func TestOnCommitIsToldOfACommitWhoseOutcomeIsUnknown(t *testing.T) {
	for _, outcome := range []pooltest.Outcome{pooltest.Lost, pooltest.Kept} {
		db := pooltest.Open(t, nil)
		createItem(t, db)
		heard := hear(db)
		pooltest.Faults(t, db).LoseCommit(outcome)
		if err := run(t.Context(), db, insertItem, "a"); !errors.Is(err, lido.ErrCommitUnknown) {
			t.Fatal(err)
		}
		pooltest.Faults(t, db).LoseCommit(outcome)
		err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "b") })
		if !errors.Is(err, lido.ErrCommitUnknown) {
			t.Fatal(err)
		}
		if err := run(t.Context(), db, insertItem, "c"); err != nil { // on another connection
			t.Fatal(err)
		}
		if !slices.Equal(*heard, []string{"unknown item", "unknown item", "item"}) {
			t.Errorf("%q", *heard)
		}
	}
}

func TestWroteKnowsTablesInAnyCase(t *testing.T) {
	c := pool.Commit{Tables: []string{"Account", "posting"}}
	for table, want := range map[string]bool{"account": true, "POSTING": true, "post": false} {
		if c.Wrote("nosuch", table) != want {
			t.Error(table)
		}
	}
	if c.Wrote() {
		t.Error("wrote nothing")
	}
}
