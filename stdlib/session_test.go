package stdlib_test

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

func session(t testing.TB, handle *sql.DB) *sql.Conn {
	t.Helper()
	c, err := handle.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAConnHoldsNothingUntilAStatementChangesItsConnection(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	c := session(t, handle)
	equal(t, "rows", one[int](t, c, "SELECT count(*) FROM people"), 2)
	exec(t, c, "DELETE FROM people WHERE id = 1")
	equal(t, "writers held", db.Stat().Writer.InUse, 0)
	exec(t, c, "PRAGMA table_info(people)")
	equal(t, "writers held after a PRAGMA that only asks", db.Stat().Writer.InUse, 0)

	exec(t, c, "PRAGMA foreign_keys = OFF")
	equal(t, "writers held after a PRAGMA that sets", db.Stat().Writer.InUse, 1)
	equal(t, "foreign_keys in the session", one[int](t, c, "PRAGMA foreign_keys"), 0)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "writers held after Close", db.Stat().Writer.InUse, 0)
	equal(t, "foreign_keys afterwards", one[int](t, handle, "PRAGMA foreign_keys"), 1)
}

func TestAPragmaThroughTheDBIsUndoneWhenItEnds(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, "PRAGMA foreign_keys = OFF")
	equal(t, "foreign_keys", one[int](t, handle, "PRAGMA foreign_keys"), 1)
	exec(t, handle, "PRAGMA user_version = 5") // of the file, not of the connection
	equal(t, "user_version", one[int](t, handle, "PRAGMA user_version"), 5)
}

func TestATransactionBegunBySQLBelongsToItsConn(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	c := session(t, handle)
	exec(t, c, "BEGIN IMMEDIATE")
	exec(t, c, "DELETE FROM people")
	equal(t, "inside", one[int](t, c, "SELECT count(*) FROM people"), 0)
	equal(t, "outside", one[int](t, handle, "SELECT count(*) FROM people"), 2)
	if _, err := c.BeginTx(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "begun by SQL") {
		t.Errorf("BeginTx inside: %v", err)
	}
	exec(t, c, "COMMIT")
	equal(t, "writers held after COMMIT", db.Stat().Writer.InUse, 0)
	equal(t, "afterwards", one[int](t, handle, "SELECT count(*) FROM people"), 0)

	exec(t, c, "BEGIN")
	exec(t, c, "INSERT INTO people (name) VALUES ('Alan')")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows of a transaction left open", one[int](t, handle, "SELECT count(*) FROM people"), 0)

	exec(t, handle, "BEGIN; INSERT INTO people (name) VALUES ('Alan'); COMMIT")
	equal(t, "a transaction in one Exec", one[int](t, handle, "SELECT count(*) FROM people"), 1)
}

func TestASessionKeepsItsSettingsAcrossATransactionOfDatabaseSQL(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, `CREATE TABLE parent (id INTEGER PRIMARY KEY);
		CREATE TABLE child (parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE);
		INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1)`)
	c := session(t, handle)
	exec(t, c, "PRAGMA foreign_keys = OFF")
	tx, err := c.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "DROP TABLE parent")
	exec(t, tx, "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT)")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	equal(t, "foreign_keys in the session", one[int](t, c, "PRAGMA foreign_keys"), 0)
	readOnly, err := c.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readOnly.Exec("DELETE FROM child"); err == nil {
		t.Error("a read-only transaction of a session writes")
	}
	if err := readOnly.Rollback(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "children", one[int](t, handle, "SELECT count(*) FROM child"), 1)
}

func TestTemporaryTablesAndAttachedFilesLastAsLongAsTheirConn(t *testing.T) {
	_, handle := open(t, pool.Config{})
	c := session(t, handle)
	exec(t, c, "CREATE TEMP TABLE scratch (x); INSERT INTO scratch VALUES (1)")
	equal(t, "temporary rows", one[int](t, c, "SELECT count(*) FROM scratch"), 1)
	exec(t, c, "ATTACH ? AS other", filepath.Join(t.TempDir(), "other.db"))
	exec(t, c, "CREATE TABLE other.t (x); INSERT INTO other.t VALUES (1), (2)")
	equal(t, "attached rows", one[int](t, c, "SELECT count(*) FROM other.t"), 2)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"SELECT count(*) FROM scratch", "SELECT count(*) FROM other.t"} {
		if err := handle.QueryRow(query).Scan(new(int)); err == nil {
			t.Errorf("%s works after Close", query)
		}
	}
}

func TestATableMadeTemporaryInATransactionDoesNotOutliveIt(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	tx, err := handle.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "CREATE TEMP TABLE ids AS SELECT id FROM people")
	exec(t, tx, "DELETE FROM people WHERE id IN (SELECT id FROM ids)")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := handle.QueryRow("SELECT count(*), changes() FROM ids").Scan(new(int), new(int)); err == nil {
		t.Error("the temporary table is still there")
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 0)
}

func TestAConnectionThatWasChangedOnPurposeIsClosedWithoutAWarning(t *testing.T) {
	var log bytes.Buffer
	db, handle := open(t, pool.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, stdlib.WithSchemaChanges())
	tx := begin(t, handle) // turns foreign keys off and on
	exec(t, tx, "CREATE TABLE t (x)")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	exec(t, handle, "PRAGMA cache_size = 10")
	c := session(t, handle)
	exec(t, c, "CREATE TEMP TABLE scratch (x)")
	exec(t, c, "BEGIN")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "writers destroyed", db.Stat().Writer.Destroyed.Total(), 3)
	equal(t, "log", log.String(), "")
}
