package migrate_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// openBroken opens a database whose foreign keys were off until now: an orphan,
// a reference to columns without a unique index, and one to a table that is
// gone. It has no table of migrations.
func openBroken(t *testing.T) *pool.DB {
	t.Helper()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "broken.db")
	c, err := sqlite.Open(ctx, path, sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Exec(ctx, `CREATE TABLE nodes (num INTEGER, source TEXT, PRIMARY KEY (num, source)); INSERT INTO nodes VALUES (1, 'a');
		CREATE TABLE messages (id INTEGER PRIMARY KEY, node INTEGER REFERENCES nodes (num)); INSERT INTO messages VALUES (1, 1);
		CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
		CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER REFERENCES p (id)); INSERT INTO c VALUES (1, 99), (2, 1);
		CREATE TABLE g (x REFERENCES gone (x)); INSERT INTO g VALUES (1)`)
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := pool.Open(ctx, path, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestForeignKeys_thatWereBrokenBeforeDoNotMakeAMigrationFail(t *testing.T) {
	for name, sql := range map[string]string{
		"unrelated":            "CREATE TABLE other (id INTEGER PRIMARY KEY);",
		"removes the orphan":   "DELETE FROM c WHERE p_id NOT IN (SELECT id FROM p);",
		"mends the mismatch":   "CREATE UNIQUE INDEX nodes_num ON nodes (num);",
		"rebuilds the child":   "CREATE TABLE m2 (id INTEGER PRIMARY KEY, node INTEGER); INSERT INTO m2 SELECT id, node FROM messages; DROP TABLE messages; ALTER TABLE m2 RENAME TO messages;",
		"renames the child":    "ALTER TABLE c RENAME TO d;",
		"adds a column":        "ALTER TABLE c ADD COLUMN note TEXT;",
		"makes the table gone": "CREATE TABLE gone (x PRIMARY KEY); INSERT INTO gone VALUES (1);",
	} {
		t.Run(name, func(t *testing.T) {
			db := openBroken(t)
			fsys := fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\n" + sql + "\n-- +goose Down\nSELECT 1;\n")}}
			res, err := migrate.Up(context.Background(), db, fsys)
			if err != nil || res.To != 1 {
				t.Fatalf("version %d, %v", res.To, err)
			}
		})
	}
}

func TestForeignKeys_thatAMigrationBreaksBesideBrokenOnesRollItBack(t *testing.T) {
	for name, c := range map[string]struct{ sql, want string }{
		"another orphan": {"DELETE FROM p WHERE id = 1;", "1 row of c refers to a row of p that does not exist (first: row 2)"},
		"one for one":    {"UPDATE c SET p_id = 98 WHERE id = 1;", "1 row of c refers to a row of p that does not exist (first: row 1)"},
		"a mismatch":     {"CREATE TABLE n (x REFERENCES c (p_id));", "foreign key mismatch: c has no unique index on exactly the columns of n (x) -> c (p_id)"},
		"a parent":       {"DROP TABLE p;", "c refers to the table p, which does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			db := openBroken(t)
			fsys := fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\n" + c.sql + "\n")}}
			_, err := migrate.Up(context.Background(), db, fsys)
			var partial *migrate.PartialError
			if !errors.As(err, &partial) || !errors.Is(err, lido.ErrForeignKey) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			same(t, "orphans", query(t, db, "SELECT * FROM c"), []string{"1,99", "2,1"})
		})
	}
}
