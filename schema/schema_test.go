package schema_test

import (
	"context"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryMigrationRunsUpDownAndUpAgain(t *testing.T) {
	ctx := context.Background()
	db, err := pool.Open(ctx, filepath.Join(t.TempDir(), "ledger.db"), pool.Config{Prepare: schema.Migrate})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	m, err := migrate.New(db, schema.FS)
	if err != nil {
		t.Fatal(err)
	}
	st, err := m.Status(ctx)
	if err != nil || st.Pending() != 0 {
		t.Fatalf("after Migrate: %+v, %v", st, err)
	}
	for range st.Migrations {
		if _, err := m.Down(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Up(ctx); err != nil {
		t.Fatal(err)
	}
}
