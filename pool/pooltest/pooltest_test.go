package pooltest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fiftyTables is a schema of fifty tables, each with an index and a reference.
func fiftyTables() fstest.MapFS {
	var b strings.Builder
	b.WriteString("-- +goose Up\n")
	for i := range 50 {
		fmt.Fprintf(&b, "CREATE TABLE t%d (id INTEGER PRIMARY KEY, name TEXT NOT NULL, parent INTEGER REFERENCES t%d(id));\nCREATE INDEX t%d_name ON t%d(name);\n", i, max(i-1, 0), i, i)
	}
	return fstest.MapFS{"00001_tables.sql": {Data: []byte(b.String())}}
}

func TestEveryTestGetsAMigratedDatabaseOfItsOwn(t *testing.T) {
	for range 3 {
		db := pooltest.Open(t, fiftyTables())
		err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
			if n, err := c.QueryInt64(ctx, "SELECT count(*) FROM sqlite_schema WHERE name GLOB 't[0-9]*' AND type = 'table'"); n != 50 || err != nil {
				t.Error(n, err)
			}
			if n, err := c.QueryInt64(ctx, "SELECT count(*) FROM t0"); n != 0 || err != nil {
				t.Error(n, err)
			}
			return c.Exec(ctx, "INSERT INTO t0(name) VALUES('mine')")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// witness is a testing.TB that notes failures instead of failing.
type witness struct {
	testing.TB
	cleanups []func()
	failures []string
}

func (w *witness) Helper()                   {}
func (w *witness) TempDir() string           { return w.TB.TempDir() }
func (w *witness) Cleanup(fn func())         { w.cleanups = append(w.cleanups, fn) }
func (w *witness) Errorf(f string, a ...any) { w.failures = append(w.failures, fmt.Sprintf(f, a...)) }
func (w *witness) Fatalf(f string, a ...any) {
	w.Errorf(f, a...)
	panic("fatal")
}
func (w *witness) end() string {
	for _, fn := range w.cleanups {
		fn()
	}
	return strings.Join(w.failures, "\n")
}

func TestTheCleanupFailsATestThatLeavesSomethingBehind(t *testing.T) {
	damage := func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "PRAGMA foreign_keys=OFF; INSERT INTO t1(name, parent) VALUES('orphan', 99)")
	}
	for name, c := range map[string]struct {
		leave func(ctx context.Context, w *witness) error
		want  string
	}{
		"nothing": {func(ctx context.Context, w *witness) error { return nil }, ""},
		"a broken reference": {func(ctx context.Context, w *witness) error {
			return pooltest.Open(w, fiftyTables()).WithWriter(ctx, damage)
		}, "foreign_key_check: t1 row 1 refers to a missing t0"},
		"a statement": {func(ctx context.Context, w *witness) error {
			s, err := pooltest.Open(w, fiftyTables()).PrepareRead(ctx, &lido.Query{Name: "Leaked", SQL: "SELECT 1", ReadOnly: true})
			t.Cleanup(func() { _ = s.Close() })
			return err
		}, "Leaked"},
	} {
		w := &witness{TB: t}
		if c.want == "" {
			pooltest.Open(w, fiftyTables())
		}
		if err := c.leave(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if got := w.end(); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: the cleanup says %q, want %q", name, got, c.want)
		}
	}
}

func BenchmarkOpenFiftyTables(b *testing.B) {
	schema := fiftyTables()
	for b.Loop() {
		db := pooltest.Open(b, schema)
		if err := db.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
