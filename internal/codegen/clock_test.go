package codegen_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/internal/codegen"
)

const clockSchema = `CREATE TABLE a (id INTEGER PRIMARY KEY, at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE b (id INTEGER PRIMARY KEY, at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE c (id INTEGER PRIMARY KEY, at DATETIME);
CREATE TRIGGER c_at AFTER UPDATE OF id ON c BEGIN UPDATE c SET at = datetime('now') WHERE id = NEW.id; END;
CREATE TABLE d (id INTEGER PRIMARY KEY, at DATETIME);
CREATE TABLE e (id INTEGER PRIMARY KEY, at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE f (id INTEGER PRIMARY KEY, at DATETIME NOT NULL DEFAULT (unixepoch()));
CREATE TABLE g (id INTEGER PRIMARY KEY, at DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000000Z'));
CREATE TABLE h (id INTEGER PRIMARY KEY, at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE i (id INTEGER PRIMARY KEY, at DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')));
CREATE TABLE j (id INTEGER PRIMARY KEY, at DATETIME);
CREATE TABLE k (id INTEGER PRIMARY KEY, at DATETIME);
CREATE TRIGGER k_at AFTER INSERT ON j BEGIN INSERT INTO k (id, at) VALUES (NEW.id, CURRENT_TIMESTAMP); END;
`

// clockCases are queries on a table each, with the format of the parameter, or
// the words of the report about the column.
var clockCases = []struct{ table, queries, format, says string }{
	{"a", "-- name: A :many\nSELECT id FROM a WHERE at < @at OR at = @at AND id < @id", "lido.TimeDateTime", ""},
	{"b", "-- name: B :exec\nINSERT INTO b (id, at) VALUES (@id, @at);\n-- name: B2 :exec\nINSERT INTO b (id) VALUES (?)", "", "DEFAULT CURRENT_TIMESTAMP is datetime, this parameter is lido"},
	{"c", "-- name: C :many\nSELECT id FROM c WHERE at BETWEEN @low AND @high", "lido.TimeDateTime", ""},
	{"d", "-- name: D :exec\nUPDATE d SET at = CURRENT_TIMESTAMP WHERE id = ?;\n-- name: D2 :exec\nUPDATE d AS x SET at = @at WHERE id = @id", "", "D is datetime, this parameter is lido"},
	{"e", "-- name: E :exec\nINSERT INTO e (id, at) VALUES (@id, @at)", "lido.BindTime(", ""},
	{"f", "-- name: F :many\nSELECT id FROM f WHERE at >= ?", "lido.TimeUnix)", ""},
	{"g", "-- name: G :exec\nINSERT INTO g (at) VALUES (?);\n-- name: G2 :exec\nINSERT INTO g (id) VALUES (?)", "lido.BindTime(", ""},
	{"h", "-- name: H :exec\nUPDATE h SET at = @at WHERE id = @id", "lido.TimeDateTime", ""},
	{"i", "-- name: I :many\nSELECT id FROM i WHERE at > ?", "", "is sqlite_fraction, this parameter is lido"},
	{"j", "-- name: J :exec\nINSERT INTO j VALUES (@id, CURRENT_TIMESTAMP) ON CONFLICT (id) DO UPDATE SET at = @at", "", "J is datetime, this parameter is lido"},
	{"k", "-- name: K :many\nSELECT id FROM k WHERE at = ?", "lido.TimeDateTime", ""},
}

func TestAColumnThatTheEngineFillsWithTheTimeOfDay(t *testing.T) {
	files := map[string]string{"schema.sql": clockSchema}
	var names []any
	for _, c := range clockCases {
		files["queries/"+c.table+".sql"] = strings.ReplaceAll(c.queries, " :many\n", " :many\n-- @scan\n") + ";\n"
		names = append(names, "queries/"+c.table+".sql")
	}
	p := newProject(t, files)
	p.queries = names
	p.options = map[string]any{"time_format": map[string]any{"h.at": "datetime"}}
	got := p.mustGenerate(t)
	for _, c := range clockCases {
		code := got[c.table+".sql.go"]
		if c.format != "" && !strings.Contains(code, c.format) {
			t.Errorf("%s: no %s in\n%s", c.table, c.format, code)
		}
		_, note, _ := strings.Cut(got[report], c.table+".at holds times of different forms, which neither equal nor sort: ")
		note, _, _ = strings.Cut(note, "\n")
		if (note == "") != (c.says == "") || !strings.Contains(note, c.says) {
			t.Errorf("%s: the report says %q, want %q", c.table, note, c.says)
		}
		if note != "" && !strings.Contains(note, `set time_format: {"`+c.table+`.at": datetime}`) {
			t.Errorf("%s: no way out in %q", c.table, note)
		}
	}
	for _, e := range typeCheck(t, filepath.Join(p.dir, "gen")) {
		t.Error(e)
	}

	p.options["strict_types"] = true
	p.mustFail(t, "b.sql:2:37 B: b.at holds", "d.sql:4:24 D2: d.at holds", "i.sql:3:29 I: i.at holds", "j.sql:2:83 J: j.at holds", `UPDATE "b" SET "at" = datetime(`)

	p.options["time_format"] = map[string]any{"h.at": "datetime", "b.at": "datetime", "d.at": "lido", "i.at": "lido", "j.at": "datetime"}
	got = p.mustGenerate(t)
	if code := got["j.sql.go"]; !strings.Contains(code, ", lido.TimeDateTime)") {
		t.Errorf("a parameter whose type sqlc has lost is not in the format of its column:\n%s", code)
	}
	if text := got[report]; strings.Contains(text, "b.at holds") || !strings.Contains(text, "d.at holds") {
		t.Errorf("a decision is no error, and stays a note while the forms differ:\n%s", text)
	}
}

