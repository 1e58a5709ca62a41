package book_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/gen"
	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/schema"
)

func TestOldBooksKeepTheirAccountsAndBalancesThroughTheMigrations(t *testing.T) {
	db, err := pool.Open(t.Context(), filepath.Join(t.TempDir(), "old.db"), pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := db.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	m, err := migrate.New(db, schema.FS)
	if err != nil {
		t.Fatal(err)
	}
	// Version 1 has no balances, no types and no index for the search.
	if _, err := m.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	err = exec(t, db, `BEGIN;
		INSERT INTO currencies (code, digits) VALUES ('EUR', 2);
		INSERT INTO accounts (id, parent_id, name) VALUES (1, NULL, 'Assets'), (2, 1, 'Assets:Cash'), (3, NULL, 'revenue'), (4, NULL, 'elsewhere');
		INSERT INTO transactions (id, date, description) VALUES (1, '2023-05-01', 'Lemonade stand');
		INSERT INTO postings (transaction_id, line, account_id, currency, amount) VALUES (1, 1, 2, 'EUR', 750), (1, 2, 3, 'EUR', -750);
		UPDATE transactions SET posted = 1;
		COMMIT`)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		store := gen.NewStore(db)
		books := book.New(store)
		if result, err := books.Check(t.Context()); err != nil || result.Transactions != 1 || result.Balances != 2 {
			t.Errorf("check: %+v, %v", result, err)
		}
		accounts, err := store.ListAccounts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		types := map[string]string{}
		for _, a := range accounts {
			types[a.Name] = a.Type
		}
		if len(types) != 4 || types["Assets:Cash"] != book.Asset || types["revenue"] != book.Income || types["elsewhere"] != book.Equity {
			t.Errorf("types: %v", types)
		}
		if found, err := books.Search(t.Context(), "lemon", 5); err != nil || len(found) != 1 {
			t.Errorf("search: %v, %v", found, err)
		}
		// Back to the first version, with the rows in place.
		for range 6 {
			if _, err := m.Down(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
