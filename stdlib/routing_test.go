package stdlib_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

// waitFor polls until ok, because what it waits for happens in other
// goroutines.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		runtime.Gosched()
	}
}

// Each writer tells the number it has committed; a reader that was told must
// see it, on whichever connection and with whichever commits around it.
//
//	writer                     reader
//	INSERT n, commits
//	tells n             ->     max(v) is n or more
func TestACommitIsSeenByEveryReadThatBeginsAfterIt(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 4})
	exec(t, handle, "CREATE TABLE n (writer INTEGER, v INTEGER)")
	var wg sync.WaitGroup
	for writer := range 4 {
		told := make(chan int)
		wg.Go(func() {
			defer close(told)
			for v := range 100 {
				switch v % 3 {
				case 0:
					exec(t, handle, "INSERT INTO n VALUES (?, ?)", writer, v)
				case 1:
					if got := one[int](t, handle, "INSERT INTO n VALUES (?, ?) RETURNING v", writer, v); got != v {
						t.Errorf("returned %d, want %d", got, v)
					}
				case 2:
					tx := begin(t, handle)
					exec(t, tx, "INSERT INTO n VALUES (?, ?)", writer, v)
					if err := tx.Commit(); err != nil {
						t.Error(err)
					}
				}
				told <- v
			}
		})
		wg.Go(func() {
			for v := range told {
				if seen := one[int](t, handle, "SELECT max(v) FROM n WHERE writer = ?", writer); seen < v {
					t.Errorf("%d is committed, and a read sees %d", v, seen)
				}
				ro, err := handle.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
				if err != nil {
					t.Error(err)
					continue
				}
				if seen := one[int](t, ro, "SELECT max(v) FROM n WHERE writer = ?", writer); seen < v {
					t.Errorf("%d is committed, and a snapshot sees %d", v, seen)
				}
				if err := ro.Rollback(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if st := db.Stat(); st.Readers.AcquireCount < 400 {
		t.Errorf("only %d reads ran on readers", st.Readers.AcquireCount)
	}
}

func TestReadsRunOnTheWriterOnRequest(t *testing.T) {
	db, _ := open(t, pool.Config{})
	handle := stdlib.OpenDB(db, stdlib.WithReadsOnWriter())
	defer handle.Close()
	exec(t, handle, people)
	before := db.Stat()
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 2)
	s, err := handle.Prepare("SELECT count(*) FROM people")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	prepared := db.Stat()
	var n int
	if err := s.QueryRow().Scan(&n); err != nil || n != 2 {
		t.Error(n, err)
	}
	exec(t, handle, "SELECT 1")
	after := db.Stat()
	equal(t, "on the writer", after.Writer.AcquireCount-before.Writer.AcquireCount, 3)
	equal(t, "on readers", after.Readers.AcquireCount-prepared.Readers.AcquireCount, 0)

	// The rows are in memory, so the loop can write.
	rows, err := handle.Query("SELECT id FROM people ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		exec(t, handle, "UPDATE people SET name = upper(name) WHERE id = ?", id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	equal(t, "names", one[string](t, handle, "SELECT group_concat(name) FROM people"), "ADA,GRACE")

	ro, err := handle.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "readers held by a snapshot", db.Stat().Readers.InUse, 1)
	if err := ro.Rollback(); err != nil {
		t.Error(err)
	}
}

func TestASelectThatIsExecutedLeavesTheWriterAlone(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	tx := begin(t, handle)
	defer tx.Rollback()
	exec(t, handle, "SELECT name FROM people")
	equal(t, "readers held", db.Stat().Readers.InUse, 0)
	if _, err := handle.Exec("SELECT abs(column1) FROM (VALUES (1), (-9223372036854775807 - 1))"); err == nil {
		t.Error("an error of the second step is lost")
	}
}

// What a *sql.Conn asks about its last insert is answered as on a connection of
// its own, although the writer has served others in between.
func TestCountersBelongToTheConn(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, "CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER)")
	a, b := session(t, handle), session(t, handle)
	defer a.Close()
	defer b.Close()
	exec(t, a, "INSERT INTO t (id) VALUES (100)")
	exec(t, b, "INSERT INTO t (id) VALUES (200), (201)")
	for name, c := range map[string]struct {
		conn        *sql.Conn
		id, changes int
	}{"a": {a, 100, 1}, "b": {b, 201, 2}} {
		equal(t, name+": last_insert_rowid", one[int](t, c.conn, "SELECT last_insert_rowid()"), c.id)
		equal(t, name+": changes", one[int](t, c.conn, "SELECT changes()"), c.changes)
	}
	equal(t, "parent", one[int](t, a, "INSERT INTO t (id, parent) VALUES (101, last_insert_rowid()) RETURNING parent"), 100)
	exec(t, b, "INSERT INTO t (id, parent) VALUES (202, last_insert_rowid())")
	equal(t, "parent", one[int](t, handle, "SELECT parent FROM t WHERE id = 202"), 201)
	tx, err := a.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "in a transaction", one[int](t, tx, "SELECT last_insert_rowid()"), 101)
	exec(t, tx, "INSERT INTO t (id) VALUES (102)")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	equal(t, "after it", one[int](t, a, "SELECT last_insert_rowid()"), 102)
	equal(t, "of the other", one[int](t, b, "SELECT last_insert_rowid()"), 202)
	res := exec(t, a, "UPDATE t SET parent = 0")
	if id, err := res.LastInsertId(); id != 102 || err != nil {
		t.Errorf("LastInsertId of an UPDATE: %d, %v; SQLite says what was inserted last", id, err)
	}
}

// Single changes that wait for the writer share a transaction, and each has
// its own result.
func TestSingleChangesThatWaitTogetherShareACommit(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER UNIQUE)")
	insert, err := handle.Prepare("INSERT INTO t (v) VALUES (:v)")
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	holder := begin(t, handle)
	const each = 10
	var mu sync.Mutex
	ids := map[int64]int{}
	var wg sync.WaitGroup
	keep := func(id int64, v int) {
		mu.Lock()
		defer mu.Unlock()
		ids[id] = v
	}
	for i := range each {
		wg.Go(func() {
			res := exec(t, handle, "INSERT INTO t (v) VALUES (?)", i)
			if n, err := res.RowsAffected(); n != 1 || err != nil {
				t.Errorf("RowsAffected %d, %v", n, err)
			}
			id, err := res.LastInsertId()
			if err != nil {
				t.Error(err)
			}
			keep(id, i)
		})
		wg.Go(func() {
			res, err := insert.Exec(sql.Named("v", 100+i))
			if err != nil {
				t.Error(err)
				return
			}
			id, _ := res.LastInsertId()
			keep(id, 100+i)
		})
		wg.Go(func() {
			keep(one[int64](t, handle, "WITH x (v) AS (SELECT ?1) INSERT INTO t (v) SELECT v FROM x RETURNING id", 200+i), 200+i)
		})
	}
	// The WITH is known to write once the engine has said so.
	waitFor(t, "all are queued", func() bool { return db.Stat().Queued == 3*each })
	before := db.Stat()
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	after := db.Stat()
	if after.Grouped-before.Grouped < 3*each-1 { // who leads may go alone
		t.Errorf("%d of %d changes shared a commit", after.Grouped-before.Grouped, 3*each)
	}
	equal(t, "ids", len(ids), 3*each)
	for id, v := range ids {
		equal(t, "v", one[int](t, handle, "SELECT v FROM t WHERE id = ?", id), v)
	}
}

