package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// listen makes c note how its transactions end, and returns what it has noted
// since it was last asked: "committed a b", with "schema" before the tables.
func listen(c *sqlite.Conn) func() []string {
	var heard []string
	c.OnEnding(func(e sqlite.Ending) {
		words := []string{e.Outcome.String()}
		if e.Schema {
			words = append(words, "schema")
		}
		heard = append(heard, strings.Join(append(words, slices.Sorted(slices.Values(e.Tables))...), " "))
	})
	return func() []string {
		h := heard
		heard = nil
		return h
	}
}

const endingSchema = `
	CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
	CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON DELETE CASCADE);
	CREATE TABLE grandchild(id INTEGER PRIMARY KEY, child REFERENCES child(id) ON DELETE SET NULL);
	CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, text);
	CREATE TABLE watched(a);
	CREATE TABLE watched_log(a);
	CREATE TRIGGER t1 AFTER INSERT ON watched BEGIN INSERT INTO watched_log VALUES(new.a); END;
	CREATE VIEW v AS SELECT name FROM parent;
	CREATE TRIGGER t2 INSTEAD OF INSERT ON v BEGIN INSERT INTO parent(name) VALUES(new.name); END;
	CREATE VIRTUAL TABLE search USING fts5(body);
	CREATE VIRTUAL TABLE box USING rtree(id, x0, x1);
	CREATE TABLE "a.b"(x);
`

func TestOnEndingNamesTheTablesWritten(t *testing.T) {
	ctx := t.Context()
	for _, test := range []struct {
		name, before, sql string
		want              []string
	}{
		{"insert", "", "INSERT INTO parent(name) VALUES('a')", []string{"committed parent"}},
		{"nothing changed", "", "UPDATE parent SET name = 'x' WHERE id = 9", []string{"committed"}},
		{"read", "", "SELECT * FROM parent", nil},
		{"the table's own books", "", "INSERT INTO log(text) VALUES('a')", []string{"committed log"}},
		{"trigger", "", "INSERT INTO watched VALUES(1)", []string{"committed watched watched_log"}},
		{"view", "", "INSERT INTO v VALUES('a')", []string{"committed parent"}},
		{"cascade", "INSERT INTO parent VALUES(1,'a'); INSERT INTO child VALUES(1,1); INSERT INTO grandchild VALUES(1,1)",
			"DELETE FROM parent", []string{"committed child grandchild parent"}},
		{"truncating delete", "INSERT INTO log(text) VALUES('a'),('b')", "DELETE FROM log", []string{"committed log"}},
		{"full text", "", "INSERT INTO search VALUES('some words')", []string{"committed search"}},
		{"rtree", "", "INSERT INTO box VALUES(1,0,1)", []string{"committed box"}},
		{"dot in a name", "", `INSERT INTO "a.b" VALUES(1)`, []string{"committed a.b"}},
		{"create", "", "CREATE TABLE fresh(a)", []string{"committed schema fresh"}},
		{"create as", "", "CREATE TABLE fresh AS SELECT 1 AS a", []string{"committed schema fresh"}},
		{"create full text", "", "CREATE VIRTUAL TABLE words USING fts5(a)", []string{"committed schema words"}},
		{"alter", "", "ALTER TABLE log ADD COLUMN more", []string{"committed schema log"}},
		{"drop", "", "DROP TABLE log", []string{"committed schema log"}},
		{"drop full text", "", "DROP TABLE search", []string{"committed schema search"}},
		{"index", "", "CREATE INDEX i ON log(text)", []string{"committed schema"}},
		{"view made", "", "CREATE VIEW w AS SELECT 1", []string{"committed schema"}},
		{"temporary", "CREATE TEMP TABLE mine(a)", "INSERT INTO mine VALUES(1)", []string{"committed"}},
		{"attached", "ATTACH ':memory:' AS other; CREATE TABLE other.log(a)", "INSERT INTO other.log VALUES(1)", []string{"committed other.log"}},
		{"transaction", "", "BEGIN; INSERT INTO log(text) VALUES(1); INSERT INTO parent(name) VALUES('a'); INSERT INTO log(text) VALUES(2); COMMIT", []string{"committed log parent"}},
		{"empty transaction", "", "BEGIN IMMEDIATE; COMMIT; BEGIN; SELECT * FROM log; COMMIT; BEGIN; ROLLBACK", nil},
		{"rollback", "", "BEGIN; INSERT INTO log(text) VALUES(1); ROLLBACK", []string{"rolled back log"}},
		{"savepoint alone", "", "SAVEPOINT a; INSERT INTO log(text) VALUES(1); RELEASE a", []string{"committed log"}},
		{"savepoint undone", "", "BEGIN; INSERT INTO log(text) VALUES(1); SAVEPOINT a; INSERT INTO parent(name) VALUES('a'); CREATE TABLE x(a); ROLLBACK TO a; RELEASE a; COMMIT",
			[]string{"committed log"}},
		{"written again after a savepoint undid it", "", "BEGIN; SAVEPOINT a; INSERT INTO log(text) VALUES(1); ROLLBACK TO a; INSERT INTO log(text) VALUES(1); RELEASE a; COMMIT",
			[]string{"committed log"}},
		{"savepoint undone twice, in any case", "", "BEGIN; INSERT INTO log(text) VALUES(1); SAVEPOINT a; INSERT INTO watched VALUES(1); ROLLBACK TO a; INSERT INTO parent(name) VALUES('a'); ROLLBACK TO A; COMMIT",
			[]string{"committed log"}},
		{"inner savepoint undone", "", "BEGIN; SAVEPOINT a; INSERT INTO log(text) VALUES(1); SAVEPOINT b; INSERT INTO parent(name) VALUES('a'); ROLLBACK TO b; RELEASE a; COMMIT",
			[]string{"committed log"}},
		{"outer savepoint undone", "", "BEGIN; INSERT INTO watched VALUES(1); SAVEPOINT a; INSERT INTO log(text) VALUES(1); SAVEPOINT b; INSERT INTO parent(name) VALUES('a'); RELEASE b; ROLLBACK TO a; COMMIT",
			[]string{"committed watched watched_log"}},
		{"nothing to create", "", "CREATE TABLE IF NOT EXISTS log(a); INSERT INTO parent(name) VALUES('a')", []string{"committed parent"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := map[string]func(c *sqlite.Conn){
				"exec": func(c *sqlite.Conn) { exec(t, c, test.sql) },
				"prepared twice": func(c *sqlite.Conn) {
					for sql := range strings.SplitSeq(test.sql, "; ") {
						for range 2 { // from the cache, and with what the first run has left
							s, err := c.Prepare(ctx, sql)
							if err != nil {
								t.Fatal(err)
							}
							if err := s.Close(); err != nil {
								t.Fatal(err)
							}
						}
						s := prepare(t, c, sql)
						for row := true; row; {
							var err error
							if row, err = s.Step(); err != nil {
								t.Fatal(err)
							}
						}
						if err := s.Close(); err != nil {
							t.Fatal(err)
						}
					}
				},
				"control": func(c *sqlite.Conn) {
					for sql := range strings.SplitSeq(test.sql, "; ") {
						run := c.Exec
						switch word, _, _ := strings.Cut(sql, " "); word {
						case "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE":
							run = c.Control
						}
						if err := run(ctx, sql); err != nil {
							t.Fatal(err)
						}
					}
				},
			}
			for name, run := range run {
				c := openAt(t, ":memory:", sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "foreign_keys", Value: "1"}}})
				exec(t, c, endingSchema+test.before)
				// A new connection: virtual tables prepare statements when they
				// are first used.
				heard := listen(c)
				run(c)
				if got := heard(); !slices.Equal(got, test.want) {
					t.Errorf("%s: %q, want %q", name, got, test.want)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				if got := heard(); got != nil {
					t.Errorf("%s: on Close: %q", name, got)
				}
			}
		})
	}
}

