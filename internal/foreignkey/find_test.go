package foreignkey_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lidodb/lido/internal/foreignkey"
	"github.com/lidodb/lido/sqlite"
)

func open(t testing.TB, sql string) *sqlite.Conn {
	t.Helper()
	c, err := sqlite.Open(t.Context(), ":memory:", sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	return c
}

func find(t *testing.T, sql string) []foreignkey.Broken {
	t.Helper()
	found, err := foreignkey.Find(t.Context(), open(t, sql), 0)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func describe(found []foreignkey.Broken) string {
	var lines []string
	for _, b := range found {
		lines = append(lines, fmt.Sprintf("%s: %s, %d", b.Key, b.Reason, b.Rows))
	}
	return strings.Join(lines, "; ")
}

func TestFind_eachKeyByItself(t *testing.T) {
	for name, c := range map[string]struct{ sql, want string }{
		"sound": {`CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p); INSERT INTO p VALUES (1);
			INSERT INTO c VALUES (1), (NULL), ('1')`, ""},
		"orphans": {`CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p); INSERT INTO c VALUES (1), (2)`,
			"c (p) -> p (id): no such row, 2"},
		"a parent that does not exist": {`CREATE TABLE c (p REFERENCES nowhere); INSERT INTO c VALUES (1), (NULL)`,
			"c (p) -> nowhere: no such table, 1"},
		"a parent that does not exist yet, and no row": {`CREATE TABLE c (p REFERENCES nowhere(id))`, ""},
		"part of a primary key": {`CREATE TABLE p (a INTEGER, b TEXT, PRIMARY KEY (a, b)); CREATE TABLE c (p INTEGER REFERENCES p (a));
			INSERT INTO p VALUES (1, 'a'), (1, 'b'); INSERT INTO c VALUES (1)`, "c (p) -> p (a): no unique index, 0"},
		"an index that is partial": {`CREATE TABLE p (a); CREATE UNIQUE INDEX i ON p (a) WHERE a > 0; CREATE TABLE c (p REFERENCES p (a));
			INSERT INTO c VALUES (7)`, "c (p) -> p (a): no unique index, 1"},
		"an index of another collation": {`CREATE TABLE p (a TEXT); CREATE UNIQUE INDEX i ON p (a COLLATE NOCASE); CREATE TABLE c (p REFERENCES p (a))`,
			"c (p) -> p (a): no unique index, 0"},
		"a column that does not exist": {`CREATE TABLE p (a); CREATE TABLE c (p REFERENCES p (b)); INSERT INTO c VALUES (1)`,
			"c (p) -> p (b): no unique index, 0"},
		"a view":                     {`CREATE VIEW p AS SELECT 1 AS a; CREATE TABLE c (p REFERENCES p (a)); INSERT INTO c VALUES (2)`, "c (p) -> p (a): no unique index, 0"},
		"a parent without a key":     {`CREATE TABLE p (a); CREATE TABLE c (p REFERENCES p); INSERT INTO c VALUES (1)`, "c (p) -> p: no unique index, 0"},
		"as many columns as the key": {`CREATE TABLE p (a, b, PRIMARY KEY (a, b)); CREATE TABLE c (p REFERENCES p); INSERT INTO c VALUES (1)`, "c (p) -> p (a, b): no unique index, 0"},
		"a mismatch hides no other key": {`CREATE TABLE p (id INTEGER PRIMARY KEY, a); CREATE TABLE c (x REFERENCES p (a), y REFERENCES p (id));
			INSERT INTO c VALUES (NULL, 9); CREATE TABLE d (p REFERENCES p); INSERT INTO d VALUES (8)`,
			"c (y) -> p (id): no such row, 1; c (x) -> p (a): no unique index, 0; d (p) -> p (id): no such row, 1"},
		"without rowids": {`CREATE TABLE p (a TEXT, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
			CREATE TABLE c (x TEXT, y TEXT, PRIMARY KEY (x, y), FOREIGN KEY (x, y) REFERENCES p) WITHOUT ROWID; INSERT INTO c VALUES ('a', 'b')`,
			"c (x, y) -> p (a, b): no such row, 1"},
		"names that need quotes": {`CREATE TABLE "p ""'q" ("i d" INTEGER PRIMARY KEY); CREATE TABLE "c '" ("x ""y" REFERENCES "P ""'Q"); INSERT INTO "c '" VALUES (1)`,
			`c ' (x "y) -> P "'Q (i d): no such row, 1`},
		"itself": {`CREATE TABLE c (id INTEGER PRIMARY KEY, up REFERENCES c); INSERT INTO c VALUES (1, 1), (2, 3)`, "c (up) -> c (id): no such row, 1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := describe(find(t, c.sql)); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

func TestFind_explainsWhatIsBroken(t *testing.T) {
	for sql, want := range map[string][2]string{
		`CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p); INSERT INTO c (rowid, p) VALUES (7, 1)`: {
			"1 row of c refers to a row of p that does not exist (first: row 7)", `list the rows with "PRAGMA foreign_key_check(c)"`},
		`CREATE TABLE c (p REFERENCES nowhere); INSERT INTO c VALUES (1)`: {
			"c refers to the table nowhere, which does not exist", "create the table nowhere, or rebuild c"},
		`CREATE TABLE p (a); CREATE TABLE c (p REFERENCES p (a))`: {
			"foreign key mismatch: p has no unique index on exactly the columns of c (p) -> p (a)", "make a unique index on p (a)"},
	} {
		found := find(t, sql)
		if len(found) != 1 || !strings.Contains(found[0].String(), want[0]) || !strings.Contains(found[0].Remedy(), want[1]) {
			t.Errorf("%s: %v", sql, found)
		}
	}
}

func TestFind_stopsAtTheLimit(t *testing.T) {
	c := open(t, `CREATE TABLE c (p REFERENCES nowhere); INSERT INTO c VALUES (1), (2), (3); CREATE TABLE d (p REFERENCES nowhere); INSERT INTO d VALUES (1)`)
	found, err := foreignkey.Find(t.Context(), c, 2)
	if err != nil || describe(found) != "c (p) -> nowhere: no such table, 2" {
		t.Errorf("%s, %v", describe(found), err)
	}
}

// The engine's own check is right, where it has an answer.
func TestFind_countsWhatForeignKeyCheckCounts(t *testing.T) {
	types := rapid.SampledFrom([]string{"", "INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB", "TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM"})
	value := rapid.SampledFrom([]string{"NULL", "1", "'1'", "'01'", "1.0", "1.5", "'1.5'", "'1.0'", "x'31'", "'a'", "'A'", "'a '", "x'61'", "2", "'2'", "''", "9007199254740993", "'9007199254740993'", "9007199254740992.0"})
	rapid.Check(t, func(rt *rapid.T) {
		var sql strings.Builder
		fmt.Fprintf(&sql, "CREATE TABLE p (a %s, b %s, UNIQUE (a), UNIQUE (a, b)); CREATE TABLE r (id INTEGER PRIMARY KEY);", types.Draw(rt, "a"), types.Draw(rt, "b"))
		fmt.Fprintf(&sql, "CREATE TABLE c (x %s, y %s, FOREIGN KEY (x, y) REFERENCES p (a, b), FOREIGN KEY (x) REFERENCES p (a), FOREIGN KEY (y) REFERENCES r);", types.Draw(rt, "x"), types.Draw(rt, "y"))
		for range rapid.IntRange(0, 6).Draw(rt, "parents") {
			fmt.Fprintf(&sql, "INSERT OR IGNORE INTO p VALUES (%s, %s); INSERT OR IGNORE INTO r VALUES (abs(random() %% 3));", value.Draw(rt, "a"), value.Draw(rt, "b"))
		}
		for range rapid.IntRange(0, 12).Draw(rt, "children") {
			fmt.Fprintf(&sql, "INSERT INTO c VALUES (%s, %s);", value.Draw(rt, "x"), value.Draw(rt, "y"))
		}
		c := open(t, sql.String())
		want, err := c.QueryInt64(t.Context(), "SELECT count(*) FROM pragma_foreign_key_check")
		if err != nil {
			rt.Fatal(err)
		}
		found, err := foreignkey.Find(t.Context(), c, 0)
		if err != nil {
			rt.Fatal(err)
		}
		got := int64(0)
		for _, b := range found {
			got += b.Rows
		}
		if got != want {
			rt.Fatalf("%s\nfound %d (%s), the engine %d", sql.String(), got, describe(found), want)
		}
	})
}

func TestFindNew_isWhatTheBaselineLacks(t *testing.T) {
	const before = `CREATE TABLE p (id INTEGER PRIMARY KEY, a); CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p); INSERT INTO c VALUES (1, 98), (2, 99), (3, 1);
		INSERT INTO p VALUES (1, 1); CREATE TABLE m (x REFERENCES p (a)); INSERT INTO m VALUES (5);`
	for name, c := range map[string]struct{ change, want string }{
		"nothing":                        {"CREATE TABLE other (x)", ""},
		"a repair":                       {"DELETE FROM c; DROP TABLE m", ""},
		"another orphan":                 {"INSERT INTO c VALUES (4, 97)", "c (p) -> p (id): no such row, 1"},
		"one more of the same value":     {"INSERT INTO c VALUES (4, 99)", "c (p) -> p (id): no such row, 1"},
		"one for another":                {"UPDATE c SET p = 97 WHERE p = 99", "c (p) -> p (id): no such row, 1"},
		"a parent deleted":               {"DELETE FROM p WHERE id = 1", "c (p) -> p (id): no such row, 1"},
		"the child renamed":              {"ALTER TABLE c RENAME TO d", ""},
		"the child's column renamed":     {"ALTER TABLE c RENAME COLUMN p TO q", ""},
		"the parent renamed":             {"ALTER TABLE p RENAME TO q", ""},
		"the child rebuilt":              {"CREATE TABLE n (id INTEGER PRIMARY KEY, p REFERENCES p); INSERT INTO n SELECT id + 10, p FROM c; DROP TABLE c; ALTER TABLE n RENAME TO c", ""},
		"a mismatch":                     {"CREATE TABLE n (x REFERENCES p (a), y REFERENCES c (p))", "n (y) -> c (p): no unique index, 0; n (x) -> p (a): no unique index, 0"},
		"the parent dropped":             {"DROP TABLE p", "c (p) -> p: no such table, 1"},
		"a mismatch cured, with orphans": {"CREATE UNIQUE INDEX i ON p (a)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn := open(t, before)
			b, err := foreignkey.Remember(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Exec(t.Context(), c.change); err != nil {
				t.Fatal(err)
			}
			found, err := b.FindNew(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(found); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}
