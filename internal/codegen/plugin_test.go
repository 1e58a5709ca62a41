package codegen_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/lidodb/lido/internal/codegen"
)

// field encodes one field of a message.
func field(n protowire.Number, data string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), data))
}

// request is a request of sqlc for the files that problem writes.
func request(engine, options string, queries ...string) string {
	settings := field(2, engine) + field(3, "schema") + field(4, "queries") + field(12, field(1, "gen"))
	msg := field(1, settings) + field(2, field(2, "main")+field(4, field(2, "main")))
	for _, q := range queries {
		msg += field(3, q)
	}
	return msg + field(4, "v1.31.1") + field(5, options)
}

func namedQuery(name, cmd string) string {
	return field(2, name) + field(3, cmd) + field(7, "items.sql") + field(4, field(1, "x")+field(12, field(3, "any")))
}

// plugin runs the plugin on msg in a folder with these files, and fails where
// it leaves anything behind.
func plugin(t *testing.T, files map[string]string, msg io.Reader) (status int, out, errs string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	t.Chdir(dir)
	before := listing(t, dir)
	var stdout, stderr bytes.Buffer
	status = codegen.RunPlugin(t.Context(), []string{codegen.Method}, msg, &stdout, &stderr)
	if after := listing(t, dir); before != after {
		t.Errorf("the plugin changed the folder:\n%s\nwas\n%s", after, before)
	}
	return status, stdout.String(), stderr.String()
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b.WriteString(path + "\n" + read(t, path) + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBadInputIsOneClearMessageAndNothingWritten(t *testing.T) {
	good := request("sqlite", "{}", namedQuery("A", ":one"))
	for name, c := range map[string]struct {
		msg   string
		files map[string]string
		want  string
	}{
		"nothing":              {"", nil, "the request is not one of sqlc's: it names no engine"},
		"JSON":                 {`{"settings": {}}`, nil, `the request is not one of sqlc's (set no "format" for the plugin)`},
		"noise":                {"\xff\xff\xff\xff", nil, "the request is not one of sqlc's"},
		"cut short":            {good[:len(good)-2], nil, "the request is not one of sqlc's"},
		"cut inside a message": {good[:20], nil, "the request is not one of sqlc's"},
		"another engine":       {request("mysql", "{}", namedQuery("A", ":one")), nil, `engine is "mysql"; Lido generates for "sqlite" only`},
		"no queries":           {request("sqlite", "{}"), nil, `there are no queries; each begins with a comment line like "-- name: GetAuthor :one"`},
		"options not in JSON":  {request("sqlite", "{", namedQuery("A", ":one")), nil, "options: unexpected end of JSON input"},
		"an unknown command":   {request("sqlite", "{}", namedQuery("A", ":some")), nil, "queries/items.sql:1:1 A: :some is not supported"},
		"two of one name": {
			request("sqlite", "{}", namedQuery("A", ":one"), namedQuery("A", ":one")), nil,
			"queries/items.sql:1:1 A: sqlc hands over two queries of this name; give one another name",
		},
		"two of one name in the source": {
			good, map[string]string{"queries/more.sql": "\n-- name: A :one\nSELECT 2;"},
			"queries/more.sql:2:1 A: queries/items.sql:1 has a query of this name already; give one another name",
		},
		"no Go name": {
			request("sqlite", "{}", namedQuery("A-b", ":one")), map[string]string{"queries/items.sql": "-- name: A-b :one\nSELECT 1;"},
			`the query A-b (queries/items.sql:1) would be called "A-b" in Go, which is no name; give the query another name`,
		},
		"a word of Go": {
			request("sqlite", "{}", namedQuery("type", ":one")), map[string]string{"queries/items.sql": "-- name: type :one\nSELECT 1;"},
			`the query type (queries/items.sql:1) would be called "type" in Go`,
		},
		"a column without a name in Go": {
			request("sqlite", "{}", namedQuery("A", ":one")+field(4, field(1, "_")+field(12, field(3, "any")))),
			map[string]string{"queries/items.sql": "-- name: A :one\nSELECT 1 AS x, 2 AS _;"},
			`in the query A (queries/items.sql:1) the column "_" would be called "" in Go, which is no name; set the option rename, or give it an alias`,
		},
		"types that clash": {
			request("sqlite", "{}", namedQuery("A", ":one")+
				field(5, "\x08\x01"+field(2, field(1, "a")+"\x38\x01"+field(12, field(3, "text"))))+field(5, "\x08\x02"+field(2, field(1, "a")+"\x38\x01"+field(12, field(3, "integer"))))),
			map[string]string{"queries/items.sql": "-- name: A :one\nSELECT ?1 = ?2;"}, "queries/items.sql:1:1 A: parameter A has incompatible types: sql.NullInt64 and sql.NullString",
		},
		"a schema that does not apply": {good, map[string]string{"schema/2.sql": "CREATE TABLE items (id);"}, "schema/2.sql:1:14: table items already exists"},
		"a schema that does not end":   {good, map[string]string{"schema/2.sql": "CREATE TABLE more (id"}, "schema/2.sql:1:22: incomplete input"},
		"a NUL in the schema":          {good, map[string]string{"schema/2.sql": "SELECT 1;\n\x00DROP TABLE items;"}, "schema/2.sql:2:1: a NUL byte"},
		"a NUL in a query":             {good, map[string]string{"queries/items.sql": "-- name: A :one\nSELECT 1 \x00, 2;"}, "queries/items.sql:2:10 A: the statement holds a NUL byte"},
		"no such folder":               {strings.Replace(good, "schema", "schemo", 1), nil, "schema: stat schemo: no such file or directory (paths are taken from the folder sqlc runs in"},
		"a hand-written file in the way": {
			good, map[string]string{"gen/db.go": "package gen\n\nvar Mine int\n"},
			"gen/db.go was not generated, and would be overwritten; move it, or set another name with the options output_*",
		},
		"a report in the way":       {good, map[string]string{"gen/lido_report.txt": "my notes\n"}, "gen/lido_report.txt was not generated, and would be overwritten"},
		"a file of another package": {good, map[string]string{"gen/x.go": "package other\n"}, "gen/x.go is of package other, and the generated code of package gen; set the option package or out"},
		"a declaration in the way":  {good, map[string]string{"gen/x.go": "package gen\n\ntype Store struct{}\n"}, "the generated type Store and a declaration in gen/x.go are both called Store; set the option store_name"},
		"a file of no query left":   {good, map[string]string{"gen/old.sql.go": "// Code generated by lido. DO NOT EDIT.\n\npackage gen\n"}, "gen/old.sql.go was generated once and is no longer; delete it"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"schema/1.sql": items, "queries/items.sql": "-- name: A :one\nSELECT 1;\n"}
			for name, text := range c.files {
				files[name] = text
			}
			status, out, errs := plugin(t, files, strings.NewReader(c.msg))
			if status != 1 || out != "" || strings.Count(strings.TrimSpace(errs), "\n") != 0 || !strings.Contains(errs, c.want) || errs == "" {
				t.Errorf("status %d, output %q, complaint:\n%s\nwant %s", status, out, errs, c.want)
			}
		})
	}
	if status, out, errs := plugin(t, map[string]string{"schema/1.sql": items, "queries/items.sql": "-- name: A :one\nSELECT 1;\n"}, strings.NewReader(good)); status != 0 || out == "" || errs != "" {
		t.Errorf("good input: status %d, %s", status, errs)
	}
	if status, _, errs := plugin(t, nil, iotest.ErrReader(errors.New("pipe broke"))); status != 1 || errs != "read the request: pipe broke\n" {
		t.Errorf("a broken pipe: status %d, %s", status, errs)
	}
}