// A statement at hand is compiled anew by the engine when the schema changes,
// in the middle of Step.
func TestOnEndingKnowsTriggersThatCameLater(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, endingSchema)
	heard := listen(c)
	insert := func() {
		t.Helper()
		s := prepare(t, c, "INSERT INTO log(text) VALUES(1)")
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	insert()
	exec(t, c, "CREATE TRIGGER later AFTER INSERT ON log BEGIN INSERT INTO parent(name) VALUES(new.id); INSERT INTO search VALUES('x'); END")
	insert()
	exec(t, c, "BEGIN")
	insert()
	exec(t, c, "CREATE TRIGGER more AFTER INSERT ON log BEGIN INSERT INTO watched_log VALUES(1); END")
	insert()
	exec(t, c, "COMMIT")
	want := []string{"committed log", "committed schema", "committed log parent search", "committed schema log parent search watched_log"}
	if got := heard(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOnEndingOfAVirtualTableOnAFreshConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	first := openAt(t, path, sqlite.Options{Create: true})
	exec(t, first, endingSchema)
	c := openAt(t, path, sqlite.Options{})
	heard := listen(c)
	// R-tree compiles the statements by which it keeps its tables while the
	// first statement that names it is compiled.
	s := prepare(t, c, "INSERT INTO box VALUES(1,0,1)")
	if _, err := s.Step(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := heard(); !slices.Equal(got, []string{"committed box"}) {
		t.Errorf("%q", got)
	}
}

func TestOnEndingTellsWhatTheEngineUndoes(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, endingSchema+"INSERT INTO parent(name) VALUES('taken')")
	heard := listen(c)
	fails := func(sql string) {
		t.Helper()
		if err := c.Exec(t.Context(), sql); !errors.Is(err, lido.ErrUnique) {
			t.Fatal(err)
		}
	}
	expect := func(want ...string) {
		t.Helper()
		if got := heard(); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	fails("INSERT INTO parent(name) VALUES('taken')")
	expect("rolled back parent")

	exec(t, c, "BEGIN; INSERT INTO log(text) VALUES(1)")
	fails("INSERT OR ROLLBACK INTO parent(name) VALUES('taken')")
	expect("rolled back log parent")

	fails("INSERT OR FAIL INTO parent(name) VALUES('kept'), ('taken')")
	expect("committed parent")

	// What fails and is undone by itself counts: nobody can tell it from
	// INSERT OR FAIL.
	exec(t, c, "BEGIN; INSERT INTO log(text) VALUES(1)")
	fails("INSERT INTO parent(name) VALUES('taken')")
	exec(t, c, "COMMIT")
	expect("committed log parent")
}

// A write that stands on a row commits when it is reset.
func TestOnEndingOfAWriteThatIsLeftOnARow(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, endingSchema)
	heard := listen(c)
	s := prepare(t, c, "INSERT INTO log(text) VALUES(1),(2) RETURNING id")
	if _, err := s.Step(); err != nil {
		t.Fatal(err)
	}
	if got := heard(); got != nil {
		t.Errorf("before the commit: %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := heard(); !slices.Equal(got, []string{"committed log"}) {
		t.Errorf("%q", got)
	}
}

func TestOnEndingWhenTheConnectionClosesInATransaction(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, endingSchema)
	heard := listen(c)
	exec(t, c, "BEGIN; INSERT INTO log(text) VALUES(1)")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := heard(); !slices.Equal(got, []string{"rolled back log"}) {
		t.Errorf("%q", got)
	}
}

func TestTheHooksOfOnEndingSurviveGarbageCollection(t *testing.T) {
	collect(t)
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, endingSchema)
	heard := listen(c)
	for range 30 {
		exec(t, c, "INSERT INTO log(text) VALUES(1); BEGIN; INSERT INTO log(text) VALUES(1); ROLLBACK")
		if got := heard(); !slices.Equal(got, []string{"committed log", "rolled back log"}) {
			t.Fatalf("%q", got)
		}
	}
	c.OnEnding(nil)
	exec(t, c, "INSERT INTO log(text) VALUES(1)")
	if got := heard(); got != nil {
		t.Errorf("after OnEnding(nil): %q", got)
	}
}

