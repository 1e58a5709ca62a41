package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido/sqlite"
)

func TestVerifyChecks_findsViolationsWithoutWriting(t *testing.T) {
	ctx := t.Context()
	for _, mode := range []string{"delete", "wal"} {
		path := filepath.Join(t.TempDir(), "test.db")
		w, err := sqlite.Open(ctx, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: mode}}})
		if err != nil {
			t.Fatal(err)
		}
		err = w.Exec(ctx, "CREATE TABLE t (x CHECK (x > 0)); PRAGMA ignore_check_constraints = 1; INSERT INTO t VALUES (0), (1), (-1)")
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, opt := range map[string]sqlite.Options{
			"read-only": {ReadOnly: true, VerifyChecks: true},
			"immutable": {ReadOnly: true, Immutable: true, VerifyChecks: true},
			"writable":  {},
			"not asked": {ReadOnly: true},
		} {
			c, err := sqlite.Open(ctx, path, opt)
			if err != nil {
				t.Fatalf("%s, %s: %v", mode, name, err)
			}
			want := "CHECK constraint failed in t,CHECK constraint failed in t"
			if name == "not asked" {
				want = "ok"
			}
			for _, pragma := range []string{"integrity_check", "quick_check"} {
				got, err := c.QueryText(ctx, "SELECT group_concat("+pragma+") FROM pragma_"+pragma)
				if err != nil || got != want {
					t.Errorf("%s, %s: %s answers %q, %v", mode, name, pragma, got, err)
				}
			}
			if opt.VerifyChecks {
				for _, sql := range []string{"INSERT INTO t VALUES (2)", "CREATE TABLE u (x)", "PRAGMA user_version = 7", "VACUUM",
					"BEGIN IMMEDIATE; INSERT INTO t VALUES (2)", "PRAGMA query_only = 0", "PRAGMA main.Query_Only(off)"} {
					if err := c.Exec(ctx, sql); err == nil {
						t.Errorf("%s, %s: %q is not refused", mode, name, sql)
					}
					if err := c.Rollback(); err != nil {
						t.Error(err)
					}
				}
			}
			if err := c.Close(); err != nil {
				t.Errorf("%s, %s: %v", mode, name, err)
			}
		}
		after, err := os.ReadFile(path)
		if err != nil || string(after) != string(before) {
			t.Errorf("%s: the file has changed, %v", mode, err)
		}
	}
}
