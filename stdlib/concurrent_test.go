package stdlib_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
	"github.com/lidodb/lido/stdlib"
)

// database/sql lets one call at a time into a transaction, so goroutines may
// share one; the commit holds all their rows.
func TestConcurrentUse_ofATxOfDatabaseSQLIsSerialised(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	tx, err := handle.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if _, err := tx.ExecContext(t.Context(), "INSERT INTO people(name) VALUES(hex(randomblob(16)))"); err != nil {
					t.Error(err)
				}
				rows, err := tx.QueryContext(t.Context(), "SELECT name FROM people LIMIT 3")
				if err != nil {
					t.Error(err)
					return
				}
				for rows.Next() {
					var name string
					if err := rows.Scan(&name); err != nil || name == "" {
						t.Error(name, err)
					}
				}
				if err := errors.Join(rows.Err(), rows.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := handle.QueryRow("SELECT count(*) FROM people").Scan(&n); err != nil || n != 202 {
		t.Error(n, err)
	}
}

// Nothing serialises the connection that Raw hands out.
func TestConcurrentUse_ofARawConnection(t *testing.T) {
	_, handle := open(t, pool.Config{OnConnect: func(_ context.Context, c *sqlite.Conn) error {
		return c.CreateFunction("beside", 0, false, func([]sqlite.Value) (any, error) {
			failed := make(chan error)
			go func() { failed <- c.Exec(context.Background(), "SELECT 1") }()
			if err := <-failed; !errors.Is(err, lido.ErrConcurrentUse) {
				return nil, errors.Join(errors.New("the other call ran"), err)
			}
			return 1, nil
		})
	}})
	conn, err := handle.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Raw(func(driverConn any) error {
		return driverConn.(stdlib.Conn).WithReader(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
			_, err := c.QueryInt64(ctx, "SELECT beside()")
			return err
		})
	}); err != nil {
		t.Error(err)
	}
	var one int
	if err := conn.QueryRowContext(t.Context(), "SELECT 1").Scan(&one); err != nil || one != 1 {
		t.Error(one, err)
	}
}
