package pool_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// What a borrower sets on its connection neither takes from the pool what it
// hears, nor stays for the next.
func TestABorrowerDoesNotDisturbThePoolsHooks(t *testing.T) {
	asked := 0
	db := openDB(t, pool.Config{OnConnect: func(_ context.Context, c *sqlite.Conn) error {
		c.SetAuthorizer(func(sqlite.Action, string, string, string, string) sqlite.Auth { asked++; return sqlite.AuthOK })
		return nil
	}})
	heard := hear(db)
	theirs := 0
	deny := func(sqlite.Action, string, string, string, string) sqlite.Auth { theirs++; return sqlite.AuthDeny }
	for name, disturb := range map[string]func(c *sqlite.Conn){
		"OnEnding(nil)":      func(c *sqlite.Conn) { c.OnEnding(nil) },
		"OnEnding":           func(c *sqlite.Conn) { c.OnEnding(func(sqlite.Ending) { theirs++ }) },
		"SetAuthorizer(nil)": func(c *sqlite.Conn) { c.SetAuthorizer(nil) },
		"SetAuthorizer":      func(c *sqlite.Conn) { c.SetAuthorizer(deny) },
		"DenyControl":        func(c *sqlite.Conn) { c.DenyControl(false) },
		"ShieldWrites":       func(c *sqlite.Conn) { c.ShieldWrites(true) },
		"LimitTime":          func(c *sqlite.Conn) { c.LimitTime(time.Nanosecond) },
		"Interrupt":          func(c *sqlite.Conn) { c.Interrupt() },
	} {
		t.Run(name, func(t *testing.T) {
			*heard = nil
			before := db.Stat()
			err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
				err := c.Exec(ctx, "BEGIN; INSERT INTO item(name) VALUES('a')")
				if name == "OnEnding(nil)" || name == "OnEnding" {
					disturb(c)
				}
				err = errors.Join(err, c.Exec(ctx, "COMMIT; DELETE FROM item"))
				disturb(c)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			theirs, asked = 0, 0
			if err := run(t.Context(), db, &lido.Query{Name: name, SQL: "INSERT INTO item(name) VALUES('" + name + "')", Writes: []string{"item"}}); err != nil {
				t.Error(err)
			}
			err = db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
				if err := run(ctx, tx, &lido.Query{SQL: "COMMIT"}); err == nil {
					t.Error("a closure ended its transaction")
				}
				return run(ctx, tx, &lido.Query{Name: name, SQL: "DELETE FROM item"})
			})
			if err != nil {
				t.Error(err)
			}
			if theirs != 0 || asked == 0 {
				t.Errorf("the borrower's was called %d times afterwards, OnConnect's %d times", theirs, asked)
			}
			after := db.Stat()
			if w, c := after.Writes-before.Writes, after.Commits-before.Commits; w != 4 || c != 4 {
				t.Errorf("%d writes, %d commits", w, c)
			}
			if !slices.Equal(*heard, []string{"item", "item", "item", "item"}) {
				t.Errorf("told of %q", *heard)
			}
			if after.Writer.Created != 1 {
				t.Errorf("%d writers", after.Writer.Created)
			}
		})
	}
}
