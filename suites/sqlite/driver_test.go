package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/suites/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func exec(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNamesOfOneDatabaseShareAPool(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	t.Chdir(filepath.Dir(file))
	for _, names := range [][2]string{
		{file, "file:" + file + "?_pragma=busy_timeout(100)"},
		{file, "./test.db?cache=shared&mode=rwc"},
		{"file::memory:?cache=shared", "file::memory:?cache=shared"},
		{"file:name?mode=memory&cache=shared", "file:name?mode=memory&cache=shared&_fk=1"},
	} {
		one, two := open(t, names[0]), open(t, names[1])
		exec(t, one, "DROP TABLE IF EXISTS t; CREATE TABLE t (a); INSERT INTO t VALUES (1)")
		if n := number(t, two, "SELECT count(*) FROM t"); n != 1 {
			t.Errorf("%q and %q: %d rows, want 1", names[0], names[1], n)
		}
	}
}

func TestOtherMemoryDatabasesAreApart(t *testing.T) {
	for _, name := range []string{"", ":memory:", "file::memory:", "file:name?mode=memory"} {
		one, two := open(t, name), open(t, name)
		exec(t, one, "CREATE TABLE t (a)")
		if n := number(t, two, "SELECT count(*) FROM sqlite_schema"); n != 0 {
			t.Errorf("%q: both are one database", name)
		}
	}
}

func TestAFileCanBeOpenedAgainAfterTheLastHandleIsClosed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	for range 2 {
		db, err := sql.Open("sqlite3", file)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, db, "CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES (1)")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := number(t, open(t, file), "SELECT count(*) FROM t"); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

func TestSettingsOfTheNameHold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	db := open(t, file+"?_pragma=foreign_keys(0)&_pragma=journal_mode(DELETE)&_pragma=cache_size(-1234)")
	if n := number(t, db, "PRAGMA foreign_keys"); n != 0 {
		t.Errorf("foreign_keys is %d", n)
	}
	if n := number(t, db, "PRAGMA cache_size"); n != -1234 {
		t.Errorf("cache_size is %d", n)
	}
	var text string
	if err := db.QueryRow("PRAGMA journal_mode").Scan(&text); err != nil || text != "wal" {
		t.Errorf("journal_mode is %q, %v", text, err)
	}
	if err := db.QueryRow(`SELECT "quoted"`).Scan(&text); err != nil || text != "quoted" {
		t.Errorf("text in double quotes: %q, %v", text, err)
	}
}

func TestErrorsHaveTheShapeOfTheStockDriver(t *testing.T) {
	db := open(t, ":memory:")
	exec(t, db, "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)")
	_, err := db.Exec("INSERT INTO t VALUES (1)")
	var e *sqlite.Error
	if !errors.As(err, &e) || e.Code() != 2067 || err.Error() != "constraint failed: UNIQUE constraint failed: t.a (2067)" {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, lido.ErrUnique) {
		t.Error("it is no longer Lido's")
	}
}

func TestTheNameOfTheDriverDecidesOnDeclaredTypes(t *testing.T) {
	for name, want := range map[string]any{"sqlite": int64(1), "sqlite3": true} {
		db, err := sql.Open(name, ":memory:")
		if err != nil {
			t.Fatal(err)
		}
		exec(t, db, "CREATE TABLE t (a BOOLEAN); INSERT INTO t VALUES (1)")
		var got any
		if err := db.QueryRow("SELECT a FROM t").Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %v (%T), %v", name, got, got, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
