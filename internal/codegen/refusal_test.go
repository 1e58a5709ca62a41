package codegen_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/internal/codegen"
)

// generateHere calls the generator in-process on files in the working folder.
func generateHere(t *testing.T, files map[string]string, queries ...*codegen.Query) (*codegen.Response, error) {
	t.Helper()
	return generateWith(t, nil, files, queries...)
}

// generateWith does so with options, in JSON.
func generateWith(t *testing.T, options []byte, files map[string]string, queries ...*codegen.Query) (*codegen.Response, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	t.Chdir(dir)
	return codegen.Generate(t.Context(), &codegen.Request{
		Settings: codegen.Settings{Engine: "sqlite", Schema: []string{"schema"}, Queries: []string{"queries"}, Out: "gen"},
		Catalog: codegen.Catalog{DefaultSchema: "main", Schemas: []*codegen.Schema{{Name: "main", Tables: []*codegen.Table{{
			Rel:     codegen.Identifier{Name: "items"},
			Columns: []*codegen.Column{{Name: "id", NotNull: true, Type: codegen.Identifier{Name: "INTEGER"}}, {Name: "name", Type: codegen.Identifier{Name: "TEXT"}}},
		}}}}},
		Queries:       queries,
		PluginOptions: options,
		SqlcVersion:   "v1.31.1",
	})
}

const items = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);\n"

func one(name string, params ...*codegen.Parameter) *codegen.Query {
	return &codegen.Query{
		Name: name, Cmd: ":one", Filename: "items.sql", Params: params,
		Columns: []*codegen.Column{{Name: "x", Type: codegen.Identifier{Name: "any"}}},
	}
}

func TestEveryQueryThatTheEngineRefusesIsNamedWithItsPlace(t *testing.T) {
	_, err := generateHere(t, map[string]string{
		"schema/1.sql": items,
		"queries/items.sql": "-- ä header — of the file\n\n-- name: First :one\nSELECT name,\n  'ß', missing FROM items;\n\n" +
			"-- name: Second :one\nSELECT id FROM items WHERE id IN (sqlc.slice(ids)) AND gone = 1;\n\n-- name: Third :one\nSELECT id FROM;\n",
	}, one("Third"), one("Second", &codegen.Parameter{Number: 1, Column: codegen.Column{Name: "ids", IsNamedParam: true}}), one("First"))
	want := "queries/items.sql:5:8 First: no such column: missing\n" +
		"queries/items.sql:8:56 Second: no such column: gone\n" +
		"queries/items.sql:11:15 Third: incomplete input"
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestWhatAQueryMustNotDoIsRefused(t *testing.T) {
	for sql, want := range map[string]string{
		"ATTACH 'other.db' AS o":          "ATTACH and DETACH are not allowed in a query",
		"BEGIN":                           "transaction control is not allowed in a query",
		"SAVEPOINT s":                     "transaction control is not allowed in a query",
		"VACUUM INTO 'copy.db'":           "VACUUM is not allowed in a query",
		"SELECT load_extension('x.so')":   "load_extension is not allowed in a query",
		"SELECT 1; SELECT 2":              "",
		"SELECT name FROM items, missing": "no such table: missing",
	} {
		_, err := generateHere(t, map[string]string{"schema/1.sql": items, "queries/items.sql": "-- name: A :one\n" + sql + ";\n"}, one("A"))
		if want == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "queries/items.sql:2:") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", sql, err, want)
		}
	}
}

