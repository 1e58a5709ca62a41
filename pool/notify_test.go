package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

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
//	COMMIT, fn                   waits for the writer
//	returns, reads the cache     COMMIT, fn
func TestOnCommitRunsInOrderAndBeforeTheWriteReturns(t *testing.T) {
	db := openDB(t, pool.Config{})
	var mu sync.Mutex
	told := 0
	db.OnCommit(func(_ context.Context, c pool.Commit) {
		mu.Lock()
		defer mu.Unlock()
		told++
	})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
					// Whoever comes before has been told of before.
					n, err := scalar(ctx, tx, countItems)
					mu.Lock()
					defer mu.Unlock()
					if int(n) != told {
						t.Errorf("%d rows, but told of %d commits", n, told)
					}
					return errors.Join(err, run(ctx, tx, insertItem, fmt.Sprint(g, "-", i)))
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if told != 200 {
		t.Errorf("told of %d commits", told)
	}
}

func TestOnCommitMustNotUseTheDatabase(t *testing.T) {
	db := openDB(t, pool.Config{})
	var errs []error
	stop := db.OnCommit(func(ctx context.Context, _ pool.Commit) {
		_, read := scalar(ctx, db, countItems)
		_, checkpoint := db.Checkpoint(ctx, sqlite.Passive)
		errs = append(errs, read, run(ctx, db, insertItem, "nested"), checkpoint,
			db.Write(ctx, func(context.Context, lido.Tx) error { return nil }))
	})
	if err := run(t.Context(), db, insertItem, "a"); err != nil {
		t.Fatal(err)
	}
	if len(errs) != 4 {
		t.Fatal(errs)
	}
	for _, err := range errs {
		if !errors.Is(err, lido.ErrNested) {
			t.Error(err)
		}
	}
	stop()
	stop()
	if err := run(t.Context(), db, insertItem, "b"); err != nil || len(errs) != 4 {
		t.Error(err, errs)
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
