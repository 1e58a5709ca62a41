package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
)

const (
	parents = `-- +goose Up
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO parent VALUES (1, 'one'), (2, 'two');
-- +goose Down
DROP TABLE parent;
`
	children = `-- +goose Up
CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO child VALUES (10, 1), (20, 2), (21, 2);
-- +goose Down
DROP TABLE child;
`
	rebuild = `-- +goose Up
CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (name <> ''));
INSERT INTO parent_new SELECT id, upper(name) FROM parent;
DROP TABLE parent;
ALTER TABLE parent_new RENAME TO parent;
-- +goose Down
CREATE TABLE parent_old (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO parent_old SELECT id, lower(name) FROM parent;
DROP TABLE parent;
ALTER TABLE parent_old RENAME TO parent;
`
)

// family is three migrations, the last of which builds a table anew that
// another refers to.
func family() fstest.MapFS {
	return files("00001_parents.sql", parents, "00002_children.sql", children, "00003_rebuild.sql", rebuild)
}

func up(t testing.TB, db *pool.DB, fsys fstest.MapFS, opts ...migrate.Option) migrate.Result {
	t.Helper()
	res, err := migrate.Up(context.Background(), db, fsys, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func migrator(t testing.TB, db *pool.DB, fsys fstest.MapFS, opts ...migrate.Option) *migrate.Migrator {
	t.Helper()
	m, err := migrate.New(db, fsys, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestUpAppliesWhatIsPendingAndSaysWhatRan(t *testing.T) {
	db := openNew(t)
	res := up(t, db, family())
	if res.From != 0 || res.To != 3 || len(res.Pending) != 0 || res.BackedUp {
		t.Errorf("result %+v", res)
	}
	var ran []string
	for _, s := range res.Applied {
		ran = append(ran, string(s.Direction)+" "+s.Name)
		if s.Duration <= 0 || s.Empty {
			t.Errorf("step %+v", s)
		}
	}
	same(t, "what ran", ran, []string{"up 00001_parents.sql", "up 00002_children.sql", "up 00003_rebuild.sql"})

	res = up(t, db, family())
	if res.From != 3 || res.To != 3 || len(res.Applied) != 0 {
		t.Errorf("a second Up: %+v", res)
	}
	if _, err := os.Stat(db.Path() + "-migrate.lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock file is left behind: %v", err)
	}
}

func TestRebuildingATableKeepsTheRowsThatReferToIt(t *testing.T) {
	db := openNew(t)
	up(t, db, family())
	same(t, "parents", query(t, db, "SELECT * FROM parent"), []string{"1,ONE", "2,TWO"})
	same(t, "children", query(t, db, "SELECT * FROM child"), []string{"10,1", "20,2", "21,2"})
	same(t, "violations", query(t, db, "PRAGMA foreign_key_check"), []string(nil))

	// Foreign keys are on again, and the child refers to the new table.
	same(t, "foreign_keys", query(t, db, "PRAGMA foreign_keys"), []string{"1"})
	run(t, db, "DELETE FROM parent WHERE id = 2")
	same(t, "children", query(t, db, "SELECT * FROM child"), []string{"10,1"})

	m := migrator(t, db, family())
	if _, err := m.Down(context.Background()); err != nil {
		t.Fatal(err)
	}
	same(t, "parents", query(t, db, "SELECT * FROM parent"), []string{"1,one"})
	same(t, "children", query(t, db, "SELECT * FROM child"), []string{"10,1"})
}

func TestAMigrationThatBreaksAForeignKeyIsRolledBack(t *testing.T) {
	db := openNew(t)
	fsys := family()
	up(t, db, fsys)
	before := contents(t, db)
	fsys["00004_orphans.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nDELETE FROM parent WHERE id = 2;\n")}
	_, err := migrate.Up(context.Background(), db, fsys)
	var partial *migrate.PartialError
	if !errors.As(err, &partial) || partial.Failed.Version != 4 {
		t.Fatalf("error %v, want a *PartialError of version 4", err)
	}
	if !errors.Is(err, lido.ErrForeignKey) || !strings.Contains(err.Error(), "2 rows of child refer to a row of parent that does not exist (first: row 20)") {
		t.Errorf("error %q does not say which row is broken", err)
	}
	if strings.Contains(err.Error(), sql.ErrTxDone.Error()) {
		t.Errorf("error %q speaks of goose's own rollback", err)
	}
	same(t, "the database", contents(t, db), before)
}

func TestAFailureHalfWayLeavesTheFileAsBeforeThatMigration(t *testing.T) {
	db := openNew(t)
	fsys := family()
	fsys["00002_children.sql"] = &fstest.MapFile{Data: []byte(children)}
	fsys["00003_rebuild.sql"] = &fstest.MapFile{Data: []byte(`-- +goose Up
CREATE TABLE extra (x);
INSERT INTO extra VALUES (1);
DELETE FROM child;
INSERT INTO parent VALUES (1, 'twice');
CREATE TABLE never (x);
`)}
	fsys["00004_later.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE later (x);\n")}
	res, err := migrate.Up(context.Background(), db, fsys)
	var partial *migrate.PartialError
	if !errors.As(err, &partial) || !errors.Is(err, lido.ErrUnique) {
		t.Fatalf("error %v, want a *PartialError with lido.ErrUnique", err)
	}
	same(t, "failed", partial.Failed.Name, "00003_rebuild.sql")
	same(t, "applied", len(partial.Applied), 2)
	same(t, "not tried", partial.Pending, []migrate.Migration{{Version: 4, Name: "00004_later.sql"}})
	same(t, "result", []int64{res.From, res.To, int64(len(res.Applied)), int64(len(res.Pending))}, []int64{0, 2, 2, 2})

	other := openNew(t)
	if _, err := migrator(t, other, fsys).UpTo(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	same(t, "the database", contents(t, db), contents(t, other))

	// Repaired, it goes on from there.
	fsys["00003_rebuild.sql"] = &fstest.MapFile{Data: []byte(rebuild)}
	if res := up(t, db, fsys); res.From != 2 || res.To != 4 {
		t.Errorf("after the repair: %+v", res)
	}
}

func TestADatabaseNewerThanTheProgramIsRefused(t *testing.T) {
	db := openNew(t)
	up(t, db, family())
	before := contents(t, db)
	older := family()
	delete(older, "00003_rebuild.sql")
	m := migrator(t, db, older)
	ops := map[string]func(context.Context) (migrate.Result, error){"Up": m.Up, "Down": m.Down, "Redo": m.Redo}
	for name, op := range ops {
		_, err := op(context.Background())
		var newer *migrate.NewerError
		if !errors.As(err, &newer) || newer.Database != 3 || newer.Program != 2 {
			t.Errorf("%s: error %v, want a *NewerError of 3 and 2", name, err)
		}
	}
	same(t, "the database", contents(t, db), before)

	st, err := m.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if last := st.Migrations[2]; !last.Unknown || !last.Applied || last.Version != 3 {
		t.Errorf("status of the unknown one: %+v", last)
	}
}

func TestAMigrationBelowAnAppliedOneIsRefusedUnlessAllowed(t *testing.T) {
	db := openNew(t)
	fsys := files("00001_parents.sql", parents, "00003_c.sql", "-- +goose Up\nCREATE TABLE c (x);\n")
	up(t, db, fsys)
	fsys["00002_children.sql"] = &fstest.MapFile{Data: []byte(children)}
	_, err := migrate.Up(context.Background(), db, fsys)
	var order *migrate.OutOfOrderError
	if !errors.As(err, &order) || len(order.Missing) != 1 || order.Missing[0].Version != 2 || order.Database != 3 {
		t.Fatalf("error %v, want an *OutOfOrderError of version 2", err)
	}
	res := up(t, db, fsys, migrate.WithOutOfOrder())
	if len(res.Applied) != 1 || res.Applied[0].Version != 2 || res.To != 3 {
		t.Errorf("allowed: %+v", res)
	}
}

func TestUpToDownAndRedoMoveOneByOne(t *testing.T) {
	db := openNew(t)
	m := migrator(t, db, family())
	ctx := context.Background()
	if _, err := m.Down(ctx); !errors.Is(err, migrate.ErrNothingApplied) {
		t.Errorf("Down of a new database: %v", err)
	}
	if _, err := m.UpTo(ctx, 7); !errors.Is(err, migrate.ErrUnknownVersion) {
		t.Errorf("UpTo a version that does not exist: %v", err)
	}
	res, err := m.UpTo(ctx, 2)
	if err != nil || res.To != 2 || len(res.Pending) != 1 {
		t.Fatalf("UpTo 2: %+v, %v", res, err)
	}
	res, err = m.Redo(ctx)
	if err != nil || res.From != 2 || res.To != 2 || len(res.Applied) != 2 ||
		res.Applied[0].Direction != migrate.DirectionDown || res.Applied[1].Direction != migrate.DirectionUp {
		t.Fatalf("Redo: %+v, %v", res, err)
	}
	for want := int64(1); want >= 0; want-- {
		res, err = m.Down(ctx)
		if err != nil || res.To != want {
			t.Fatalf("Down: %+v, %v", res, err)
		}
		version, err := m.Version(ctx)
		if err != nil || version != want {
			t.Errorf("version %d, %v; want %d", version, err, want)
		}
	}
	same(t, "tables left", query(t, db, "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' AND name NOT LIKE 'goose%'"), []string(nil))
}

func TestStatusAndVersionWriteNothing(t *testing.T) {
	db := openNew(t)
	m := migrator(t, db, family())
	ctx := context.Background()
	st, err := m.Status(ctx)
	if err != nil || st.Database != 0 || st.Program != 3 || st.Pending() != 3 {
		t.Fatalf("status of a new database: %+v, %v", st, err)
	}
	if v, err := m.Version(ctx); v != 0 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	same(t, "tables", query(t, db, "SELECT name FROM sqlite_schema"), []string(nil))

	if _, err := m.UpTo(ctx, 2); err != nil {
		t.Fatal(err)
	}
	st, err = m.Status(ctx)
	if err != nil || st.Database != 2 || st.Pending() != 1 {
		t.Fatalf("status: %+v, %v", st, err)
	}
	for i, s := range st.Migrations {
		if applied := i < 2; s.Applied != applied || s.AppliedAt.IsZero() == applied {
			t.Errorf("status of %s: %+v", s, s)
		}
	}
}

func TestAMigrationWithoutADownSectionIsNotUndone(t *testing.T) {
	db := openNew(t)
	fsys := files("00001_a.sql", "-- +goose Up\nCREATE TABLE a (x);\n-- +goose Down\n-- nothing can bring it back\n")
	up(t, db, fsys)
	if _, err := migrator(t, db, fsys).Down(context.Background()); !errors.Is(err, migrate.ErrIrreversible) {
		t.Errorf("error %v, want ErrIrreversible", err)
	}
	same(t, "tables", query(t, db, "SELECT name FROM sqlite_schema WHERE name = 'a'"), []string{"a"})
}

func TestMigrationsThatAreNoTransactionAreRefusedUnlessAllowed(t *testing.T) {
	db := openNew(t)
	fsys := files("00001_parents.sql", parents, "00002_vacuum.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nVACUUM;\n")
	_, err := migrate.Up(context.Background(), db, fsys)
	if !errors.Is(err, migrate.ErrNoTransaction) || !strings.Contains(err.Error(), "00002_vacuum.sql") {
		t.Fatalf("error %v, want ErrNoTransaction", err)
	}
	same(t, "tables", query(t, db, "SELECT name FROM sqlite_schema"), []string(nil))
	if res := up(t, db, fsys, migrate.WithUnsafeNoTransaction()); res.To != 2 {
		t.Errorf("allowed: %+v", res)
	}
}

func TestTheUsualWayToTurnForeignKeysOffWorksWhenAllowed(t *testing.T) {
	db := openNew(t)
	fsys := family()
	fsys["00003_rebuild.sql"] = &fstest.MapFile{Data: []byte(`-- +goose NO TRANSACTION
-- +goose Up
PRAGMA foreign_keys = OFF;
BEGIN;
CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO parent_new SELECT id, upper(name) FROM parent;
DROP TABLE parent;
ALTER TABLE parent_new RENAME TO parent;
COMMIT;
PRAGMA foreign_keys = ON;
`)}
	fsys["00004_later.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE later (x);\n")}
	up(t, db, fsys, migrate.WithUnsafeNoTransaction())
	same(t, "parents", query(t, db, "SELECT * FROM parent"), []string{"1,ONE", "2,TWO"})
	same(t, "children", query(t, db, "SELECT * FROM child"), []string{"10,1", "20,2", "21,2"})
	same(t, "foreign_keys", query(t, db, "PRAGMA foreign_keys"), []string{"1"})
}

func TestTransactionControlInsideAMigrationIsRefused(t *testing.T) {
	db := openNew(t)
	for _, statement := range []string{"COMMIT;", "BEGIN;", "END;", "ROLLBACK;"} {
		fsys := files("00001_a.sql", "-- +goose Up\nCREATE TABLE a (x);\n"+statement+"\nCREATE TABLE b (x);\n")
		_, err := migrate.Up(context.Background(), db, fsys)
		var partial *migrate.PartialError
		if !errors.As(err, &partial) || !strings.Contains(err.Error(), "inside a transaction") {
			t.Errorf("%s: error %v", statement, err)
		}
		same(t, "tables", query(t, db, "SELECT name FROM sqlite_schema WHERE name IN ('a', 'b')"), []string(nil))
	}
}

func TestGoMigrationsRunInTheirTransaction(t *testing.T) {
	db := openNew(t)
	boom := errors.New("boom")
	fail := true
	second := goose.NewGoMigration(2,
		&goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "INSERT INTO parent VALUES (?, ?)", 3, "three"); err != nil {
				return err
			}
			if fail {
				return boom
			}
			return nil
		}}, nil)
	fsys := files("00001_parents.sql", parents)
	_, err := migrate.Up(context.Background(), db, fsys, migrate.WithGoMigrations(second))
	if !errors.Is(err, boom) {
		t.Fatalf("error %v, want boom", err)
	}
	same(t, "parents", query(t, db, "SELECT id FROM parent"), []string{"1", "2"})
	fail = false
	if res := up(t, db, fsys, migrate.WithGoMigrations(second)); res.To != 2 {
		t.Errorf("result %+v", res)
	}
	same(t, "parents", query(t, db, "SELECT id FROM parent"), []string{"1", "2", "3"})

	bare := goose.NewGoMigration(3, &goose.GoFunc{RunDB: func(context.Context, *sql.DB) error { return nil }}, nil)
	_, err = migrate.Up(context.Background(), db, fsys, migrate.WithGoMigrations(second, bare))
	if !errors.Is(err, migrate.ErrNoTransaction) {
		t.Errorf("a Go migration with a *sql.DB: %v", err)
	}
	if res := up(t, db, fsys, migrate.WithGoMigrations(second, bare), migrate.WithUnsafeNoTransaction()); res.To != 3 {
		t.Errorf("allowed: %+v", res)
	}
}

