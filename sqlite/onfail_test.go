package sqlite_test

import (
	"testing"

	"github.com/lidodb/lido/sqlite"
)

func TestAStatementThatKeepsWhatItDidWhenItFailsSaysSo(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, `CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE);
		CREATE TABLE fails(a UNIQUE ON CONFLICT FAIL, b NOT NULL ON CONFLICT FAIL);
		CREATE TABLE raises(a); CREATE TRIGGER r BEFORE INSERT ON raises BEGIN SELECT RAISE(FAIL, 'no'); END;
		CREATE TABLE aborts(a); CREATE TRIGGER x BEFORE INSERT ON aborts BEGIN SELECT RAISE(ABORT, 'no'); END;
		CREATE TABLE indirect(a); CREATE TRIGGER y AFTER INSERT ON indirect BEGIN INSERT INTO raises VALUES(1); END;
		PRAGMA recursive_triggers = 1;
		CREATE TABLE self(a); CREATE TRIGGER z AFTER INSERT ON self WHEN new.a > 0 BEGIN INSERT INTO self VALUES(new.a - 1); END`)
	for sql, want := range map[string]bool{
		"INSERT INTO t(b) VALUES(1), (1)":             false,
		"INSERT OR FAIL INTO t(b) VALUES(1), (1)":     true,
		"INSERT OR ROLLBACK INTO t(b) VALUES(1), (1)": false,
		"UPDATE OR FAIL t SET b = 1":                  true,
		"UPDATE t SET b = 1":                          false,
		"DELETE FROM t":                               false,
		"INSERT INTO fails VALUES(1, 2)":              true,
		"INSERT INTO fails(a) VALUES(1)":              true,
		"INSERT OR ABORT INTO fails VALUES(1, 2)":     false,
		"INSERT INTO raises VALUES(1)":                true,
		"INSERT INTO aborts VALUES(1)":                false,
		"INSERT INTO indirect VALUES(1)":              true,
		"INSERT INTO self VALUES(3)":                  false,
		"SELECT * FROM t":                             false,
	} {
		s, err := c.Prepare(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.KeepsOnFailure(); got != want {
			t.Errorf("%s: %v", sql, got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
