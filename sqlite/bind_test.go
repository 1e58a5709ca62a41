package sqlite

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// bindings are values and the two ways to bind them: ours, and by the engine
// alone with a copy of its own.
var bindings = []binding{
	{"null", func(s *Stmt, i int) { s.BindNull(i) }, func(s *Stmt, i int) int32 { return lib.Xsqlite3_bind_null(s.conn.tls, s.stmt, int32(i)) }},
	integer(0), integer(1), integer(2), integer(math.MinInt64), integer(math.MaxInt64),
	number(0.5), number(math.Inf(-1)),
	text(""), text("x"), text("a\x00b\x00"), text("häßlich 𝄞"), text("a%"), text("\xff\xfe"), text("\ufeffx"), text("12"),
	text(strings.Repeat("long ", 1000)),
	blob([]byte{}), blob([]byte("a\x00b")), blob(make([]byte, 5000)),
}

type binding struct {
	name   string
	ours   func(s *Stmt, i int)
	engine func(s *Stmt, i int) int32
}

func integer(n int64) binding {
	return binding{fmt.Sprint(n), func(s *Stmt, i int) { s.BindInt64(i, n) },
		func(s *Stmt, i int) int32 { return lib.Xsqlite3_bind_int64(s.conn.tls, s.stmt, int32(i), n) }}
}

func number(f float64) binding {
	return binding{fmt.Sprint(f), func(s *Stmt, i int) { s.BindFloat64(i, f) },
		func(s *Stmt, i int) int32 { return lib.Xsqlite3_bind_double(s.conn.tls, s.stmt, int32(i), f) }}
}

func text(v string) binding {
	return binding{fmt.Sprintf("%.20q", v), func(s *Stmt, i int) { s.BindText(i, v) }, func(s *Stmt, i int) int32 {
		p, free := stays(s, v)
		return lib.Xsqlite3_bind_text(s.conn.tls, s.stmt, int32(i), p, int32(len(v)), free)
	}}
}

func blob(v []byte) binding {
	return binding{fmt.Sprintf("%.20x", v), func(s *Stmt, i int) { s.BindBlob(i, v) }, func(s *Stmt, i int) int32 {
		p, free := stays(s, string(v))
		return lib.Xsqlite3_bind_blob(s.conn.tls, s.stmt, int32(i), p, int32(len(v)), free)
	}}
}

// stays copies v to where it stays, or is freed by the engine if it is long.
func stays(s *Stmt, v string) (p, free uintptr) {
	p = cString(s.conn.tls, v)
	if len(v) > arenaBytes {
		free = freeFunction
	}
	return p, free
}

