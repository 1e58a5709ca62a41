package pool_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

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

func TestWhatABorrowerHasSetDoesNotMeetTheNext(t *testing.T) {
	db := openDB(t, pool.Config{})
	if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		c.LimitTime(time.Nanosecond)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, manyItemsUpTo, "5000") }); err != nil {
		t.Errorf("a time limit: %v", err)
	}

	part := &lido.Query{Name: "InsertPart", SQL: "INSERT INTO part VALUES('nosuch')", Writes: []string{"part"}}
	if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "CREATE TABLE part(item TEXT REFERENCES item(name)); PRAGMA defer_foreign_keys=ON")
	}); err != nil {
		t.Fatal(err)
	}
	_ = db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
		if err := run(ctx, tx, part); !errors.Is(err, lido.ErrForeignKey) {
			t.Errorf("deferred foreign keys: %v", err)
		}
		return nil
	})

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hooked := openWithHook(t, cancel)
	if err := hooked.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		c.ShieldWrites(true)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, hooked, hookAndMany); !errors.Is(err, lido.ErrInterrupted) {
		t.Errorf("a shield: %v", err)
	}
}

func TestAFunctionThatABorrowerHasMadeDoesNotMeetTheNext(t *testing.T) {
	db := openDB(t, pool.Config{})
	if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.CreateFunction("lower", 1, true, func([]sqlite.Value) (any, error) { return "not the engine's", nil })
	}); err != nil {
		t.Fatal(err)
	}
	lower := &lido.Query{Name: "Lower", SQL: "INSERT INTO item(name) VALUES(lower(?1))", Writes: []string{"item"}}
	if err := run(t.Context(), db, lower, "A"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, db, "a")
}
