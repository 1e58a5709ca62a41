package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

// files makes a file system of name, content pairs.
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

func open(t testing.TB, path string) *pool.DB {
	t.Helper()
	db, err := pool.Open(context.Background(), path, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func openNew(t testing.TB) *pool.DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "test.db"))
}

// query returns every row of a query as text, the values joined by commas.
func query(t testing.TB, db *pool.DB, text string, args ...any) []string {
	t.Helper()
	handle := stdlib.OpenDB(db)
	defer handle.Close()
	out, err := readAll(handle, text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

func readAll(handle *sql.DB, text string, args ...any) (out []string, err error) {
	rows, err := handle.Query(text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		parts := make([]string, len(columns))
		for i, v := range values {
			parts[i] = fmt.Sprint(*v.(*any))
		}
		out = append(out, strings.Join(parts, ","))
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

func run(t testing.TB, db *pool.DB, text string, args ...any) {
	t.Helper()
	handle := stdlib.OpenDB(db)
	defer handle.Close()
	if _, err := handle.Exec(text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// contents returns everything the file holds that migrations answer for: what
// a failed one must not change.
func contents(t testing.TB, db *pool.DB) string {
	t.Helper()
	out := query(t, db, `SELECT type, name, sql FROM sqlite_schema ORDER BY name`)
	for _, name := range query(t, db, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence' ORDER BY name`) {
		if name == "goose_db_version" {
			out = append(out, query(t, db, `SELECT version_id FROM goose_db_version ORDER BY id`)...)
			continue
		}
		out = append(out, name)
		out = append(out, query(t, db, `SELECT * FROM `+name)...)
	}
	return strings.Join(out, "\n")
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}
