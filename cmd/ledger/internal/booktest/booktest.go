// Package booktest opens books for tests.
package booktest

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/gen"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/schema"
	"github.com/lidodb/lido/sqlite"
)

// Open returns empty books on a new file. The cleanup proves the balances,
// the file and its foreign keys, and closes it.
func Open(t testing.TB) (*book.Book, *pool.DB) {
	t.Helper()
	db, err := pool.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), pool.Config{Prepare: schema.Migrate})
	if err != nil {
		t.Fatal(err)
	}
	books := book.New(gen.NewStore(db))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if _, on := spoiled.LoadAndDelete(db); !on && !t.Failed() {
			if _, err := books.Check(ctx); err != nil {
				t.Errorf("the books do not add up after the test: %v", err)
			}
			checkFile(ctx, t, db)
		}
		if err := db.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return books, db
}

func checkFile(ctx context.Context, t testing.TB, db *pool.DB) {
	t.Helper()
	err := db.WithReader(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		if text, err := c.QueryText(ctx, "PRAGMA integrity_check"); err != nil || text != "ok" {
			t.Errorf("integrity_check: %s, %v", text, err)
		}
		if n, err := c.QueryInt64(ctx, "SELECT count(*) FROM pragma_foreign_key_check"); err != nil || n != 0 {
			t.Errorf("foreign_key_check: %d rows, %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Fill declares euros and dollars and the accounts that examples use.
func Fill(t testing.TB, books *book.Book) {
	t.Helper()
	for _, c := range []book.Currency{{Code: "EUR", Digits: 2}, {Code: "USD", Digits: 2}} {
		if err := books.AddCurrency(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"assets:bank:checking", "assets:cash", "expenses:food", "income:salary", "equity:conversion"} {
		if _, err := books.AddAccount(t.Context(), name, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// Draft returns a transaction that moves an amount of euros.
func Draft(t testing.TB, description, from, to, amount string) book.Draft {
	t.Helper()
	in, err := book.ParseDecimal(amount)
	if err != nil {
		t.Fatal(err)
	}
	out, err := book.ParseDecimal("-" + amount)
	if err != nil {
		t.Fatal(err)
	}
	return book.Draft{
		Date: "2025-01-31", Description: description,
		Lines: []book.Line{{Account: to, Amount: in, Currency: "EUR"}, {Account: from, Amount: out, Currency: "EUR"}},
	}
}

// Spoiled says that the test has damaged the books on purpose.
func Spoiled(t testing.TB, db *pool.DB) {
	t.Helper()
	spoiled.Store(db, true)
}

// spoiled holds the databases whose books need not add up.
var spoiled sync.Map
