package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

func create(t testing.TB, c *sqlite.Conn, name string, args int, fn sqlite.Function) {
	t.Helper()
	if err := c.CreateFunction(name, args, true, fn); err != nil {
		t.Fatal(err)
	}
}

func TestAFunctionInGoGetsItsArgumentsAndReturnsEveryKindOfValue(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	create(t, c, "describe", -1, func(args []sqlite.Value) (any, error) {
		var parts []string
		for _, a := range args {
			parts = append(parts, fmt.Sprintf("%s %d %g %q %x", a.Type(), a.Int64(), a.Float64(), a.Text(), a.Blob()))
		}
		return strings.Join(parts, ", "), nil
	})
	got, err := c.QueryText(t.Context(), "SELECT describe(7, 2.5, 'x', x'00ff', NULL, '', x'')")
	if want := `INTEGER 7 7 "7" 37, REAL 2 2.5 "2.5" 322e35, TEXT 0 0 "x" 78, BLOB 0 0 "\x00\xff" 00ff, NULL 0 0 "" , TEXT 0 0 "" , BLOB 0 0 "" `; got != want || err != nil {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	var result any
	create(t, c, "give", 0, func([]sqlite.Value) (any, error) { return result, nil })
	for _, r := range []struct {
		value any
		want  string
	}{
		{nil, "null|NULL"}, {true, "integer|1"}, {false, "integer|0"}, {7, "integer|7"}, {int64(-1 << 63), "integer|-9223372036854775808"}, {2.5, "real|2.5"},
		{"", "text|''"}, {"a\x00b", "text|unistr('a\\u0000b')"}, {strings.Repeat("ä", 3), "text|'äää'"}, {[]byte{0, 1}, "blob|X'0001'"}, {[]byte{}, "blob|X''"}, {[]byte(nil), "null|NULL"},
	} {
		result = r.value
		if got, err := c.QueryText(t.Context(), "SELECT typeof(v) || '|' || quote(v) FROM (SELECT give() AS v LIMIT 1)"); err != nil || !strings.HasPrefix(got, r.want[:strings.Index(r.want, "|")+1]) || got != r.want && r.value != "a\x00b" {
			t.Errorf("%#v: got %s, %v, want %s", r.value, got, err, r.want)
		}
	}
}

func TestAFunctionThatFailsFailsTheStatementAndNothingElse(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	create(t, c, "fail", 1, func(args []sqlite.Value) (any, error) {
		switch args[0].Int64() {
		case 1:
			return nil, errors.New("one is too many")
		case 2:
			panic("two")
		case 3:
			return struct{}{}, nil
		}
		return args[0].Int64(), nil
	})
	for arg, want := range []string{"", "fail: one is too many", "fail: panic: two", "fail: returned a struct {}", ""} {
		got, err := c.QueryInt64(t.Context(), fmt.Sprintf("SELECT fail(%d)", arg))
		if want == "" && (err != nil || got != int64(arg)) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("fail(%d) = %d, %v", arg, got, err)
		}
	}
	if _, err := c.QueryInt64(t.Context(), "SELECT fail(1, 2)"); err == nil {
		t.Error("two arguments were taken for one")
	}
	if c.Broken() != nil {
		t.Error(c.Broken())
	}
}

func TestADeterministicFunctionMayBeIndexedAndAnotherMayNot(t *testing.T) {
	c := open(t, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "trusted_schema", Value: "OFF", Want: "0"}}})
	twice := func(args []sqlite.Value) (any, error) { return 2 * args[0].Int64(), nil }
	create(t, c, "twice", 1, twice)
	exec(t, c, "CREATE TABLE t (a, b AS (twice(a))); CREATE INDEX t_b ON t (twice(a)); INSERT INTO t VALUES (1), (2), (3); CREATE VIEW v AS SELECT twice(a) AS c FROM t")
	if n, err := c.QueryInt64(t.Context(), "SELECT sum(b) + sum(c) FROM t, v WHERE twice(a) = 4"); n != 24 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := c.CreateFunction("once", 1, false, twice); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(t.Context(), "CREATE INDEX t_once ON t (once(a))"); err == nil {
		t.Error("an index on a function that is not deterministic")
	}
}

func TestACollationInGoOrdersAndCompares(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	byLength := func(a, b string) int {
		if len(a) != len(b) {
			return 1000 * (len(a) - len(b))
		}
		return strings.Compare(a, b)
	}
	if err := c.CreateCollation("by_length", byLength); err != nil {
		t.Fatal(err)
	}
	exec(t, c, "CREATE TABLE t (a TEXT COLLATE by_length UNIQUE); INSERT INTO t VALUES ('ccc'), ('a'), ('bb'), ('')")
	got, err := c.QueryText(t.Context(), "SELECT group_concat(a) FROM (SELECT a FROM t ORDER BY a)")
	if got != ",a,bb,ccc" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := c.CreateCollation("broken", func(a, b string) int { panic("broken") }); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if p := recover(); p != "broken" || c.Broken() == nil {
			t.Errorf("a collation that panics: %v; the connection says %v", p, c.Broken())
		}
	}()
	_, err = c.QueryText(t.Context(), "SELECT a FROM t ORDER BY a COLLATE broken")
	t.Errorf("the panic was swallowed: %v", err)
}

func TestFunctionsBelongToTheirConnection(t *testing.T) {
	for _, args := range []int{0, 1} {
		a, b := open(t, sqlite.Options{Create: true}), open(t, sqlite.Options{Create: true})
		create(t, a, "who", args, func([]sqlite.Value) (any, error) { return "a", nil })
		create(t, a, "who", args, func([]sqlite.Value) (any, error) { return "the second a", nil })
		list := strings.Repeat("1", args)
		if got, err := a.QueryText(t.Context(), "SELECT who("+list+")"); got != "the second a" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := b.QueryText(t.Context(), "SELECT who("+list+")"); err == nil {
			t.Error("known on another connection")
		}
	}
	c := open(t, sqlite.Options{Create: true})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateFunction("f", 0, true, func([]sqlite.Value) (any, error) { return nil, nil }); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("on a closed connection: %v", err)
	}
	if err := open(t, sqlite.Options{Create: true}).CreateCollation("", strings.Compare); err == nil {
		t.Error("a collation without a name")
	}
	if err := open(t, sqlite.Options{Create: true}).CreateFunction("f", 2000, true, func([]sqlite.Value) (any, error) { return nil, nil }); err == nil {
		t.Error("a function of 2000 arguments")
	}
}

func TestFunctionsAndCollationsSurviveRepeatedGarbageCollection(t *testing.T) {
	collect(t)
	c := open(t, sqlite.Options{Create: true})
	for round := range 20 {
		salt := fmt.Sprint(round) // captured, so that the closure is on the heap
		create(t, c, "salted", 1, func(args []sqlite.Value) (any, error) { return args[0].Text() + salt, nil })
		if err := c.CreateCollation("backwards", func(a, b string) int { return strings.Compare(b, a) * len(salt) }); err != nil {
			t.Fatal(err)
		}
		got, err := c.QueryText(context.Background(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
			SELECT group_concat(s) FROM (SELECT salted(i) AS s FROM n ORDER BY s COLLATE backwards LIMIT 3)`)
		var want []string
		for i := 1; i <= 500; i++ {
			want = append(want, fmt.Sprint(i)+salt)
		}
		slices.Sort(want)
		slices.Reverse(want)
		if got != strings.Join(want[:3], ",") || err != nil {
			t.Fatalf("round %d: %q, %v", round, got, err)
		}
	}
}
