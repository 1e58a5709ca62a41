package migrate_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
)

// A program migrates in Config.Prepare, and drops the Result there: what ran
// stands in its log, the backup before it too.
func TestMigrations_areLoggedAtTheStartOfAProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	start := func(names ...string) string {
		t.Helper()
		var logged bytes.Buffer
		db, err := pool.Open(t.Context(), path, pool.Config{
			Logger: slog.New(slog.NewTextHandler(&logged, nil)),
			Prepare: func(ctx context.Context, db *pool.DB) error {
				_, err := migrate.Up(ctx, db, files(names...), migrate.WithBackup(func(context.Context) error { return nil }))
				return err
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		return logged.String()
	}
	want := func(log string, parts ...string) {
		t.Helper()
		lines := strings.Split(strings.TrimSpace(log), "\n")
		if log == "" {
			lines = nil
		}
		if len(lines) != len(parts) {
			t.Fatalf("%d lines, want %d:\n%s", len(lines), len(parts), log)
		}
		for i, part := range parts {
			if !strings.Contains(lines[i], part) {
				t.Errorf("line %d does not hold %q: %s", i, part, lines[i])
			}
		}
	}
	want(start("00001_parents.sql", parents),
		`msg="migrations pending"`, `msg="migration applied" path=`+path+` migration=00001_parents.sql direction=up`)
	want(start("00001_parents.sql", parents))
	want(start("00001_parents.sql", parents, "00002_children.sql", children),
		`from=1 to=2 count=1`, `msg="backed up before migrating"`, `migration=00002_children.sql`)
}
