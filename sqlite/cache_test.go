package sqlite_test

import (
	"context"
	"fmt"
	"testing"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido/sqlite"
)

// keeps reports whether the connection has a statement for sql at hand: two
// that are prepared one after the other are then the same.
func keeps(t *testing.T, c *sqlite.Conn, sql string) bool {
	t.Helper()
	var two [2]*sqlite.Stmt
	for i := range two {
		s, err := c.PrepareOnce(context.Background(), sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		two[i] = s
	}
	return two[0] == two[1]
}

func TestATextThatIsPreparedOnceIsNotKept(t *testing.T) {
	ctx := context.Background()
	c := open(t, sqlite.Options{Create: true, StmtCacheCount: 2})
	exec(t, c, "CREATE TABLE t(a); INSERT INTO t VALUES (1)")
	if err := prepare(t, c, "SELECT a FROM t").Close(); err != nil {
		t.Fatal(err)
	}
	kept := prepare(t, c, "SELECT a + 1 FROM t")
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		s, err := c.PrepareOnce(ctx, fmt.Sprintf("SELECT a + %d FROM t", 100+i))
		if err != nil {
			t.Fatal(err)
		}
		if row, err := s.Step(); !row || err != nil || s.ColumnInt64(0) != int64(101+i) {
			t.Error(row, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Step(); err == nil {
			t.Error("a statement that was closed runs")
		}
		if keeps(t, c, s.SQL()) {
			t.Errorf("%s is kept", s.SQL())
		}
	}
	for _, sql := range []string{"SELECT a FROM t", "SELECT a + 1 FROM t"} {
		if !keeps(t, c, sql) {
			t.Errorf("%s has lost its place", sql)
		}
	}
	if s, err := c.PrepareOnce(ctx, "SELECT a + 1 FROM t"); err != nil || s != kept {
		t.Errorf("a statement that is at hand was prepared anew: %v", err)
	}
	// While it is out, a second one is for this use alone.
	second := prepare(t, c, "SELECT a + 1 FROM t")
	if second == kept {
		t.Error("one statement was handed out twice")
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if err := kept.Close(); err != nil {
		t.Error(err)
	}
	if c.OpenStatements() {
		t.Error("statements left open")
	}
}

func TestStatementsThatArePreparedOnceLeaveNoMemoryBehind(t *testing.T) {
	ctx := context.Background()
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, "CREATE TABLE t(a)")
	run := func(n int) {
		for i := range n {
			s, err := c.PrepareOnce(ctx, fmt.Sprintf("INSERT INTO t SELECT ?1 WHERE %d < 0", i))
			if err != nil {
				t.Fatal(err)
			}
			s.BindText(1, "text")
			if _, err := s.Step(); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(100)
	tls := libc.NewTLS()
	defer tls.Close()
	before := lib.Xsqlite3_memory_used(tls)
	run(1000)
	if now := lib.Xsqlite3_memory_used(tls); now > before+64<<10 {
		t.Errorf("the engine uses %d bytes, and %d before", now, before)
	}
}
