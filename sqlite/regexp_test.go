package sqlite_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

func TestRegexpMatchesAsGoDoes(t *testing.T) {
	c := open(t, sqlite.Options{Create: true, OnOpen: sqlite.Regexp})
	for expr, want := range map[string]string{
		`'lido' REGEXP 'id'`:               "1",
		`'lido' REGEXP '^id'`:              "0",
		`'lido' REGEXP '^l.*o$'`:           "1",
		`'lido' NOT REGEXP 'x'`:            "1",
		`'LIDO' REGEXP 'lido'`:             "0",
		`'LIDO' REGEXP '(?i)lido'`:         "1",
		`'Straße' REGEXP '\pL{6}'`:         "1",
		`'' REGEXP ''`:                     "1",
		`'' REGEXP '.'`:                    "0",
		`1234 REGEXP '^\d+$'`:              "1",
		`x'6c69646f' REGEXP 'lido'`:        "1",
		`'a' || char(0) || 'b' REGEXP 'b'`: "1",
		`regexp('id', 'lido')`:             "1",
		`NULL REGEXP 'x'`:                  "NULL",
		`'x' REGEXP NULL`:                  "NULL",
		`NULL REGEXP '['`:                  "NULL",
		`NULL REGEXP NULL`:                 "NULL",
	} {
		if got, err := c.QueryText(t.Context(), "SELECT quote("+expr+")"); got != want || err != nil {
			t.Errorf("%s is %s, %v, want %s", expr, got, err, want)
		}
	}
}

func TestAPatternThatIsNoneFailsItsStatementAndSaysWhy(t *testing.T) {
	c := open(t, sqlite.Options{Create: true, OnOpen: sqlite.Regexp})
	for pattern, want := range map[string]string{
		"a[":                          "regexp: error parsing regexp: missing closing ]: `[`",
		"(?=a)":                       "invalid or unsupported Perl syntax",
		strings.Repeat("a", 16<<10+1): "a pattern of 16385 bytes",
		"((a{100}){100}){100}":        "invalid repeat count",
	} {
		for range 2 {
			_, err := c.QueryText(t.Context(), "SELECT 'a' REGEXP '"+pattern+"'")
			var e *lido.Error
			if !errors.As(err, &e) || e.Code != 1 || !strings.Contains(err.Error(), want) {
				t.Errorf("%.20s: %v, want %q", pattern, err, want)
			}
		}
	}
	if got, err := c.QueryText(t.Context(), "SELECT 'a' REGEXP 'a'"); got != "1" || err != nil {
		t.Error(got, err)
	}
}

func TestRegexpServesConstraintsIndexesAndManyPatterns(t *testing.T) {
	c := open(t, sqlite.Options{Create: true, OnOpen: sqlite.Regexp, Pragmas: []sqlite.Pragma{{Name: "trusted_schema", Value: "0"}}})
	ctx := t.Context()
	err := c.Exec(ctx, `CREATE TABLE t(code TEXT CHECK (code REGEXP '^[a-z]+\d+$'), has AS (code REGEXP '9'));
		CREATE INDEX t_has ON t(code REGEXP '7');
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 299) INSERT INTO t(code) SELECT 'c' || i FROM n`)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(ctx, "INSERT INTO t(code) VALUES ('7c')"); !errors.Is(err, lido.ErrCheck) {
		t.Error(err)
	}
	// More patterns than are kept, one for each row, and the same ones again.
	for range 2 {
		n, err := c.QueryInt64(ctx, "SELECT count(*) FROM t AS x JOIN t AS y ON y.rowid = 301 - x.rowid WHERE x.code REGEXP '^' || x.code || '$' AND NOT x.code REGEXP '^' || y.code || '$'")
		if n != 300 || err != nil {
			t.Error(n, err)
		}
		runtime.GC()
	}
	if n, err := c.QueryInt64(ctx, "SELECT count(*) FROM t WHERE has"); n != 57 || err != nil {
		t.Error(n, err)
	}
}

func BenchmarkRegexp(b *testing.B) {
	c, err := sqlite.Open(b.Context(), ":memory:", sqlite.Options{Create: true, OnOpen: sqlite.Regexp})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(b.Context(), "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT 'someone' || i || '@example.com' AS v FROM n"); err != nil {
		b.Fatal(err)
	}
	for _, where := range []string{"v REGEXP '9@'", "v LIKE '%9@%'"} {
		b.Run(fmt.Sprintf("1000 rows %s", where), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.QueryInt64(b.Context(), "SELECT count(*) FROM t WHERE "+where); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
