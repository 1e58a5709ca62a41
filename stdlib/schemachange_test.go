package stdlib_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

const relatives = `CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (10, 1), (20, 2)`

func begin(t testing.TB, handle *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := handle.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func TestASchemaChangeKeepsRowsAndChecksForeignKeysBeforeItCommits(t *testing.T) {
	_, handle := open(t, pool.Config{}, stdlib.WithSchemaChanges())
	exec(t, handle, relatives)

	tx := begin(t, handle)
	exec(t, tx, `CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT);
		INSERT INTO new (id) SELECT id FROM parent;
		DROP TABLE parent;
		ALTER TABLE new RENAME TO parent`)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	equal(t, "children", one[int](t, handle, "SELECT count(*) FROM child"), 2)
	equal(t, "foreign_keys", one[int](t, handle, "PRAGMA foreign_keys"), 1)

	tx = begin(t, handle)
	exec(t, tx, "DELETE FROM parent")
	err := tx.Commit()
	if !errors.Is(err, lido.ErrForeignKey) || !strings.Contains(err.Error(), "2 rows of child refer to a row of parent that does not exist (first: row 10)") {
		t.Errorf("Commit: %v, want lido.ErrForeignKey and the row", err)
	}
	equal(t, "parents", one[int](t, handle, "SELECT count(*) FROM parent"), 2)
}

func TestASchemaChangeFailsOnlyForForeignKeysThatItBreaks(t *testing.T) {
	_, handle := open(t, pool.Config{}, stdlib.WithSchemaChanges())
	exec(t, handle, relatives)
	c := session(t, handle)
	exec(t, c, "PRAGMA foreign_keys = OFF")
	exec(t, c, "DELETE FROM parent WHERE id = 1")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	tx := begin(t, handle)
	exec(t, tx, "CREATE TABLE innocent (x)")
	if err := tx.Commit(); err != nil {
		t.Errorf("a change beside an orphan: %v", err)
	}
	tx = begin(t, handle)
	exec(t, tx, "UPDATE child SET parent_id = 77")
	if err := tx.Commit(); !errors.Is(err, lido.ErrForeignKey) || !strings.Contains(err.Error(), "2 rows of child") {
		t.Errorf("a change that makes orphans: %v", err)
	}
	// A change that repairs it goes through.
	tx = begin(t, handle)
	exec(t, tx, "DELETE FROM child WHERE parent_id NOT IN (SELECT id FROM parent)")
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
}

func TestTraceSeesEveryStatementInItsOrder(t *testing.T) {
	var seen []string
	_, handle := open(t, pool.Config{}, stdlib.WithTrace(func(_ context.Context, sql string) { seen = append(seen, sql) }))
	exec(t, handle, "CREATE TABLE t (x); INSERT INTO t VALUES (?)", 1)
	tx := begin(t, handle)
	equal(t, "x", one[int](t, tx, "SELECT x FROM t"), 1)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, handle).Rollback(); err != nil {
		t.Fatal(err)
	}
	equal(t, "statements", strings.Join(seen, "; "),
		"CREATE TABLE t (x); INSERT INTO t VALUES (?); BEGIN IMMEDIATE; SELECT x FROM t; COMMIT; BEGIN IMMEDIATE; ROLLBACK")
}

func TestGooseItselfRunsOnTheHandle(t *testing.T) {
	_, handle := open(t, pool.Config{MaxReaders: 1})
	fsys := fstest.MapFS{
		"1_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (x);\n-- +goose Down\nDROP TABLE a;\n")},
		"2_b.sql": {Data: []byte("-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE b (x);\nVACUUM;\n-- +goose Down\nDROP TABLE b;\n")},
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, handle, fsys)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if res, err := p.Up(ctx); err != nil || len(res) != 2 {
		t.Fatalf("Up: %v, %v", res, err)
	}
	status, err := p.Status(ctx)
	if err != nil || len(status) != 2 || status[1].State != goose.StateApplied || status[1].AppliedAt.IsZero() {
		t.Errorf("Status: %+v, %v", status, err)
	}
	if _, err := p.DownTo(ctx, 0); err != nil {
		t.Errorf("DownTo: %v", err)
	}
	if v, err := p.GetDBVersion(ctx); v != 0 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
}
