package stdlib_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

// A library that wants a *sql.DB gets one over the same pool that typed code
// uses.
func ExampleOpenDB() {
	dir, err := os.MkdirTemp("", "lido")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := pool.Open(ctx, filepath.Join(dir, "app.db"), pool.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close(ctx)

	handle := stdlib.OpenDB(db)
	defer handle.Close()
	if _, err := handle.Exec("CREATE TABLE people (name TEXT UNIQUE); INSERT INTO people VALUES (?)", "Ada"); err != nil {
		log.Fatal(err)
	}
	_, err = handle.Exec("INSERT INTO people VALUES (?)", "Ada")
	fmt.Println("twice:", errors.Is(err, lido.ErrUnique))

	var n int
	if err := handle.QueryRow("SELECT count(*) FROM people").Scan(&n); err != nil {
		log.Fatal(err)
	}
	fmt.Println("people:", n)
	// Output:
	// twice: true
	// people: 1
}
