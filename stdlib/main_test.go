package stdlib_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a database, and the two handles on it. When the test ends nothing
// may be held, and closing must not have to wait.
func open(t testing.TB, cfg pool.Config, opts ...stdlib.Option) (*pool.DB, *sql.DB) {
	t.Helper()
	return openPath(t, filepath.Join(t.TempDir(), "test.db"), cfg, opts...)
}

func openPath(t testing.TB, path string, cfg pool.Config, opts ...stdlib.Option) (*pool.DB, *sql.DB) {
	t.Helper()
	db, err := pool.Open(context.Background(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	handle := stdlib.OpenDB(db, opts...)
	t.Cleanup(func() {
		if err := handle.Close(); err != nil {
			t.Errorf("close the *sql.DB: %v", err)
		}
		if st := db.Stat(); st.Readers.InUse != 0 || st.Writer.InUse != 0 {
			t.Errorf("%d readers and %d writers are still held", st.Readers.InUse, st.Writer.InUse)
		}
		if err := db.Close(context.Background()); err != nil {
			t.Errorf("close the pool: %v", err)
		}
	})
	return db, handle
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func exec(t testing.TB, on execer, query string, args ...any) sql.Result {
	t.Helper()
	res, err := on.ExecContext(context.Background(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return res
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func one[T any](t testing.TB, on queryer, query string, args ...any) T {
	t.Helper()
	var v T
	if err := on.QueryRowContext(context.Background(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
