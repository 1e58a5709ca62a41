package stdlib_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

func TestAByteOrderMarkHidesNoTransactionControl(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	tx := begin(t, handle)
	if _, err := tx.Exec("DELETE FROM people; \ufeffCOMMIT; INSERT INTO people (name) VALUES ('Alan')"); err == nil || !strings.Contains(err.Error(), "COMMIT") {
		t.Errorf("a hidden COMMIT: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 2)
}

// The engine rolls back what a *sql.Conn has begun by SQL. What follows must
// not run in autocommit: its author believes that ROLLBACK will undo it.
func TestNothingRunsAfterTheEngineHasRolledBackWhatSQLBegan(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	ctx := context.Background()
	const spoil = "INSERT OR ROLLBACK INTO people (name) VALUES ('Ada')"
	for name, c := range map[string]struct{ begin, end string }{
		"BEGIN":         {"BEGIN", "ROLLBACK"},
		"SAVEPOINT":     {"SAVEPOINT a", "ROLLBACK"},
		"END":           {"BEGIN IMMEDIATE", "END"},
		"COMMIT":        {"BEGIN", "COMMIT"},
		"in one text":   {"BEGIN; INSERT INTO people (name) VALUES ('x'); " + spoil, "ROLLBACK"},
		"closed":        {"BEGIN", ""},
		"another table": {"CREATE TEMP TABLE IF NOT EXISTS scratch (x); BEGIN", "ROLLBACK"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := session(t, handle)
			if strings.Contains(c.begin, spoil) {
				if _, err := conn.ExecContext(ctx, c.begin); !errors.Is(err, lido.ErrUnique) {
					t.Fatal(err)
				}
			} else {
				exec(t, conn, c.begin)
				exec(t, conn, "INSERT INTO people (name) VALUES ('x')")
				if _, err := conn.ExecContext(ctx, spoil); !errors.Is(err, lido.ErrUnique) {
					t.Fatal(err)
				}
			}
			for _, text := range []string{"INSERT INTO people (name) VALUES ('y')", "SELECT 1", "BEGIN", "ROLLBACK TO a", "PRAGMA user_version = 3"} {
				if _, err := conn.ExecContext(ctx, text); !errors.Is(err, lido.ErrClosed) || !errors.Is(err, lido.ErrUnique) {
					t.Errorf("%s: %v, want lido.ErrClosed and the reason", text, err)
				}
			}
			if err := conn.QueryRowContext(ctx, "INSERT INTO people (name) VALUES ('y') RETURNING id").Scan(new(int)); !errors.Is(err, lido.ErrClosed) {
				t.Errorf("Query: %v, want lido.ErrClosed", err)
			}
			if _, err := conn.BeginTx(ctx, nil); !errors.Is(err, lido.ErrClosed) {
				t.Errorf("BeginTx: %v, want lido.ErrClosed", err)
			}
			if c.end != "" {
				_, err := conn.ExecContext(ctx, c.end)
				if ok := c.end == "ROLLBACK"; ok != (err == nil) {
					t.Errorf("%s: %v", c.end, err)
				}
				exec(t, conn, "UPDATE people SET name = name")
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 2)
			equal(t, "writers held", db.Stat().Writer.InUse, 0)
		})
	}
}

func TestWhatWasLostThroughTheDBDoesNotStayWithItsHandles(t *testing.T) {
	_, handle := open(t, pool.Config{})
	handle.SetMaxOpenConns(1)
	exec(t, handle, people)
	if _, err := handle.Exec("BEGIN; DELETE FROM people WHERE id = 2; INSERT OR ROLLBACK INTO people (name) VALUES ('Ada')"); !errors.Is(err, lido.ErrUnique) {
		t.Fatal(err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 2)
	exec(t, handle, "DELETE FROM people")
	if err := begin(t, handle).Commit(); err != nil {
		t.Error(err)
	}
}

func TestReleaseOfTheOutermostSavepointEndsWhatItBegan(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	c := session(t, handle)
	exec(t, c, "SAVEPOINT a; DELETE FROM people; RELEASE a")
	exec(t, c, "INSERT INTO people (name) VALUES ('Alan')")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 1)
}

func TestAFaultInAStatementThatCommitsByItselfLeavesTheOutcomeUnknown(t *testing.T) {
	db, handle := open(t, pool.Config{CacheBytes: 64 << 10})
	exec(t, handle, `CREATE TABLE item (id INTEGER PRIMARY KEY, x BLOB);
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO item SELECT i, randomblob(1000) FROM n`)
	if _, err := db.Checkpoint(t.Context(), sqlite.Truncate); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM item"), 2000)
	image, err := os.ReadFile(db.Path()) // safe: locks belong to descriptors here
	if err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func() error{
		"Exec": func() error { _, err := handle.Exec("UPDATE item SET x = 1"); return err },
		"Query": func() error {
			return handle.QueryRow("UPDATE item SET x = 1 RETURNING id").Scan(new(int))
		},
	} {
		if err := os.Truncate(db.Path(), 4096); err != nil {
			t.Fatal(err)
		}
		if err := run(); !errors.Is(err, lido.ErrCommitUnknown) {
			t.Errorf("%s: %v, want lido.ErrCommitUnknown", name, err)
		}
		if err := os.WriteFile(db.Path(), image, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := handle.Exec("INSERT INTO item VALUES (1, 1)"); err == nil || errors.Is(err, lido.ErrCommitUnknown) {
		t.Errorf("a row that exists: %v", err)
	}
}