func TestASchemaThatDoesNotApplyIsNamedWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		items + "CREATE TABLE x (id INTEGER,, y);":            "schema/1.sql:2:28: near \",\": syntax error",
		items + "ATTACH 'other.db' AS other;":                 "schema/1.sql:2:1: ATTACH of the file \"other.db\" is not allowed",
		items + "-- +goose Down\nthis is not looked at":       "",
		items + "ATTACH ':memory:' AS o; CREATE TABLE o.x(a)": "",
	} {
		_, err := generateHere(t, map[string]string{"schema/1.sql": text, "queries/items.sql": "-- name: A :one\nSELECT 1;"}, one("A"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestDifferencesFromWhatSqlcSawAreErrors(t *testing.T) {
	files := func(sql string) map[string]string {
		return map[string]string{"schema/1.sql": items, "queries/items.sql": "-- name: A :one\n" + sql + ";"}
	}
	a := &codegen.Parameter{Number: 1, Column: codegen.Column{Name: "a", IsNamedParam: true}}
	for _, c := range []struct {
		sql, want string
		query     *codegen.Query
	}{
		{"SELECT 1, 2", "queries/items.sql:2:1 A: sqlc sees 1 column, the engine 2", one("A")},
		{"SELECT @a + @b", "queries/items.sql:2:13 A: sqlc did not see the parameter b; it knows 1 a", one("A", a)},
		{"SELECT 1", "queries/items.sql:2:1 A: sqlc sees 1 parameter (1 a), the source has 0", one("A", a)},
		{"SELECT 1", "items.sql:1:1 B: sqlc knows this query, but no file under \"queries\" has it", one("B")},
		{"SELECT 1", "queries/items.sql:1:1 A: :copy is not supported", &codegen.Query{Name: "A", Cmd: ":copy"}},
		{"SELECT 1", "queries/items.sql:2:1 A: :copyfrom needs at least one parameter", &codegen.Query{Name: "A", Cmd: ":copyfrom"}},
		{"SELECT @a", "queries/items.sql:2:1 A: :copyfrom needs an INSERT with one row of VALUES", &codegen.Query{Name: "A", Cmd: ":copyfrom", Params: []*codegen.Parameter{a}}},
		{"SELECT 1", "queries/items.sql:2:1 A: :batchone needs at least one parameter", &codegen.Query{Name: "A", Cmd: ":batchone", Columns: one("A").Columns}},
	} {
		if _, err := generateHere(t, files(c.sql), c.query); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.sql, err, c.want)
		}
	}
}

func TestOnlyWhatCannotWriteAndKeepsNoStateIsReadOnly(t *testing.T) {
	const schema = items + `
CREATE TABLE log (item INTEGER REFERENCES items (id) ON DELETE CASCADE);
CREATE VIEW seen AS SELECT name FROM items;
CREATE TRIGGER seen_insert INSTEAD OF INSERT ON seen BEGIN INSERT INTO items (name) VALUES (NEW.name); END;
CREATE TRIGGER items_log AFTER INSERT ON items BEGIN INSERT INTO log VALUES (NEW.id); END;
CREATE VIRTUAL TABLE words USING fts5(name, content='items');
CREATE TEMP TABLE scratch (x);`
	for _, c := range []struct{ sql, want string }{
		{"SELECT name FROM items", "ReadOnly Reads items"},
		{"SELECT name FROM seen", "ReadOnly Reads items"},
		{"SELECT value FROM json_each('[1]')", "ReadOnly"},
		{"SELECT name FROM pragma_table_info('items')", "ReadOnly"},
		{"SELECT name FROM sqlite_schema", "ReadOnly"},
		{"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT max(i) FROM n", "ReadOnly"},
		{"SELECT name FROM words", "ReadOnly Reads items words"},
		{"SELECT last_insert_rowid()", ""},
		{"SELECT changes()", ""},
		{"SELECT TOTAL_CHANGES()", ""},
		{"SELECT x FROM scratch", "Reads scratch"},
		{"PRAGMA foreign_keys", "ReadOnly"},
		{"PRAGMA user_version = 3", ""},
		{"DELETE FROM items WHERE id = 1 RETURNING id", "Reads items log Writes items log"},
		{"INSERT INTO seen (name) VALUES ('x') RETURNING name", "Reads items log Writes items log"},
		{"INSERT INTO items (name) SELECT name FROM seen RETURNING id", "Reads items log Writes items log"},
	} {
		query := one("A")
		if !strings.HasPrefix(c.sql, "SELECT") {
			query.Cmd, query.Columns = ":exec", nil
		}
		resp, err := generateHere(t, map[string]string{"schema/1.sql": schema, "queries/items.sql": "-- name: A :one\n" + c.sql + ";"}, query)
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if got := factsOf(resp); got != c.want {
			t.Errorf("%s: got %q, want %q", c.sql, got, c.want)
		}
	}
}

// factsOf spells the ReadOnly, Reads and Writes of the one generated query.
func factsOf(resp *codegen.Response) string {
	var words []string
	for _, f := range resp.Files {
		if f.Name != "items.sql.go" && f.Name != ".go" {
			continue
		}
		for line := range strings.Lines(string(f.Contents)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			switch key {
			case "ReadOnly":
				words = append(words, key)
			case "Reads", "Writes":
				value = strings.NewReplacer("[]string{", "", "}", "", "\"", "", ",", " ").Replace(value)
				words = append(words, key)
				words = append(words, strings.Fields(value)...)
			}
		}
	}
	return strings.Join(words, " ")
}

func TestOtherEnginesAreRefused(t *testing.T) {
	_, err := codegen.Generate(t.Context(), &codegen.Request{Settings: codegen.Settings{Engine: "postgresql"}})
	if err == nil || !strings.Contains(err.Error(), `engine is "postgresql"`) {
		t.Errorf("got %v", err)
	}
}
