package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/lidodb/lido/migrate"
)

const unfinished = "-- +goose NO TRANSACTION\n-- +goose Up\nBEGIN;\nCREATE TABLE lost (x);\n"

func TestWhatRanAndWasNotCommittedIsNotCalledApplied(t *testing.T) {
	const late = "-- +goose Up\nCREATE TABLE late (x);\n"
	for name, c := range map[string]struct {
		files []string
		to    int64
		left  int
	}{
		"alone":          {[]string{"00001_lost.sql", unfinished}, 0, 0},
		"after another":  {[]string{"00001_a.sql", late, "00002_lost.sql", unfinished}, 1, 0},
		"before another": {[]string{"00001_lost.sql", unfinished, "00002_late.sql", late}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			db := openNew(t)
			res, err := migrate.Up(context.Background(), db, files(c.files...), migrate.WithUnsafeNoTransaction())
			var partial *migrate.PartialError
			if !errors.Is(err, migrate.ErrNotCommitted) || !errors.As(err, &partial) || !strings.Contains(err.Error(), "lost.sql") {
				t.Fatalf("error %v, want ErrNotCommitted", err)
			}
			if res.To != c.to || len(res.Applied) != int(c.to) || len(partial.Applied) != int(c.to) {
				t.Errorf("result %+v", res)
			}
			if len(partial.Pending) != c.left || len(res.Pending) != c.left+1 {
				t.Errorf("pending: %v in the error, %v in the result", partial.Pending, res.Pending)
			}
			version, err := migrator(t, db, files(c.files...)).Version(context.Background())
			if err != nil || version != c.to {
				t.Errorf("version %d, %v; want %d", version, err, c.to)
			}
			same(t, "tables", query(t, db, "SELECT name FROM sqlite_schema WHERE name = 'lost'"), []string(nil))
		})
	}
}

func TestWhatWasUndoneWithoutACommitIsStillApplied(t *testing.T) {
	db := openNew(t)
	fsys := files("00001_a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE a (x);\n-- +goose Down\nBEGIN;\nDROP TABLE a;\n")
	up(t, db, fsys, migrate.WithUnsafeNoTransaction())
	res, err := migrator(t, db, fsys, migrate.WithUnsafeNoTransaction()).Down(context.Background())
	if !errors.Is(err, migrate.ErrNotCommitted) || res.To != 1 || len(res.Applied) != 0 {
		t.Errorf("%+v, %v; want ErrNotCommitted", res, err)
	}
	same(t, "tables", query(t, db, "SELECT name FROM sqlite_schema WHERE name = 'a'"), []string{"a"})
}

// Old versions of goose recorded an undone migration as a row of its own.
func TestTheLastRowOfAVersionSaysWhetherItIsApplied(t *testing.T) {
	db := openNew(t)
	fsys := files("00001_a.sql", "-- +goose Up\nCREATE TABLE a (x);\n",
		"00002_b.sql", "-- +goose Up\nCREATE TABLE b (x);\n-- +goose Down\nDROP TABLE b;\n")
	run(t, db, `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL,
			is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')));
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1), (1, 0), (1, 1), (2, 1), (2, 0);
		CREATE TABLE a (x)`)
	m := migrator(t, db, fsys)
	status, err := m.Status(context.Background())
	if err != nil || status.Database != 1 || status.Pending() != 1 {
		t.Fatalf("%+v, %v; want the second pending", status, err)
	}
	res, err := m.Redo(context.Background())
	if !errors.Is(err, migrate.ErrIrreversible) {
		t.Errorf("redo of the first: %+v, %v", res, err)
	}
	for range 2 {
		if res, err := m.Up(context.Background()); err != nil || res.To != 2 || len(res.Applied) != 1 {
			t.Fatalf("up: %+v, %v", res, err)
		}
		if res, err := m.Redo(context.Background()); err != nil || res.To != 2 || len(res.Applied) != 2 {
			t.Fatalf("redo: %+v, %v", res, err)
		}
		if res, err := m.Down(context.Background()); err != nil || res.To != 1 {
			t.Fatalf("down: %+v, %v", res, err)
		}
	}
	same(t, "tables", query(t, db, "SELECT name FROM sqlite_schema WHERE name IN ('a', 'b')"), []string{"a"})
}

func TestAMigrationWhoseTransactionItsContextEndedSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	db := openNew(t)
	first := goose.NewGoMigration(1, &goose.GoFunc{RunTx: func(_ context.Context, tx *sql.Tx) error {
		cancel()
		// database/sql rolls back in a goroutine of its own.
		for {
			if _, err := tx.Exec("SELECT 1"); errors.Is(err, sql.ErrTxDone) {
				return err
			}
		}
	}}, nil)
	_, err := migrate.Up(ctx, db, files(), migrate.WithGoMigrations(first))
	var partial *migrate.PartialError
	if !errors.As(err, &partial) || partial.Err == nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want a *PartialError for context.Canceled", err)
	}
}
