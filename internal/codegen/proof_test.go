package codegen_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lidodb/lido/internal/codegen"
)

// jsonOptions spells options as sqlc hands them over.
func jsonOptions(t *testing.T, set map[string]any) []byte {
	t.Helper()
	data, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// contents returns the text of one generated file.
func contents(resp *codegen.Response, name string) string {
	for _, f := range resp.Files {
		if f.Name == name {
			return string(f.Contents)
		}
	}
	return ""
}

const report = "lido_report.txt"

func TestMigrationsOfEveryToolApplyWithoutTheirWayBack(t *testing.T) {
	for name, text := range map[string]string{
		"goose":               "-- +goose Up\n-- +goose StatementBegin\n" + items + "-- +goose StatementEnd\n-- +goose Down\nDROP TABLE items;\n",
		"goose in other case": "-- +GOOSE UP\n" + items + "-- +GOOSE DOWN\nDROP TABLE items;\n",
		"sql-migrate":         "-- +migrate Up notransaction\n" + items + "-- +migrate Down\nDROP TABLE items;\n",
		"dbmate":              "-- migrate:up transaction:false\n" + items + "-- migrate:down\nDROP TABLE items;\n",
		"tern":                items + "---- create above / drop below ----\nDROP TABLE items;\n",
		"windows line ends":   "-- +goose Up\r\n" + strings.ReplaceAll(items, "\n", "\r\n") + "-- +goose Down\r\nDROP TABLE items;\r\n",
		"a dump":              "\\restrict abc\n" + items + "\\unrestrict abc\n",
		"byte order mark":     "\uFEFF" + items,
	} {
		if _, err := generateHere(t, map[string]string{"schema/1.sql": text, "queries/items.sql": "-- name: A :one\nSELECT id FROM items;"}, one("A")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := generateHere(t, map[string]string{
		"schema/1_items.up.sql": items, "schema/1_items.down.sql": "DROP TABLE items;", "schema/2_more.up.sql": "ALTER TABLE items ADD COLUMN more;",
		"schema/.hidden.sql": "DROP TABLE items;", "schema/notes.txt": "not SQL",
		"queries/items.sql": "-- name: A :one\nSELECT more FROM items;",
	}, one("A"))
	if err != nil {
		t.Errorf("golang-migrate: %v", err)
	}
}

func TestStatementsThatExistOnlyForSqlcAreLeftOut(t *testing.T) {
	const stubs = `CREATE VIRTUAL TABLE words USING fts5(body);
-- The engine makes this one itself.
-- @sqlc-only
CREATE TABLE words_data (id INTEGER PRIMARY KEY, block BLOB);
ALTER TABLE words ADD COLUMN rank REAL; -- @sqlc-only
/* @sqlc-only: sqlc must know the type */ ALTER TABLE words ADD COLUMN language TEXT;
CREATE TABLE kept (id INTEGER);
`
	files := map[string]string{"schema/1.sql": items + stubs, "queries/items.sql": "-- name: A :one\nSELECT kept.id, rank FROM kept, words WHERE words MATCH 'x';"}
	a := one("A")
	a.Columns = append(a.Columns, a.Columns[0])
	if _, err := generateHere(t, files, a); err == nil || !strings.Contains(err.Error(), `already exists`) && !strings.Contains(err.Error(), "virtual tables may not be altered") {
		// "@sqlc-only:" with a colon is another word
		t.Errorf("got %v", err)
	}
	files["schema/1.sql"] = strings.ReplaceAll(files["schema/1.sql"], "@sqlc-only: sqlc", "@sqlc-only sqlc")
	if _, err := generateHere(t, files, a); err != nil {
		t.Error(err)
	}

	files = map[string]string{"schema/1.sql": items, "schema/stubs.sql": "CREATE TABLE sqlite_stat1 (x);", "queries/items.sql": "-- name: A :one\nSELECT 1;"}
	if _, err := generateHere(t, files, one("A")); err == nil || !strings.HasPrefix(err.Error(), "schema/stubs.sql:1:14: object name reserved for internal use") &&
		!strings.HasPrefix(err.Error(), "schema/stubs.sql:1:1: object name reserved for internal use") {
		t.Errorf("got %v", err)
	}
	if _, err := generateWith(t, []byte(`{"sqlc_only": ["schema/stub*.sql"]}`), files, one("A")); err != nil {
		t.Error(err)
	}
}

func TestTheOffsetsOfASchemaStayThoseOfTheFile(t *testing.T) {
	_, err := generateHere(t, map[string]string{
		"schema/1.sql":      "-- äöü\n" + items + "-- @sqlc-only ß\nCREATE TABLE sqlite_x (a);\n\\connect x\n/* ü */ CREATE TABLE y (a,, b);",
		"queries/items.sql": "-- name: A :one\nSELECT 1;",
	}, one("A"))
	if want := "schema/1.sql:6:27: near \",\": syntax error"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAnUncheckedQueryIsTakenAsItIsAndSaysSo(t *testing.T) {
	list := one("List")
	list.Cmd, list.Columns = ":many", []*codegen.Column{{Name: "id", Type: codegen.Identifier{Name: "INTEGER"}, NotNull: true}, {Name: "name", Type: codegen.Identifier{Name: "TEXT"}}}
	drop := &codegen.Query{Name: "Drop", Cmd: ":exec", Filename: "items.sql"}
	resp, err := generateHere(t, map[string]string{
		"schema/1.sql": items,
		"queries/items.sql": "-- List reads what another program has made.\n-- name: List :many\n-- @unchecked\nSELECT * FROM elsewhere;\n\n" +
			"-- name: Drop :exec\n-- @unchecked made at run time\nWITH x AS (SELECT 1) DELETE FROM elsewhere;\n",
	}, list, drop)
	if err != nil {
		t.Fatal(err)
	}
	text := contents(resp, "items.sql.go")
	for _, want := range []string{
		"// List reads what another program has made.\n//\n// Unchecked: no engine had seen the statement when this was written.\nfunc (q *ReadQueries) List(",
		"// Unchecked: no engine had seen the statement when this was written.\nfunc (q *Queries) Drop(",
		"SQL:      `SELECT id, name FROM elsewhere`",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if got := contents(resp, report); got != "lido "+codegen.Version+": 2 queries, 1 of them read-only, 2 unchecked; 1 model\n" {
		t.Errorf("report: %q", got)
	}
	if strings.Contains(text, "@unchecked") {
		t.Error("the mark went into the comment")
	}
}

func TestVerifyDecidesWhatARefusalComesTo(t *testing.T) {
	files := map[string]string{
		"schema/1.sql":      items + "CREATE TABLE x (id INTEGER,, y);\nCREATE TABLE z (id INTEGER);",
		"queries/items.sql": "-- name: A :one\nSELECT gone FROM items;\n-- name: B :one\nSELECT id FROM z;\n-- name: C :one\nSELECT 1, 2;",
	}
	queries := func() []*codegen.Query { return []*codegen.Query{one("A"), one("B"), one("C")} }
	for verify, want := range map[string]string{"error": "schema/1.sql:2:28: near", "": "schema/1.sql:2:28: near", "warn": "", "off": "", "no": `option "verify" is "no"; it is one of error, warn, off`} {
		resp, err := generateWith(t, jsonOptions(t, map[string]any{"verify": verify}), files, queries()...)
		if want != "" {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("verify %q: got %v, want %s", verify, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("verify %q: %v", verify, err)
			continue
		}
		notes := contents(resp, report)
		for _, note := range []string{"schema/1.sql:2:28: near", "queries/items.sql:2:8 A: no such column: gone", "queries/items.sql:6:1 C: sqlc sees 1 column, the engine 2"} {
			if got := strings.Contains(notes, note); got != (verify == "warn") {
				t.Errorf("verify %q: %q in the report is %v:\n%s", verify, note, got, notes)
			}
		}
	}
	for options, want := range map[string]string{
		`{"verify": "off", "strict_types": true}`: `option "verify" is "off" and "strict_types" is true`,
		`{"verify": "off", "plans": "p.txt"}`:     `option "verify" is "off" and "plans" is "p.txt"`,
		`{"plan": "all"}`:                         `option "plan" is "all"; it is one of error, warn, off`,
		`{"sqlc_only": ["["]}`:                    `option "sqlc_only": syntax error in pattern`,
		`{"plans": "/p.txt"}`:                     `option "plans" is "/p.txt"; give a path inside`,
	} {
		if err := answer(t, options, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", options, err, want)
		}
	}
}

func TestGlobsAndListsOfEveryToolAreReadAsSqlcReadsThem(t *testing.T) {
	p := newProject(t, map[string]string{
		"goose/00001_items.sql":        "-- +goose Up\n" + items + "-- +goose Down\nDROP TABLE items;\n",
		"goose/00002_more.sql":         "-- +goose Up\nALTER TABLE items ADD COLUMN a TEXT;\n-- +goose Down\nALTER TABLE items DROP COLUMN a;\n",
		"golang/1_b.up.sql":            "ALTER TABLE items ADD COLUMN b TEXT;\n",
		"golang/1_b.down.sql":          "ALTER TABLE items DROP COLUMN b;\n",
		"dbmate/20240101000000_c.sql":  "-- migrate:up\nALTER TABLE items ADD COLUMN c TEXT;\n-- migrate:down\nALTER TABLE items DROP COLUMN c;\n",
		"tern/001_d.sql":               "ALTER TABLE items ADD COLUMN d TEXT;\n---- create above / drop below ----\nALTER TABLE items DROP COLUMN d;\n",
		"sql-migrate/1_e.sql":          "-- +migrate Up\nALTER TABLE items ADD COLUMN e TEXT;\n-- +migrate Down\nALTER TABLE items DROP COLUMN e;\n",
		"plain.sql":                    "CREATE TABLE last (f TEXT NOT NULL);\n",
		"tern/.001_hidden.sql":         "DROP TABLE items;\n",
		"queries/a.sql":                "-- name: A :one\nSELECT a, b, c, d, e FROM items WHERE id = ?;\n",
		"queries/deep/b.sql":           "-- name: B :many\n-- @scan\nSELECT f FROM last;\n",
		"queries/deep/.hidden.sql":     "-- name: C :many\nSELECT 1;\n",
		"queries/notes/not_a_query.md": "",
	})
	p.schema = []any{"goose", "golang/*.sql", "dbmate/*_c.sql", "tern", "sql-migrate/[0-9]_e.sql", "plain.sql"}
	p.queries = []any{"queries/a.sql", "queries/d*"}
	p.options = map[string]any{"strict_types": true}
	files := p.mustGenerate(t)
	if !strings.Contains(files["a.sql.go"], "E sql.NullString") || !strings.Contains(files["b.sql.go"], ") B(ctx context.Context) ([]string, error)") {
		t.Errorf("got\n%s\n%s", files["a.sql.go"], files["b.sql.go"])
	}
	if got := files[report]; strings.Count(got, "\n") != 1 {
		t.Errorf("notes:\n%s", got)
	}
}
