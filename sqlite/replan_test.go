package sqlite

import (
	"context"
	"testing"

	lib "modernc.org/sqlite/lib"
)

func TestACachedStatementIsNotPlannedAnewOnEveryRun(t *testing.T) {
	ctx := context.Background()
	c, err := Open(ctx, ":memory:", Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(ctx, "CREATE TABLE a(id INTEGER PRIMARY KEY, v); CREATE TABLE b(x, aid); CREATE INDEX b_x ON b(x)"); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"SELECT v FROM a ORDER BY id LIMIT ?1",
		"SELECT aid FROM b WHERE x = ?1 ORDER BY aid",
		"SELECT a.v FROM a JOIN b ON b.aid = a.id WHERE b.x = ?1",
	} {
		planned := 0
		for range 10 {
			s, err := c.Prepare(ctx, sql)
			if err != nil {
				t.Fatal(err)
			}
			s.BindInt64(1, 1000)
			if _, err := s.Step(); err != nil {
				t.Fatal(err)
			}
			planned = int(lib.Xsqlite3_stmt_status(c.tls, s.stmt, lib.SQLITE_STMTSTATUS_REPREPARE, 0))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if planned > 1 { // with the first value, which the plan may look at
			t.Errorf("%s: planned anew %d times in 10 runs", sql, planned)
		}
	}
}
