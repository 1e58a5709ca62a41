package migrate_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
)

// A program embeds its migrations and applies them when it opens the database.
func ExampleUp() {
	dir, err := os.MkdirTemp("", "lido")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	fsys := fstest.MapFS{ // in a program: //go:embed *.sql
		"00001_accounts.sql": {Data: []byte("-- +goose Up\nCREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n")},
		"00002_unique.sql":   {Data: []byte("-- +goose Up\nCREATE UNIQUE INDEX accounts_name ON accounts (name);\n")},
	}
	ctx := context.Background()
	db, err := pool.Open(ctx, filepath.Join(dir, "app.db"), pool.Config{
		Prepare: func(ctx context.Context, db *pool.DB) error {
			res, err := migrate.Up(ctx, db, fsys)
			for _, step := range res.Applied {
				fmt.Println(step.Direction, step.Name)
			}
			fmt.Printf("version %d -> %d\n", res.From, res.To)
			return err
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// up 00001_accounts.sql
	// up 00002_unique.sql
	// version 0 -> 2
}
