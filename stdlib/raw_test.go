package stdlib_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
	"github.com/lidodb/lido/stdlib"
)

// withWriter calls fn with the connection below c.
func withWriter(c *sql.Conn, fn func(ctx context.Context, c *sqlite.Conn) error) error {
	return c.Raw(func(driverConn any) error {
		return driverConn.(stdlib.Conn).WithWriter(context.Background(), fn)
	})
}

func withReader(c *sql.Conn, fn func(ctx context.Context, c *sqlite.Conn) error) error {
	return c.Raw(func(driverConn any) error {
		return driverConn.(stdlib.Conn).WithReader(context.Background(), fn)
	})
}

func TestRawLendsAConnectionForOneCall(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	c := session(t, handle)
	defer c.Close()
	if err := c.Raw(func(driverConn any) error {
		if driverConn.(stdlib.Conn).Pool() != db {
			t.Error("another pool")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := withReader(c, func(ctx context.Context, c *sqlite.Conn) error {
		equal(t, "readers held", db.Stat().Readers.InUse, 1)
		if err := c.Exec(ctx, "DELETE FROM people"); !errors.Is(err, lido.ErrReadOnly) {
			t.Errorf("a write on a reader: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	if err := withWriter(c, func(ctx context.Context, c *sqlite.Conn) error {
		equal(t, "writers held", db.Stat().Writer.InUse, 1)
		return errors.Join(c.Exec(ctx, "INSERT INTO people (name) VALUES ('Alan')"), failed)
	}); !errors.Is(err, failed) {
		t.Errorf("error %v, want that of the function", err)
	}
	st := db.Stat()
	equal(t, "held afterwards", st.Readers.InUse+st.Writer.InUse, 0)
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 3)
}

func TestRawLendsTheConnectionOfATransaction(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	c := session(t, handle)
	defer c.Close()
	ctx := context.Background()
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "DELETE FROM people WHERE id = 1")
	for name, with := range map[string]func(*sql.Conn, func(context.Context, *sqlite.Conn) error) error{"WithWriter": withWriter, "WithReader": withReader} {
		if err := with(c, func(ctx context.Context, c *sqlite.Conn) error {
			n, err := c.QueryInt64(ctx, "SELECT count(*) FROM people")
			equal(t, name+": rows in the transaction", n, 1)
			return err
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What ends the transaction below is not lost on the *sql.Tx.
	if err := withWriter(c, func(_ context.Context, c *sqlite.Conn) error { return c.Rollback() }); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("DELETE FROM people"); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("Exec: %v, want lido.ErrClosed", err)
	}
	if err := withWriter(c, func(context.Context, *sqlite.Conn) error { return nil }); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("WithWriter: %v, want lido.ErrClosed", err)
	}
	if err := tx.Commit(); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("Commit: %v, want lido.ErrClosed", err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 2)

	ro, err := c.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := withWriter(c, func(context.Context, *sqlite.Conn) error { return nil }); !errors.Is(err, lido.ErrReadOnly) {
		t.Errorf("WithWriter in a read-only transaction: %v, want lido.ErrReadOnly", err)
	}
	if err := ro.Commit(); err != nil {
		t.Error(err)
	}
	equal(t, "writers held", db.Stat().Writer.InUse, 0)
}

func TestWhatRawLeavesBehindStaysWithItsConn(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	c := session(t, handle)
	if err := withWriter(c, func(ctx context.Context, c *sqlite.Conn) error {
		return errors.Join(c.Exec(ctx, "PRAGMA foreign_keys = OFF"), c.Begin(ctx, sqlite.Immediate))
	}); err != nil {
		t.Fatal(err)
	}
	equal(t, "writers held", db.Stat().Writer.InUse, 1)
	// What was begun below and is lost is treated as if SQL had begun it.
	if _, err := c.ExecContext(context.Background(), "INSERT OR ROLLBACK INTO people (name) VALUES ('Ada')"); !errors.Is(err, lido.ErrUnique) {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(context.Background(), "DELETE FROM people"); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("after the engine has rolled back: %v, want lido.ErrClosed", err)
	}
	if err := withWriter(c, func(context.Context, *sqlite.Conn) error { return nil }); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("below: %v, want lido.ErrClosed", err)
	}
	exec(t, c, "ROLLBACK")
	equal(t, "foreign_keys", one[int](t, c, "PRAGMA foreign_keys"), 0)
	exec(t, c, "BEGIN; DELETE FROM people; COMMIT")
	if err := withWriter(c, func(ctx context.Context, c *sqlite.Conn) error {
		n, err := c.QueryInt64(ctx, "PRAGMA foreign_keys")
		equal(t, "foreign_keys below", n, 0)
		return err
	}); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "writers held after Close", db.Stat().Writer.InUse, 0)
	equal(t, "foreign_keys afterwards", one[int](t, handle, "PRAGMA foreign_keys"), 1)
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 0)
}

func TestRawGivesTheConnectionBackWhenItsFunctionPanics(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	c := session(t, handle)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		_ = withWriter(c, func(ctx context.Context, c *sqlite.Conn) error {
			if err := errors.Join(c.Begin(ctx, sqlite.Immediate), c.Exec(ctx, "DELETE FROM people")); err != nil {
				t.Error(err)
			}
			panic("in the middle")
		})
	}()
	c.Close() // database/sql has closed it already
	equal(t, "writers held", db.Stat().Writer.InUse, 0)
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 2)
}

func TestRawOfAReadOnlyPoolLendsReadersOnly(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	path := db.Path()
	if err := db.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, readOnly := openPath(t, path, pool.Config{ReadOnly: true})
	c := session(t, readOnly)
	defer c.Close()
	if err := withWriter(c, func(context.Context, *sqlite.Conn) error { return nil }); !errors.Is(err, lido.ErrReadOnly) {
		t.Errorf("WithWriter: %v, want lido.ErrReadOnly", err)
	}
	if err := withReader(c, func(ctx context.Context, c *sqlite.Conn) error {
		n, err := c.QueryInt64(ctx, "SELECT count(*) FROM people")
		equal(t, "rows", n, 2)
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestAConnUsedInRawIsReleasedWithItsStatementsLeftOpen(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	c := session(t, handle)
	defer c.Close()
	if err := withReader(c, func(ctx context.Context, c *sqlite.Conn) error {
		_, err := c.Prepare(ctx, "SELECT * FROM people")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	equal(t, "readers held", db.Stat().Readers.InUse, 0)
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 2)
}
