package slt_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/lidodb/lido/suites/slt"
)

func run(t *testing.T, script string) slt.Counts {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	counts, err := slt.Run(t.Context(), db, strings.NewReader(script))
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

const tables = `
# Comments go before a record.
statement ok
CREATE TABLE t(a INTEGER, b REAL, c TEXT)

statement ok
INSERT INTO t VALUES (2, 0.5, 'two'), (1, 1.0, ''), (NULL, NULL, char(9))

`

func TestRecordsThatHoldPass(t *testing.T) {
	counts := run(t, tables+`
statement error
INSERT INTO nowhere VALUES (1)

query IRT rowsort
SELECT a, b, c FROM t WHERE a > 0
----
1
1.000
(empty)
2
0.500
two

query T nosort
SELECT c FROM t WHERE a IS NULL
----
@

query I valuesort label-1
SELECT a FROM t ORDER BY a DESC
----
1
2
NULL

query I valuesort label-1
SELECT a FROM t ORDER BY a
----
1
2
NULL

query I nosort
SELECT a FROM t WHERE a > 2
----

hash-threshold 2

query I nosort
SELECT a FROM t ORDER BY a DESC
----
3 values hashing to 7086113803ae3848776d385b7d4999db

skipif sqlite
query I nosort
SELECT 1
----
2

onlyif mysql # not this one
statement ok
nonsense

onlyif mysql
halt

onlyif sqlite
statement ok
SELECT 1

halt

statement ok
nonsense
`)
	if len(counts.Failures) > 0 || counts.Passed != 10 || counts.Skipped != 2 {
		t.Errorf("got %+v, want 10 passed and 2 skipped", counts)
	}
}

func TestRecordsThatDoNotHoldFail(t *testing.T) {
	for name, record := range map[string]string{
		"a statement fails":       "statement ok\nnonsense",
		"a statement succeeds":    "statement error\nSELECT 1",
		"a query fails":           "query I nosort\nnonsense\n----\n1",
		"another value":           "query I nosort\nSELECT a FROM t WHERE a = 1\n----\n2",
		"a value too many":        "query I nosort\nSELECT a FROM t WHERE a = 1\n----\n1\n1",
		"a value too few":         "query I nosort\nSELECT a FROM t WHERE a > 0 ORDER BY a\n----\n1",
		"another order":           "query I nosort\nSELECT a FROM t WHERE a > 0 ORDER BY a\n----\n2\n1",
		"another number of types": "query II nosort\nSELECT a FROM t WHERE a = 1\n----\n1",
		"another hash":            "hash-threshold 1\n\nquery I nosort\nSELECT a FROM t WHERE a > 0 ORDER BY a\n----\n2 values hashing to 00000000000000000000000000000000",
		"another label":           "query I nosort x\nSELECT a FROM t WHERE a = 1\n----\n1\n\nquery I nosort x\nSELECT a FROM t WHERE a = 2\n----\n2",
	} {
		if counts := run(t, tables+record+"\n"); len(counts.Failures) != 1 {
			t.Errorf("%s: got %+v, want one failure", name, counts)
		}
	}
}

func TestAScriptThatIsNoneIsAnError(t *testing.T) {
	for _, script := range []string{"statement\nSELECT 1", "query X\nSELECT 1", "hash-threshold many", "unknown"} {
		if _, err := slt.Run(t.Context(), nil, strings.NewReader(script)); err == nil {
			t.Errorf("%q is accepted", script)
		}
	}
}
