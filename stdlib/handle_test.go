package stdlib_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// next begins a loop over rows.
func next(t testing.TB, on interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, query string) *sql.Rows {
	t.Helper()
	rows, err := on.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal("no row: ", rows.Err())
	}
	return rows
}

func TestALoopOverRowsCanWriteWithOneReaderAndOneHandle(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 1})
	exec(t, handle, people)
	rows := next(t, handle, "SELECT id FROM people")
	exec(t, handle, "UPDATE people SET name = upper(name)")
	tx := begin(t, handle)
	exec(t, tx, "DELETE FROM people WHERE id = 2")
	equal(t, "a query in the transaction", one[int](t, tx, "SELECT count(*) FROM people"), 1)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	// The rows are those of their snapshot.
	if !rows.Next() {
		t.Error("the second row is gone: ", rows.Err())
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	idle(t, db)
}

func TestAQueryInsideALoopNeedsAReaderOfItsOwn(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 1})
	exec(t, handle, people)
	rows := next(t, handle, "SELECT id FROM people")
	if err := handle.QueryRowContext(soon(t), "SELECT 1").Scan(new(int)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second reader: %v, want context.DeadlineExceeded", err)
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	equal(t, "afterwards", one[int](t, handle, "SELECT 1"), 1)

	// In a transaction, and where queries run on the writer, they nest.
	tx := begin(t, handle)
	outer := next(t, tx, "SELECT id FROM people")
	inner := next(t, tx, "SELECT id FROM people")
	equal(t, "third", one[int](t, tx, "SELECT count(*) FROM people"), 2)
	if err := errors.Join(outer.Close(), inner.Close(), tx.Rollback()); err != nil {
		t.Error(err)
	}
	onWriter := stdlib.OpenDB(db, stdlib.WithReadsOnWriter())
	defer onWriter.Close()
	outer = next(t, onWriter, "SELECT id FROM people")
	inner = next(t, onWriter, "SELECT id FROM people")
	if err := errors.Join(outer.Close(), inner.Close()); err != nil {
		t.Error(err)
	}
	idle(t, db)
}

func TestALoopOnOneConnCanQueryAndWrite(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 2})
	handle.SetMaxOpenConns(1)
	exec(t, handle, people)
	c := session(t, handle)
	rows := next(t, c, "SELECT id FROM people")
	equal(t, "inside", one[int](t, c, "SELECT count(*) FROM people"), 2)
	exec(t, c, "DELETE FROM people")
	if err := handle.PingContext(soon(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second handle: %v", err)
	}
	if !rows.Next() {
		t.Error("the second row is gone: ", rows.Err())
	}
	// Rows left open are closed with their conn.
	if err := errors.Join(rows.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 0)
	idle(t, db)
}

func TestRowsOfASessionStreamBesideItsWrites(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	c := session(t, handle)
	exec(t, c, "CREATE TEMP TABLE seen (id)")
	rows := next(t, c, "SELECT id FROM people ORDER BY id")
	exec(t, c, "INSERT INTO seen VALUES (1)")
	exec(t, c, "PRAGMA foreign_keys = ON")
	if !rows.Next() {
		t.Error("the second row is gone: ", rows.Err())
	}
	if err := errors.Join(rows.Close(), c.Close()); err != nil {
		t.Error(err)
	}
}

func TestASessionThatEndsWithRowsOpenGivesTheWriterBackWithTheRows(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	c := session(t, handle)
	defer c.Close()
	exec(t, c, "BEGIN")
	rows := next(t, c, "SELECT id FROM people")
	exec(t, c, "COMMIT")
	equal(t, "writers held by the rows", db.Stat().Writer.InUse, 1)
	if !rows.Next() {
		t.Error("the second row is gone: ", rows.Err())
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	equal(t, "writers held afterwards", db.Stat().Writer.InUse, 0)
}

func TestHandlesComeAndGoWithoutLosingAnything(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 2})
	handle.SetMaxIdleConns(-1)
	handle.SetConnMaxLifetime(time.Nanosecond)
	exec(t, handle, people)
	s, err := handle.Prepare("SELECT count(*) FROM people")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				var n int
				if err := s.QueryRow().Scan(&n); err != nil || n != 2 {
					t.Error(n, err)
				}
				exec(t, handle, "UPDATE people SET name = name")
				tx := begin(t, handle)
				if err := tx.Stmt(s).QueryRow().Scan(&n); err != nil || n != 2 {
					t.Error(n, err)
				}
				if err := tx.Commit(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	idle(t, db)
}

func TestAPreparedStatementFindsThatTheSchemaHasChanged(t *testing.T) {
	_, handle := open(t, pool.Config{MaxReaders: 1})
	exec(t, handle, people)
	read, err := handle.Prepare("SELECT * FROM people WHERE id = 1")
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	columns := func() string {
		rows, err := read.Query()
		if err != nil {
			return err.Error()
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			if err := rows.Scan(anything(len(names))...); err != nil {
				t.Error(err)
			}
		}
		return strings.Join(names, " ")
	}
	equal(t, "columns", columns(), "id name")
	exec(t, handle, "ALTER TABLE people ADD COLUMN age INTEGER")
	equal(t, "after ADD COLUMN", columns(), "id name age")
	exec(t, handle, "ALTER TABLE people RENAME COLUMN age TO years")
	equal(t, "after RENAME", columns(), "id name years")
	exec(t, handle, "DROP TABLE people")
	if got := columns(); !strings.Contains(got, "no such table") {
		t.Errorf("after DROP: %s", got)
	}
	exec(t, handle, people)
	equal(t, "made again", columns(), "id name")
}

func anything(n int) []any {
	dest := make([]any, n)
	for i := range dest {
		dest[i] = new(any)
	}
	return dest
}

func TestClosingTheHandleLetsWhatIsOpenEnd(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	rows := next(t, handle, "SELECT id FROM people")
	tx := begin(t, handle)
	exec(t, tx, "INSERT INTO people (name) VALUES ('Alan')")
	if err := handle.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := handle.Exec("DELETE FROM people"); err == nil {
		t.Error("a closed *sql.DB takes a statement")
	}
	if !rows.Next() {
		t.Error("the rows have ended: ", rows.Err())
	}
	if err := errors.Join(rows.Close(), tx.Commit()); err != nil {
		t.Error(err)
	}
	idle(t, db)
	again := stdlib.OpenDB(db)
	defer again.Close()
	equal(t, "rows", one[int](t, again, "SELECT count(*) FROM people"), 3)
}

func TestClosingThePoolInterruptsWhatItsHandlesHold(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	tx := begin(t, handle)
	exec(t, tx, "DELETE FROM people")
	var held *pool.HeldError
	if err := db.Close(soon(t)); !errors.As(err, &held) {
		t.Fatalf("Close: %v, want a *pool.HeldError", err)
	}
	if _, err := tx.Exec("DELETE FROM people"); err == nil {
		t.Error("a statement runs after the pool was closed")
	}
	if _, err := handle.Begin(); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("Begin: %v, want lido.ErrClosed", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	if err := db.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestClosingTheHandleClosesThePoolOnRequest(t *testing.T) {
	db, _ := open(t, pool.Config{})
	handle := stdlib.OpenDB(db, stdlib.WithPoolClose(5*time.Second))
	exec(t, handle, people)
	if err := handle.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.AcquireReader(context.Background()); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("the pool: %v, want lido.ErrClosed", err)
	}
}