// Whoever opened the connection hears all, also of a transaction in which
// somebody else begins or ceases to listen.
func TestTheOnEndingOfOptionsIsNotReplaced(t *testing.T) {
	var heard []string
	c := open(t, sqlite.Options{Create: true,
		OnOpen: func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, endingSchema) },
		OnEnding: func(e sqlite.Ending) {
			heard = append(heard, e.Outcome.String()+" "+strings.Join(slices.Sorted(slices.Values(e.Tables)), " "))
		},
	})
	exec(t, c, "BEGIN; INSERT INTO log(text) VALUES(1)")
	theirs := listen(c)
	exec(t, c, "INSERT INTO parent(name) VALUES('a'); COMMIT; BEGIN; INSERT INTO log(text) VALUES(1)")
	c.OnEnding(nil)
	exec(t, c, "COMMIT; DELETE FROM parent")
	if want := []string{"committed log parent", "committed log", "committed parent"}; !slices.Equal(heard, want) {
		t.Errorf("%q, want %q", heard, want)
	}
	if got := theirs(); !slices.Equal(got, []string{"committed log parent"}) {
		t.Errorf("the other heard %q", got)
	}
}

func TestRestoreHooksBringsBackThoseOfOnOpen(t *testing.T) {
	asked, told, other := 0, 0, 0
	c := open(t, sqlite.Options{Create: true, OnOpen: func(ctx context.Context, c *sqlite.Conn) error {
		err := c.Exec(ctx, endingSchema)
		c.SetAuthorizer(func(sqlite.Action, string, string, string, string) sqlite.Auth { asked++; return sqlite.AuthOK })
		c.OnEnding(func(sqlite.Ending) { told++ })
		return err
	}})
	c.SetAuthorizer(func(sqlite.Action, string, string, string, string) sqlite.Auth { other++; return sqlite.AuthOK })
	c.OnEnding(func(sqlite.Ending) { other++ })
	c.RestoreHooks()
	exec(t, c, "INSERT INTO log(text) VALUES(1)")
	if asked == 0 || told != 1 || other != 0 {
		t.Error(asked, told, other)
	}
}