func TestTheBackupComesFirstAndItsFailureStopsTheMigration(t *testing.T) {
	db := openNew(t)
	fsys := family()
	calls := 0
	var failure error
	backup := migrate.WithBackup(func(context.Context) error {
		calls++
		return failure
	})
	m := migrator(t, db, fsys, backup)
	ctx := context.Background()
	if res, err := m.UpTo(ctx, 1); err != nil || res.BackedUp || calls != 0 {
		t.Fatalf("an empty database needs no backup: %+v, %v, %d calls", res, err, calls)
	}
	before := contents(t, db)
	failure = errors.New("no space")
	if _, err := m.Up(ctx); !errors.Is(err, failure) || calls != 1 {
		t.Fatalf("error %v after %d calls, want the backup's", err, calls)
	}
	same(t, "the database", contents(t, db), before)
	failure = nil
	if res, err := m.Up(ctx); err != nil || !res.BackedUp || calls != 2 {
		t.Errorf("%+v, %v after %d calls", res, err, calls)
	}
	if res, err := m.Up(ctx); err != nil || res.BackedUp || calls != 2 {
		t.Errorf("nothing pending needs no backup: %+v, %v after %d calls", res, err, calls)
	}
}

func TestAFileSystemWithoutMigrationsIsAClearError(t *testing.T) {
	db := openNew(t)
	for want, fsys := range map[string]fstest.MapFS{
		"the file system is empty": files(),
		"fs.Sub":                   files("migrations/00001_a.sql", parents),
		"begin with a number":      files("tables.sql", parents),
	} {
		_, err := migrate.New(db, fsys)
		if !errors.Is(err, migrate.ErrNoMigrations) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want ErrNoMigrations with %q", err, want)
		}
	}
	if _, err := migrate.New(db, nil); !errors.Is(err, migrate.ErrNoMigrations) {
		t.Errorf("no file system: %v", err)
	}
}