func TestWhatMayLieInTheOutputFolder(t *testing.T) {
	status, _, errs := plugin(t, map[string]string{
		"schema/1.sql": items, "queries/items.sql": "-- name: A :one\nSELECT 1;\n",
		"gen/db.go":           "// Code generated by sqlc. DO NOT EDIT.\n\npackage other\n",
		"gen/models.go":       "",
		"gen/mine.go":         "package gen\n\nfunc (q *Queries) Twice() {}\n",
		"gen/mine_test.go":    "package gen_test\n",
		"gen/tool.go":         "//go:build ignore\n\npackage main\n",
		"gen/broken.go":       "pack",
		"gen/notes.txt":       "mine",
		"gen/lido_report.txt": "lido v0.0.1: 1 query\n",
	}, strings.NewReader(request("sqlite", "{}", namedQuery("A", ":one"))))
	if status != 0 {
		t.Error(errs)
	}
}

func TestAllProblemsComeInOneRun(t *testing.T) {
	_, err := generateHere(t, map[string]string{
		"schema/1.sql":      items,
		"queries/items.sql": "-- name: A :one\nSELECT gone FROM items;\n-- name: B :one\nSELECT 1, 2;\n-- name: C :one\nSELECT sqlc.argh(x);\n-- name: D :one\nSELECT id FROM items WHERE id = @id;\n",
	}, one("A"), one("B"), one("C"), one("D"), one("E"))
	want := []string{
		"items.sql:1:1 E: sqlc knows this query, but no file under \"queries\" has it",
		"queries/items.sql:2:8 A: no such column: gone",
		"queries/items.sql:4:1 B: sqlc sees 1 column, the engine 2",
		"queries/items.sql:6:8 C: there is no sqlc.argh",
		"queries/items.sql:8:33 D: sqlc did not see the parameter id",
	}
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, w := range want {
		if i >= len(lines) || !strings.HasPrefix(lines[i], w) {
			t.Errorf("line %d is not %q:\n%v", i+1, w, err)
		}
	}
}

