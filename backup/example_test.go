package backup_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	store := backup.NewDirStore(filepath.Join(dir, "backups"))
	service, err := backup.New(backup.Config{
		Store:    store,
		Interval: 6 * time.Hour,
		Keep:     backup.Keep{Count: 8, Age: 30 * 24 * time.Hour},
	})
	if err != nil {
		log.Fatal(err)
	}
	db, err := pool.Open(ctx, filepath.Join(dir, "notes.db"), pool.Config{Services: []pool.Service{service}})
	if err != nil {
		log.Fatal(err)
	}
	err = db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "CREATE TABLE note(text TEXT); INSERT INTO note VALUES ('buy bread');")
	})
	if err != nil {
		log.Fatal(err)
	}

	// The schedule makes backups by itself; this one is made at once.
	res, err := service.Backup(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("verified:", res.Manifest.Database.Name, res.Manifest.Database.PageCount, "pages")
	if err := db.Close(ctx); err != nil {
		log.Fatal(err)
	}

	restored := filepath.Join(dir, "restored.db")
	if _, err := backup.Restore(ctx, store, res.Manifest.ID, restored, backup.RestoreOptions{}); err != nil {
		log.Fatal(err)
	}
	_, err = backup.Restore(ctx, store, res.Manifest.ID, restored, backup.RestoreOptions{})
	fmt.Println("again:", err != nil)
	// Output:
	// verified: notes.db 2 pages
	// again: true
}
