package health_test

import (
	"strings"
	"testing"

	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/pool"
)

func TestForeignKeys_thatCannotBeCheckedAreDegradedAndExplained(t *testing.T) {
	db := open(t, pool.Config{})
	exec(t, db, `CREATE TABLE nodes (num INTEGER, source TEXT, PRIMARY KEY (num, source)); INSERT INTO nodes VALUES (1, 'a');
		PRAGMA foreign_keys = OFF; CREATE TABLE messages (id INTEGER PRIMARY KEY, node INTEGER REFERENCES nodes (num)); INSERT INTO messages VALUES (1, 1);`)
	res := run(t, db, health.Config{}, health.ForeignKeys)
	want(t, res, health.Degraded, "foreign key mismatch: nodes has no unique index on exactly the columns of messages (node) -> nodes (num)")
	if !strings.Contains(res.Remedy, "make a unique index on nodes (num), or rebuild messages") {
		t.Errorf("remedy %q", res.Remedy)
	}
	exec(t, db, `PRAGMA foreign_keys = OFF; CREATE TABLE lost (x REFERENCES gone); INSERT INTO lost VALUES (1)`)
	res = run(t, db, health.Config{}, health.ForeignKeys)
	want(t, res, health.Failed, "lost refers to the table gone, which does not exist")
	if !strings.Contains(res.Remedy, "create the table gone") {
		t.Errorf("remedy %q", res.Remedy)
	}
}

func TestChecks_thatRowsBreakAreFoundOnTheLiveDatabase(t *testing.T) {
	db := open(t, pool.Config{})
	exec(t, db, `CREATE TABLE t (x CHECK (x > 0)); PRAGMA ignore_check_constraints = ON;
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t SELECT -i FROM n; PRAGMA ignore_check_constraints = OFF;`)
	for _, name := range []string{health.QuickCheck, health.IntegrityCheck} {
		res := run(t, db, health.Config{}, name)
		want(t, res, health.Failed, "CHECK constraint failed in t (200 rows)")
		if !strings.Contains(res.Remedy, "correct the rows") {
			t.Errorf("%s: remedy %q", name, res.Remedy)
		}
		want(t, run(t, db, health.Config{WholeCheckBytes: -1}, name), health.Failed, "CHECK constraint failed in t (100 rows or more)")
	}
}
