package lido_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/lidodb/lido/gen"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/schema"
)

// README.md shows this function; a test keeps the two the same.

func addAccounts(ctx context.Context, path string) (err error) {
	db, err := pool.Open(ctx, path, pool.Config{Prepare: schema.Migrate})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(ctx)) }()

	store := gen.NewStore(db)
	err = store.Write(ctx, func(ctx context.Context, q *gen.Queries) error { // both or neither
		for _, kind := range []string{"asset", "expense"} {
			arg := gen.CreateAccountParams{Name: kind + "s", Type: kind, CreatedAt: time.Now()}
			if _, err := q.CreateAccount(ctx, arg); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil { // lido.ErrUnique, under errors.Is, if one of them exists
		return err
	}
	account, err := store.GetAccountByName(ctx, "expenses") // on a reader, beside any writer
	fmt.Println(account.ID, account.Name, account.Type)
	return err
}

func Example() {
	dir, err := os.MkdirTemp("", "lido-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := addAccounts(context.Background(), filepath.Join(dir, "ledger.db")); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2 expenses expense
}
