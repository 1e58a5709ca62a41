package stdlib

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
)

// No statement is known that ends a transaction behind the driver's back; this
// ends it there, between two statements of one text.
func TestATransactionThatHasEndedUnnoticedTakesNoMoreStatements(t *testing.T) {
	ctx := context.Background()
	db, err := pool.Open(ctx, filepath.Join(t.TempDir(), "test.db"), pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{}
	c.connector = &connector{db: db, trace: func(_ context.Context, text string) {
		if text == "SELECT 1" {
			if err := c.held.Rollback(); err != nil {
				t.Error(err)
			}
		}
	}}
	if _, err := c.ExecContext(ctx, "CREATE TABLE t (x)", nil); err != nil {
		t.Fatal(err)
	}
	tx, err := c.BeginTx(ctx, driver.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"SELECT 1; INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"} {
		if _, err := c.ExecContext(ctx, text, nil); !errors.Is(err, lido.ErrClosed) {
			t.Errorf("%s: %v, want lido.ErrClosed", text, err)
		}
	}
	if err := tx.Commit(); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("Commit: %v, want lido.ErrClosed", err)
	}
	if err := db.Close(ctx); err != nil {
		t.Error(err)
	}
}