// FuzzAnyRequestIsAnsweredOrRefused has the generator work on whatever decodes.
func FuzzAnyRequestIsAnsweredOrRefused(f *testing.F) {
	dir := f.TempDir()
	const queries = "-- name: A :one\nSELECT id, name FROM items WHERE id = ? AND name IN (sqlc.slice(names));\n-- name: B :many\nSELECT sqlc.embed(items) FROM items;\n-- name: C :copyfrom\nINSERT INTO items (id, name) VALUES (?, ?);\n"
	write(f, filepath.Join(dir, "schema.sql"), items)
	write(f, filepath.Join(dir, "queries.sql"), queries)
	f.Add([]byte(request("sqlite", "{}", namedQuery("A", ":one"))))
	f.Add([]byte(request("sqlite", `{"emit_interface": true, "strict_types": true, "rename": {"x": "y"}}`, namedQuery("B", ":many")+field(4, field(14, field(3, "items"))))))
	f.Add([]byte(request("sqlite", `{"emit_json_tags": true, "verify": "off"}`, namedQuery("C", ":copyfrom")+field(5, "\x08\x01"+field(2, field(1, "id"))))))
	f.Fuzz(func(t *testing.T, msg []byte) {
		req, err := codegen.ParseRequest(msg)
		if err != nil {
			return
		}
		req.Settings.Engine = "sqlite"
		req.Settings.Schema, req.Settings.Queries = []string{filepath.Join(dir, "schema.sql")}, []string{filepath.Join(dir, "queries.sql")}
		resp, err := codegen.Generate(context.Background(), req)
		if (resp == nil) == (err == nil) {
			t.Errorf("response %v, error %v", resp, err)
		}
		if err != nil && strings.Contains(err.Error(), "does not parse") {
			t.Errorf("the generator wrote what is not Go: %v", err)
		}
	})
}

// FuzzAnyNameBecomesGoOrIsRefused has names from the catalog and the options
// go through the whole generator, which formats what it has written and so
// finds what is not Go.
func FuzzAnyNameBecomesGoOrIsRefused(f *testing.F) {
	dir := f.TempDir()
	write(f, filepath.Join(dir, "schema.sql"), items)
	write(f, filepath.Join(dir, "queries.sql"), "-- name: A :many\nSELECT id, name FROM items WHERE id = ? AND name = ?;\n-- name: B :one\nSELECT id FROM items WHERE name = ?;\n")
	f.Add("items", "id", "name", "ID", "text", "{}")
	f.Add("1st", "a b", "type", "ß", "interface{}", `{"emit_interface": true, "emit_json_tags": true, "query_parameter_limit": 5}`)
	f.Add("_", "", "!", "`", "json", `{"emit_pointers_for_null_types": true, "rename": {"!": "Bang"}}`)
	f.Fuzz(func(t *testing.T, table, column, other, param, typ, options string) {
		cols := func(n protowire.Number) string {
			return field(n, field(1, column)+field(12, field(3, typ))) + field(n, field(1, other)+"\x18\x01"+field(12, field(3, "text")))
		}
		msg := field(1, field(2, "sqlite")+field(12, field(1, "gen"))) +
			field(2, field(2, "main")+field(4, field(2, "main")+field(3, field(1, field(3, table))+cols(2)))) +
			field(3, field(2, "A")+field(3, ":many")+field(7, "queries.sql")+cols(4)+
				field(5, "\x08\x01"+field(2, field(1, param)+field(12, field(3, typ))))+field(5, "\x08\x02"+field(2, field(1, other)+field(12, field(3, "text"))))) +
			field(3, field(2, "B")+field(3, ":one")+field(7, "queries.sql")+field(4, field(1, column)+field(12, field(3, typ)))+
				field(5, "\x08\x01"+field(2, field(1, param)+field(12, field(3, typ))))) +
			field(5, options)
		req, err := codegen.ParseRequest([]byte(msg))
		if err != nil {
			t.Fatal(err)
		}
		req.Settings.Schema, req.Settings.Queries = []string{filepath.Join(dir, "schema.sql")}, []string{filepath.Join(dir, "queries.sql")}
		if _, err := codegen.Generate(context.Background(), req); err != nil && strings.Contains(err.Error(), "does not parse") {
			t.Errorf("the generator wrote what is not Go: %v", err)
		}
	})
}