func TestAChangeThatFailsInAGroupFailsAlone(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	holder := begin(t, handle)
	errs := make(chan error, 3)
	for _, name := range []string{"Alan", "Ada", "Barbara"} {
		go func() {
			_, err := handle.Exec("INSERT INTO people (name) VALUES (?)", name)
			errs <- err
		}()
	}
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error)
	go func() {
		_, err := handle.ExecContext(ctx, "INSERT INTO people (name) VALUES ('nobody')")
		left <- err
	}()
	waitFor(t, "all are queued", func() bool { return db.Stat().Queued == 4 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that gave up: %v", err)
	}
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for range 3 {
		if err := <-errs; err != nil {
			failed++
			if !errors.Is(err, lido.ErrUnique) {
				t.Error(err)
			}
		}
	}
	equal(t, "failed", failed, 1)
	equal(t, "names", one[string](t, handle, "SELECT group_concat(name, ' ') FROM (SELECT name FROM people ORDER BY name)"), "Ada Alan Barbara Grace")
}

// Arguments are counted here for a change that the pool only records: one that
// is missing must not become NULL.
func TestAChangeNeedsAllItsArgumentsAndNoMore(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, "CREATE TABLE t (a, b)")
	for query, args := range map[string][]any{
		"INSERT INTO t VALUES (?, ?)":         {1},
		"INSERT INTO t VALUES (?1, ?1)":       {1, 2},
		"INSERT INTO t VALUES (?2, 1)":        {1},
		"INSERT INTO t VALUES (:a, :b)":       {sql.Named("a", 1)},
		"INSERT INTO t VALUES (:a, 1)":        {sql.Named("a", 1), sql.Named("b", 2)},
		"UPDATE t SET a = '?', b = ?":         {},
		"DELETE FROM t WHERE a = @a":          {sql.Named("A", 1)},
		"INSERT INTO t VALUES ($a, $a) -- ?1": {1, 2},
	} {
		if _, err := handle.Exec(query, args...); err == nil {
			t.Errorf("%s takes %v", query, args)
		}
		if rows, err := handle.Query(query+" ", args...); err == nil {
			t.Errorf("%s takes %v as a query", query, args)
			rows.Close()
		}
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM t"), 0)
	exec(t, handle, "INSERT INTO t VALUES (?2, ?1), ($3, 'x')", 1, 2, 3)
	equal(t, "rows", one[string](t, handle, "SELECT group_concat(a || b) FROM t"), "21,3x")
	if _, err := handle.Exec("INSERT INTO t VALUES (1, ?)", fmt.Errorf("no value")); err == nil {
		t.Error("an error is a value")
	}
}

// pool.WithSynchronous holds for what begins with its context.
func TestTheContextSaysHowDurableACommitIs(t *testing.T) {
	_, handle := open(t, pool.Config{})
	full := pool.WithSynchronous(context.Background(), pool.SynchronousFull)
	for _, c := range []struct {
		ctx  context.Context
		want int
	}{{full, 2}, {context.Background(), 1}} {
		tx, err := handle.BeginTx(c.ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "synchronous in a transaction", one[int](t, tx, "PRAGMA synchronous"), c.want)
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		rows, err := handle.QueryContext(c.ctx, "SELECT 1; PRAGMA synchronous")
		if err != nil {
			t.Fatal(err)
		}
		var got int
		for rows.Next() {
			if err := rows.Scan(&got); err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Error(err)
		}
		equal(t, "synchronous of several statements", got, c.want)
	}
}