// generateTimes is generateWith for the query A on a table t with a column of
// times, until.
func generateTimes(t *testing.T, options string, files map[string]string) (*codegen.Response, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	t.Chdir(dir)
	return codegen.Generate(t.Context(), &codegen.Request{
		Settings: codegen.Settings{Engine: "sqlite", Schema: []string{"schema"}, Queries: []string{"queries"}, Out: "gen"},
		Catalog: codegen.Catalog{DefaultSchema: "main", Schemas: []*codegen.Schema{{Name: "main", Tables: []*codegen.Table{{
			Rel:     codegen.Identifier{Name: "t"},
			Columns: []*codegen.Column{{Name: "id", NotNull: true, Type: codegen.Identifier{Name: "INTEGER"}}, {Name: "until", NotNull: true, Type: codegen.Identifier{Name: "DATETIME"}}},
		}}}}},
		Queries: []*codegen.Query{one("A")}, PluginOptions: []byte(options), SqlcVersion: "v1.31.1",
	})
}

func TestAColumnIsComparedWithTheTimeOfDayInItsForm(t *testing.T) {
	const schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, until DATETIME NOT NULL);"
	for _, c := range []struct{ format, where, says string }{
		{"unix", "until < CURRENT_TIMESTAMP", "t.until holds times as unix and CURRENT_TIMESTAMP is datetime"},
		{"unix", "datetime('now', '-1 day') >= x.until", "t.until holds times as unix and datetime('now', '-1 day') is datetime"},
		{"unix", "until < unixepoch()", ""},
		{"unix", "until < strftime('%s', 'now')", ""}, // digits, which the type of the column makes a number
		{"unixmilli", "until < unixepoch()", "t.until holds times as unixmilli and unixepoch() is unix"},
		{"rfc3339nano", "x.until > CURRENT_TIMESTAMP", "t.until holds times as rfc3339nano"},
		{"lido", "until <= CURRENT_TIMESTAMP", ""},
		{"lido", "until = CURRENT_TIMESTAMP", "t.until holds times as lido and CURRENT_TIMESTAMP is datetime"},
		{"lido", "until < unixepoch()", "t.until holds times as lido and unixepoch() is unix"},
		{"lido", "until < date('now')", ""},
		{"rfc3339nano", "until < date('now', '-7 days')", ""},
		{"lido", "until = date('now')", "date('now') is day"},
		{"datetime", "until = CURRENT_TIMESTAMP AND until > datetime('now', '-1 day')", ""},
		{"unix", "id = 1 AND datetime(until, 'unixepoch') < CURRENT_TIMESTAMP", ""},
	} {
		files := map[string]string{"schema/1.sql": schema, "queries/items.sql": "-- name: A :one\n-- @scan\nSELECT x.id FROM t AS x WHERE " + c.where + ";"}
		for _, strict := range []string{"false", "true"} {
			resp, err := generateTimes(t, `{"time_format": {"t.until": "`+c.format+`"}, "strict_types": `+strict+`}`, files)
			said := ""
			switch {
			case err != nil && strict == "true":
				said = err.Error()
			case err != nil:
				t.Errorf("%s, %s: %v", c.format, c.where, err)
			default:
				said = contents(resp, report)
			}
			if (c.says == "") == strings.Contains(said, "do not compare") || !strings.Contains(said, c.says) {
				t.Errorf("%s, %s, strict_types %s: got %s, want %q", c.format, c.where, strict, said, c.says)
			}
		}
	}
}
