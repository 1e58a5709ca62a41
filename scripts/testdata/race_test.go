package main

// What a program does with its database, for "go test -race ./..." without
// flags: new-module.sh copies this file into the module that lido init has laid.
// The detector and checkptr then see the engine too, with every address that
// Lido gives to it.

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"

	"example.com/shop/gen"
	"example.com/shop/schema"
)

const (
	writers = 8
	each    = 25
	readers = 3
)

func TestRace_single_writes_beside_readers_in_a_file(t *testing.T) {
	writeAndRead(t, pooltest.Open(t, schema.FS))
}

func TestRace_single_writes_beside_readers_in_memory(t *testing.T) {
	writeAndRead(t, pooltest.OpenMemory(t, schema.FS))
}

func TestRace_single_writes_beside_readers_of_a_file_that_is_not_mapped(t *testing.T) {
	writeAndRead(t, pooltest.Open(t, schema.FS, pool.Config{MmapBytes: -1}))
}

func TestRace_a_backup_beside_writers(t *testing.T) {
	dir := t.TempDir()
	store := backup.NewDirStore(filepath.Join(dir, "backups"))
	saver, err := backup.New(backup.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	db := pooltest.OpenPath(t, filepath.Join(dir, "items.db"), pool.Config{
		Prepare:  schema.Migrate,
		Services: []pool.Service{saver},
	})
	var backups sync.WaitGroup
	backups.Go(func() {
		if _, err := saver.Backup(t.Context()); err != nil {
			t.Errorf("backup: %v", err)
		}
	})
	writeAndRead(t, db)
	backups.Wait()

	made, err := saver.Backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(dir, "restored.db")
	if _, err := backup.Restore(t.Context(), store, made.Manifest.ID, restored, backup.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	items, err := gen.NewStore(pooltest.OpenPath(t, restored)).ListItems(t.Context())
	if err != nil || len(items) != writers*each {
		t.Errorf("the restored backup has %d items, %v; want %d", len(items), err, writers*each)
	}
}

// writeAndRead has many goroutines write one item at a time, which share commits,
// beside readers that must find the items in the order of their ids, each once.
func writeAndRead(t *testing.T, db *pool.DB) {
	t.Helper()
	store := gen.NewStore(db)
	written, stop := context.WithCancel(t.Context())
	var reading, writing sync.WaitGroup
	for range readers {
		reading.Go(func() {
			for seen := 0; written.Err() == nil; {
				items, err := store.ListItems(t.Context())
				if err != nil || len(items) < seen {
					t.Errorf("read %d items after %d, %v", len(items), seen, err)
					return
				}
				seen = len(items)
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				arg := gen.CreateItemParams{Name: strconv.Itoa(w) + "/" + strconv.Itoa(i), CreatedAt: time.Now()}
				item, err := store.CreateItem(t.Context(), arg)
				if err != nil {
					t.Errorf("create %s: %v", arg.Name, err)
					return
				}
				if n, err := store.FinishItem(t.Context(), item.ID); err != nil || n != 1 {
					t.Errorf("finish %s: %d, %v", arg.Name, n, err)
				}
			}
		})
	}
	writing.Wait()
	stop()
	reading.Wait()

	if err := db.WithWriter(t.Context(), bindEmpty); err != nil {
		t.Error(err)
	}
	items, err := store.ListItems(t.Context())
	if err != nil || len(items) != writers*each {
		t.Errorf("%d items, %v; want %d", len(items), err, writers*each)
	}
}

// bindEmpty binds values of no bytes, which have an address all the same.
func bindEmpty(ctx context.Context, c *sqlite.Conn) error {
	s, err := c.Prepare(ctx, "SELECT ?1, ?2")
	if err != nil {
		return err
	}
	s.BindText(1, "")
	s.BindBlob(2, []byte{})
	_, err = s.Step()
	return errors.Join(err, s.Close())
}