func TestValuesAreBoundAsTheEngineBindsThem(t *testing.T) {
	ctx := context.Background()
	for _, encoding := range []string{"UTF-8", "UTF-16le", "UTF-16be"} {
		c, err := Open(ctx, ":memory:", Options{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Exec(ctx, "PRAGMA encoding='"+encoding+"'; CREATE TABLE t(x TEXT COLLATE NOCASE, y); CREATE INDEX t_x ON t(x); INSERT INTO t VALUES('ab', 1)"); err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{
			"SELECT typeof(?1), quote(?1), hex(CAST(?1 AS BLOB)), length(?1), ?1 || 'x', ?1 + 1, ?2",
			"SELECT y, ?2 FROM t WHERE x LIKE ?1", // the plan depends on the value
			"SELECT y, ?2 FROM t WHERE x > ?1 LIMIT 1",
		} {
			// A second Prepare of the text gives a second statement.
			ours, err := c.Prepare(ctx, sql)
			if err != nil {
				t.Fatal(err)
			}
			engines, err := c.Prepare(ctx, sql)
			if err != nil {
				t.Fatal(err)
			}
			bindings := bindings
			if encoding != "UTF-8" { // which has no form for these bytes, so they are refused
				bindings = slices.DeleteFunc(slices.Clone(bindings), func(b binding) bool { return b.name == text("\xff\xfe").name })
			}
			for _, before := range bindings {
				for _, b := range bindings {
					what := fmt.Sprintf("%s: %s: %s after %s", encoding, sql, b.name, before.name)
					for range 2 { // a value that is replaced, and one of the run before
						before.ours(ours, 1)
						before.ours(ours, 2)
						b.ours(ours, 1)
						if rc := max(before.engine(engines, 1), before.engine(engines, 2), b.engine(engines, 1)); rc != 0 {
							t.Fatal(what, rc)
						}
						if got, want := held(ours, 1), held(engines, 1); got != want {
							t.Errorf("%s: held as %v, want %v", what, got, want)
						}
						got, want := answer(t, ours), answer(t, engines)
						if !slices.Equal(got, want) {
							t.Errorf("%s: %q, want %q", what, got, want)
						}
						planned := func(s *Stmt) int32 {
							return lib.Xsqlite3_stmt_status(c.tls, s.stmt, lib.SQLITE_STMTSTATUS_REPREPARE, 0)
						}
						if got, want := planned(ours), planned(engines); got != want {
							t.Fatalf("%s: planned anew %d times, want %d", what, got, want)
						}
						if err := ours.Reset(); err != nil {
							t.Fatal(err)
						}
						if err := engines.Reset(); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			if err := ours.Close(); err != nil {
				t.Error(err)
			}
			if err := engines.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// answer steps s and returns what its row holds. The parameters are the
// engine's own affair here.
func answer(t *testing.T, s *Stmt) (row []string) {
	t.Helper()
	s.boundCount = len(s.bound)
	ok, err := s.Step()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ok && i < s.ColumnCount(); i++ {
		row = append(row, fmt.Sprintf("%s:%x", s.ColumnType(i), s.ColumnBlob(i, nil)))
	}
	return row
}

// held is how the engine holds parameter i, but for its bytes.
func held(s *Stmt, i int) [5]any {
	vm := (*lib.TVdbe)(pointer(s.stmt))
	v := (*cell)(pointer(vm.FaVar + uintptr(i-1)*cellSize))
	switch {
	case v.Fflags&(lib.MEM_Str|lib.MEM_Blob) != 0:
		return [5]any{v.Fflags, v.Fn, v.Fenc, v.FxDel, v.FszMalloc}
	case v.Fflags&lib.MEM_Null != 0:
		return [5]any{v.Fflags}
	}
	return [5]any{v.Fflags, *(*uint64)(unsafe.Pointer(&v.Fu))} // NaN or not
}

func TestBind_an_empty_value_has_an_address_of_the_arena(t *testing.T) {
	c, err := Open(t.Context(), ":memory:", Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	full := strings.Repeat("x", arenaBytes)
	for name, bind := range map[string]func(s *Stmt){
		"text first":        func(s *Stmt) { s.BindText(2, "") },
		"blob first":        func(s *Stmt) { s.BindBlob(2, []byte{}) },
		"text after others": func(s *Stmt) { s.BindText(1, "x"); s.BindText(2, "") },
		"text when full":    func(s *Stmt) { s.BindText(1, full); s.BindText(2, "") },
		"blob when full":    func(s *Stmt) { s.BindText(1, full); s.BindBlob(2, []byte{}) },
	} {
		s, err := c.Prepare(t.Context(), "SELECT ?1, ?2")
		if err != nil {
			t.Fatal(err)
		}
		bind(s)
		vm := (*lib.TVdbe)(pointer(s.stmt))
		at := (*cell)(pointer(vm.FaVar + cellSize)).Fz
		if s.arena == 0 || at < s.arena || at > s.arena+arenaBytes {
			t.Errorf("%s: the engine has the address %#x, want one in %#x to %#x", name, at, s.arena, s.arena+arenaBytes)
		}
		if _, err := s.Step(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// freed counts what the engine has freed; freeing is how it is told to.
var freed int

func freeing(tls *libc.TLS, p uintptr) {
	freed++
	lib.Xsqlite3_free(tls, p)
}

func TestAValueThatIsReplacedIsFreed(t *testing.T) {
	defer func(before uintptr) { freeFunction = before }(freeFunction)
	freeFunction = function(freeing)
	ctx := context.Background()
	c, err := Open(ctx, ":memory:", Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Prepare(ctx, "SELECT ?1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	long := strings.Repeat("x", 1000)
	for _, replace := range []func(){
		func() { s.BindNull(1) },
		func() { s.BindInt64(1, 7) },
		func() { s.BindFloat64(1, 7) },
		func() { s.BindText(1, "short") },
		func() { s.BindText(1, long) },
		func() { s.BindBlob(1, []byte("short")) },
	} {
		s.BindText(1, long)
		freed = 0
		replace()
		if freed != 1 {
			t.Errorf("freed %d values, want 1", freed)
		}
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALimitOnLengthHoldsForShortTextToo(t *testing.T) {
	ctx := context.Background()
	c, err := Open(ctx, ":memory:", Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Prepare(ctx, "SELECT ?1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c.Limit(LimitLength, 50)
	s.BindText(1, strings.Repeat("x", 50))
	if _, err := s.Step(); err != nil {
		t.Fatal(err)
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	s.BindText(1, strings.Repeat("x", 51))
	if _, err := s.Step(); err == nil || !strings.Contains(err.Error(), "parameter 1") {
		t.Error("text over the limit was bound:", err)
	}
}
