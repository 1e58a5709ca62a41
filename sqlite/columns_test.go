package sqlite_test

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"github.com/lidodb/lido/sqlite"
)

// What Columns keeps is of one compilation: after the schema has changed the
// next step compiles the statement anew, and * means other columns.
func TestColumnsAreThoseOfTheStatementAsItIsCompiledNow(t *testing.T) {
	ctx := context.Background()
	c, err := sqlite.Open(ctx, ":memory:", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(ctx, "CREATE TABLE t (a INTEGER, b VARCHAR(10)); INSERT INTO t VALUES (1, 'x')"); err != nil {
		t.Fatal(err)
	}
	columns := func() *sqlite.Columns {
		s, err := c.Prepare(ctx, "SELECT *, a + 1 FROM t")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if row, err := s.Step(); err != nil || !row {
			t.Fatal(row, err)
		}
		return s.Columns()
	}
	first := columns()
	if columns() != first {
		t.Error("they are put together again for each run")
	}
	if !slices.Equal(first.Names, []string{"a", "b", "a + 1"}) || !slices.Equal(first.DeclTypes, []string{"INTEGER", "VARCHAR(10)", ""}) {
		t.Errorf("columns %+v", first)
	}
	if err := c.Exec(ctx, "ALTER TABLE t ADD COLUMN c DATE"); err != nil {
		t.Fatal(err)
	}
	second := columns()
	if !slices.Equal(second.Names, []string{"a", "b", "c", "a + 1"}) || second.DeclTypes[2] != "DATE" {
		t.Errorf("after the change: %+v", second)
	}
	if len(first.Names) != 3 {
		t.Errorf("the first answer has changed: %+v", first)
	}
}

// Columns of one statement serve another that has the same ones.
func TestColumnsOfAnotherTextAreTheSameOnlyIfTheyAreAlike(t *testing.T) {
	ctx := context.Background()
	c, err := sqlite.Open(ctx, ":memory:", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(ctx, "CREATE TABLE t (a INTEGER, ab DATE, u VARCHAR(10), v Boolean)"); err != nil {
		t.Fatal(err)
	}
	columns := func(sql string) *sqlite.Columns {
		s, err := c.PrepareOnce(ctx, sql)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return s.Columns()
	}
	first := columns("SELECT a, ab FROM t WHERE a = 1")
	if columns("SELECT a, ab FROM t WHERE a = 2") != first {
		t.Error("they are put together again for other values")
	}
	for sql, want := range map[string]sqlite.Columns{
		"SELECT a, a AS ab FROM t":   {Names: []string{"a", "ab"}, DeclTypes: []string{"INTEGER", "INTEGER"}, Kinds: []sqlite.DeclKind{sqlite.DeclOther, sqlite.DeclOther}},
		"SELECT a, 1 AS ab FROM t":   {Names: []string{"a", "ab"}, DeclTypes: []string{"INTEGER", ""}, Kinds: []sqlite.DeclKind{sqlite.DeclOther, sqlite.DeclOther}},
		"SELECT a AS abc, ab FROM t": {Names: []string{"abc", "ab"}, DeclTypes: []string{"INTEGER", "DATE"}, Kinds: []sqlite.DeclKind{sqlite.DeclOther, sqlite.DeclTime}},
		"SELECT a, ab AS a FROM t":   {Names: []string{"a", "a"}, DeclTypes: []string{"INTEGER", "DATE"}, Kinds: []sqlite.DeclKind{sqlite.DeclOther, sqlite.DeclTime}},
		"SELECT a, ab, u FROM t":     {Names: []string{"a", "ab", "u"}, DeclTypes: []string{"INTEGER", "DATE", "VARCHAR(10)"}, Kinds: []sqlite.DeclKind{sqlite.DeclOther, sqlite.DeclTime, sqlite.DeclOther}},
		"SELECT v FROM t":            {Names: []string{"v"}, DeclTypes: []string{"Boolean"}, Kinds: []sqlite.DeclKind{sqlite.DeclBool}},
		"SELECT a FROM t":            {Names: []string{"a"}, DeclTypes: []string{"INTEGER"}, Kinds: []sqlite.DeclKind{sqlite.DeclOther}},
		"DELETE FROM t":              {Names: []string{}, DeclTypes: []string{}, Kinds: []sqlite.DeclKind{}},
	} {
		columns("SELECT a, ab FROM t")
		if got := columns(sql); !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, want %+v", sql, *got, want)
		}
	}
	if !slices.Equal(first.Names, []string{"a", "ab"}) {
		t.Errorf("the first answer has changed: %+v", first)
	}
}

func TestRecallChangesIsWhatSQLAnswers(t *testing.T) {
	ctx := context.Background()
	c, err := sqlite.Open(ctx, ":memory:", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.RecallChanges(41, 7)
	for sql, want := range map[string]int64{"SELECT last_insert_rowid()": 41, "SELECT changes()": 7} {
		if n, err := c.QueryInt64(ctx, sql); err != nil || n != want {
			t.Errorf("%s: %d, %v; want %d", sql, n, err, want)
		}
	}
}
