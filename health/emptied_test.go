package health_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// The engine calls a file of 0 bytes a sound database without tables.
func TestFreshRead_failsForAFileThatWasTruncatedToNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := pool.Open(t.Context(), path, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context()))
	if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, "CREATE TABLE a(b)") }); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{health.FreshRead, health.QuickCheck} {
		res := run(t, db, health.Config{}, name)
		if res.Status != health.Failed || !strings.Contains(res.Reason, "truncated to 0 bytes") || !strings.Contains(res.Remedy, "restore the last verified backup") {
			t.Errorf("%s: %+v", name, res)
		}
	}
}
