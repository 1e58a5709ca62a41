package pool_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido/pool"
)

// One bit of a WAL that no program has open is flipped. The engine leaves out
// what was committed after it; Open says so.
func TestRestingWAL_damageIsLoggedByOpen(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "test.db")
	db := openDBAt(t, path, pool.Config{CheckpointInterval: -1})
	for i := range 10 {
		if err := run(ctx, db, insertItem, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for name, flip := range map[string]bool{"sound": false, "damaged": true} {
		var book logbook
		copied := filepath.Join(t.TempDir(), "copy.db")
		for _, suffix := range []string{"", "-wal"} {
			content, err := os.ReadFile(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if flip && suffix != "" {
				content[len(content)/2] ^= 4
			}
			if err := os.WriteFile(copied+suffix, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		again := openDBAt(t, copied, pool.Config{Logger: book.logger()})
		n := count(t, ctx, again)
		if said := len(book.lines("the WAL is damaged, and commits are lost")) == 1; said != flip || flip == (n == 10) {
			t.Errorf("%s: %d rows, said %v: %q", name, n, said, book.lines())
		}
	}
}
