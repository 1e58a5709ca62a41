package constraint_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/internal/constraint"
	"github.com/lidodb/lido/sqlite"
)

// open makes a database, and opens it again as a check does.
func open(t *testing.T, sql string) *sqlite.Conn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	c, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(t.Context(), "PRAGMA ignore_check_constraints = ON; "+sql); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c, err = sqlite.Open(t.Context(), path, sqlite.Options{ReadOnly: true, Immutable: true, VerifyChecks: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestCheck_countsRowsThatBreakConstraints(t *testing.T) {
	const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) INSERT INTO t SELECT -i FROM n;"
	for name, c := range map[string]struct{ sql, table, want string }{
		"none":                {"CREATE TABLE t (x CHECK (x > 0)); INSERT INTO t VALUES (1), (NULL)", "", "[] false"},
		"a CHECK":             {"CREATE TABLE t (x CHECK (x > 0));" + many, "", "[{CHECK constraint failed in t 1500}] false"},
		"a CHECK, by table":   {"CREATE TABLE t (x CHECK (x > 0));" + many, "t", "[{CHECK constraint failed in t 100}] true"},
		"a CHECK of two rows": {"CREATE TABLE u (x); CREATE TABLE t (x, CHECK (x <> 1) CHECK (x <> 2)); INSERT INTO t VALUES (1), (2), (3)", "", "[{CHECK constraint failed in t 2}] false"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pragma := range []string{"integrity_check", "quick_check"} {
				r, err := constraint.Check(t.Context(), open(t, c.sql), pragma, c.table, 10)
				if got := fmt.Sprint(r.Broken, r.More); err != nil || got != c.want || len(r.Damage) > 0 {
					t.Errorf("%s: %s, damage %q, %v, want %s", pragma, got, r.Damage, err, c.want)
				}
			}
		})
	}
}

func TestBroken_tellsRowsFromDamage(t *testing.T) {
	for finding, want := range map[string]bool{
		"CHECK constraint failed in t":                             true,
		"NULL value in t.x":                                        true,
		"TEXT value in t.x":                                        true,
		"NUMERIC value in t.x":                                     true,
		"non-INTEGER value in t.x":                                 true,
		"row 1 missing from index non-X value in t":                false,
		"wrong # of entries in index i":                            false,
		"Tree 2 page 2: btreeInitPage() returns error code 11":     false,
		"non-unique entry in index i":                              false,
		"Freelist: freelist leaf count too big on page 7":          false,
		"NULL values in t.x are only mentioned: CHECK of the file": false,
	} {
		if got := constraint.Broken(finding); got != want {
			t.Errorf("%q: %v", finding, got)
		}
	}
}

// NOT NULL and the types of STRICT tables cannot be turned off, but a tool that
// writes the schema itself can add them to a table that has rows.
func TestCheck_rowsOfAnEditedSchema(t *testing.T) {
	const before = "CREATE TABLE t (x /*                    */, y TEXT /* */)"
	for after, want := range map[string]string{
		"CREATE TABLE t (x NOT NULL /* */, y TEXT)":       "[{NULL value in t.x 1}]",
		"CREATE TABLE t (x INTEGER /* */, y TEXT) STRICT": "[{non-INTEGER value in t.x 1}]",
	} {
		after = fit(after, len(before))
		path := filepath.Join(t.TempDir(), "test.db")
		c, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Exec(t.Context(), before+"; INSERT INTO t VALUES (NULL, 'a'), ('b', 'c'), (1, 'd')"); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Replace(data, []byte(before), []byte(after), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err = sqlite.Open(t.Context(), path, sqlite.Options{ReadOnly: true, VerifyChecks: true})
		if err != nil {
			t.Fatal(err)
		}
		r, err := constraint.Check(t.Context(), c, "integrity_check", "", 10)
		if got := fmt.Sprint(r.Broken); err != nil || len(r.Damage) > 0 || got != want {
			t.Errorf("%s: %s, damage %q, %v, want %s", after, got, r.Damage, err, want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// fit makes sql longer, in its comment.
func fit(sql string, length int) string {
	return strings.Replace(sql, "/*", "/*"+strings.Repeat(" ", length-len(sql)), 1)
}
