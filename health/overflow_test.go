package health_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/pool"
)

// A long value lies in a chain of overflow pages: four bytes that name the next
// page, then the value. Of the last page, whose link is zero anyway, zeros are
// a value like any other: the package's doc says that no check sees them.
//
// https://www.sqlite.org/fileformat.html#ovflpgs
func TestZeroedPageOfALongValue_isFoundUnlessItIsTheLast(t *testing.T) {
	const page = 4096
	path := filepath.Join(t.TempDir(), "app.db")
	db := openAt(t, path, pool.Config{})
	exec(t, db, "CREATE TABLE blobs (id INTEGER PRIMARY KEY, b BLOB); INSERT INTO blobs (b) VALUES (randomblob(40000))")
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last, middle := 0, 0
	for at := 2 * page; at < len(sound); at += page {
		damaged := bytes.Clone(sound)
		clear(damaged[at : at+page])
		path := filepath.Join(t.TempDir(), "app.db")
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		status := health.Failed
		if binary.BigEndian.Uint32(sound[at:]) == 0 {
			status = health.OK
			last++
		} else {
			middle++
		}
		db := openAt(t, path, pool.Config{})
		for _, name := range []string{health.QuickCheck, health.IntegrityCheck} {
			if res := run(t, db, health.Config{}, name); res.Status != status {
				t.Errorf("page %d of %d zeroed: %s says %v, want %v: %s", at/page+1, len(sound)/page, name, res.Status, status, res.Reason)
			}
		}
	}
	if last != 1 || middle < 5 {
		t.Errorf("%d last and %d other overflow pages", last, middle)
	}
}