func TestMigrationsFitPoolPrepareAndAFailureUndoesOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	prepare := func(fsys fstest.MapFS) func(context.Context, *pool.DB) error {
		return func(ctx context.Context, db *pool.DB) error {
			_, err := migrate.Up(ctx, db, fsys)
			return err
		}
	}
	ctx := context.Background()
	fsys := family()
	db, err := pool.Open(ctx, path, pool.Config{Prepare: prepare(fsys)})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "children", len(query(t, db, "SELECT * FROM child")), 3)
	if err := db.Close(ctx); err != nil {
		t.Fatal(err)
	}
	fsys["00004_bad.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE child (x);\n")}
	_, err = pool.Open(ctx, path, pool.Config{Prepare: prepare(fsys)})
	var partial *migrate.PartialError
	if !errors.As(err, &partial) {
		t.Fatalf("error %v, want a *PartialError", err)
	}
}

func TestCancellingTheContextStopsTheMigrationAndRollsItBack(t *testing.T) {
	db := openNew(t)
	fsys := family()
	up(t, db, fsys)
	before := contents(t, db)
	fsys["00004_long.sql"] = &fstest.MapFile{Data: []byte(`-- +goose Up
DELETE FROM child;
CREATE TABLE long AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n;
`)}
	ctx, cancel := context.WithCancel(context.Background())
	_, err := migrate.Up(ctx, db, fsys, migrate.WithTrace(func(_ context.Context, sql string) {
		if strings.HasPrefix(sql, "CREATE TABLE long") {
			cancel()
		}
	}))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	same(t, "the database", contents(t, db), before)
}

func TestMigrationsRunOnADatabaseThatIsOpenExclusively(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("pool.Config.Exclusive needs unix")
	}
	db, err := pool.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), pool.Config{Exclusive: true, Prepare: func(ctx context.Context, db *pool.DB) error {
		_, err := migrate.Up(ctx, db, family())
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, db, "SELECT count(*) FROM child"); len(got) != 1 || got[0] != "3" {
		t.Error(got)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
