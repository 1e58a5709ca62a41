package codegen_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/codegen"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"
)

func TestOptionsMeanWhatTheyMeanToSqlc(t *testing.T) {
	all := t.TempDir()
	var entries []map[string]any
	sets := []map[string]any{ // each option is somewhere; sqlc reads the project for each set
		{},
		{"emit_pointers_for_null_types": true, "emit_json_tags": true, "json_tags_case_style": "camel"},
		{"query_parameter_limit": 0, "initialisms": []string{"id", "at"}},
		{"query_parameter_limit": 9, "emit_exact_table_names": true, "emit_db_tags": true},
		{"emit_result_struct_pointers": true, "emit_params_struct_pointers": true, "initialisms": []string{}},
		{"emit_json_tags": true, "json_tags_case_style": "camel", "json_tags_id_uppercase": true, "omit_unused_structs": true, "emit_empty_slices": true},
		{"emit_json_tags": true, "json_tags_case_style": "pascal", "wrap_errors": true, "emit_sql_as_comment": true, "omit_sqlc_version": true},
		{"emit_json_tags": true, "json_tags_case_style": "snake", "inflection_exclude_table_names": []string{"books"}},
		{"rename": map[string]string{"author": "Writer", "born": "BirthDay", "ids": "IDs"}, "output_db_file_name": "handle.go", "output_models_file_name": "types.go", "output_files_suffix": "_gen"},
		{"emit_interface": true, "output_querier_file_name": "faces.go", "emit_exported_queries": true, "rename": map[string]string{"shelf": "Board"}},
		{"emit_methods_with_db_argument": true, "emit_interface": true},
		{"emit_prepared_queries": true, "build_tags": "linux || darwin || windows || !linux",
			"emit_enum_valid_method": true, "emit_all_enum_values": true, "emit_pointers_for_null_enum_types": true, "sql_package": "database/sql", "sql_driver": "github.com/lib/pq"},
		{"overrides": []any{
			map[string]any{"column": "books.title", "go_type": "database/sql.NullString"},
			map[string]any{"column": "*.id", "go_type": "uint32", "go_struct_tag": `x:"y"`},
			map[string]any{"db_type": "boolean", "go_type": "int8"},
			map[string]any{"db_type": "REAL", "nullable": true, "go_type": map[string]any{"type": "float32", "pointer": true}},
			map[string]any{"column": "authors.name", "go_type": map[string]any{"import": "net/url", "type": "Values"}},
			map[string]any{"column": "loans.reader", "go_type": map[string]any{"import": "text/template", "package": "tpl", "type": "HTML", "pointer": true}},
		}},
	}
	for i, set := range sets {
		p := golden(t)
		p.dropBulk(t)
		name := fmt.Sprint(i)
		if err := os.CopyFS(filepath.Join(all, name), os.DirFS(p.dir)); err != nil {
			t.Fatal(err)
		}
		p.options, p.sqlcOptions = set, set
		entries = append(entries, p.entry(name))
	}
	if stderr, ok := configure(t, all, "", entries...); !ok {
		t.Fatal(stderr)
	}
	for i, set := range sets {
		dir := filepath.Join(all, fmt.Sprint(i))
		t.Run(fmt.Sprint(set), func(t *testing.T) {
			for _, d := range differences(surfaceOf(t, filepath.Join(dir, "sqlcgen")), surfaceOf(t, filepath.Join(dir, "gen"))) {
				t.Error(d)
			}
			for _, e := range typeCheck(t, filepath.Join(dir, "gen")) {
				if !strings.Contains(e, "tpl.HTML") { // a type that does not exist, to see the import
					t.Errorf("does not compile: %s", e)
				}
			}
			want, got := goFiles(t, filepath.Join(dir, "sqlcgen")), goFiles(t, filepath.Join(dir, "gen"))
			if !slices.Equal(want, got) {
				t.Errorf("files %v, sqlc writes %v", got, want)
			}
		})
	}
}

func goFiles(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

// answer has the generator work on one query with options.
func answer(t *testing.T, options string, files map[string]string, names ...string) error {
	t.Helper()
	all := map[string]string{"schema/1.sql": items, "queries/items.sql": ""}
	var queries []*codegen.Query
	for _, name := range append(names, "A") {
		all["queries/items.sql"] += "-- name: " + name + " :one\nSELECT 1;\n"
		queries = append(queries, one(name))
	}
	maps.Copy(all, files)
	_, err := generateWith(t, []byte(options), all, queries...)
	return err
}

func TestAnUnknownOptionIsRefusedWithTheNearestName(t *testing.T) {
	for options, want := range map[string]string{
		`{}`:                            "",
		`null`:                          "",
		`{"emit_json_tag": true}`:       `there is no option "emit_json_tag"; did you mean "emit_json_tags"?`,
		`{"Strict_Types": true}`:        `there is no option "Strict_Types"; did you mean "strict_types"?`,
		`{"emit_json_tags": 1}`:         `option "emit_json_tags" cannot be a number`,
		`{"query_parameter_limit": -1}`: `option "query_parameter_limit" is -1`,
		`{"json_tags_case_style": "x"}`: `option "json_tags_case_style" is "x"; it is one of camel, pascal, snake, none`,
		`{"emit_methods_with_db_argument": true, "emit_store": true}`:                   `options "emit_store" and "emit_methods_with_db_argument" exclude each other`,
		`{"emit_methods_with_db_argument": true, "emit_prepared_queries": true}`:        `options "emit_prepared_queries" and "emit_methods_with_db_argument" exclude each other`,
		`{"emit_exported_querys": true}`:                                                `there is no option "emit_exported_querys"; did you mean "emit_exported_queries"?`,
		`{"sql_drivers": "x"}`:                                                          `there is no option "sql_drivers"; did you mean "sql_driver"?`,
		`{"sql_package": "pgx/v5"}`:                                                     "",
		`{"overrides": [{"go_typ": "string", "column": "a.b"}]}`:                        `option "overrides": an override has no "go_typ"; did you mean "go_type"?`,
		`{"overrides": [{"go_type": {"name": "string"}, "column": "a.b"}]}`:             `option "overrides": go_type has no "name"; did you mean "type"?`,
		`{"overrides": [{"go_type": "string", "postgres_type": "text", "null": true}]}`: "",
		`{"package": "a-b"}`:                                                            `option "package": "a-b" is not a Go package name`,
		`{"store_name": "store"}`:                                                       `option "store_name": "store" is not an exported Go name`,
		`{"overrides": [{"go_type": "string"}]}`:                                        "overrides[0]: gives neither column nor db_type",
		`{"overrides": [{"go_type": "strin", "column": "a.b"}]}`:                        `overrides[0]: go_type "strin" is not a basic type`,
		`{"overrides": [{"go_type": "string", "column": "b"}]}`:                         `overrides[0]: column "b" is not of the form`,
		`{"overrides": [{"go_type": "int", "column": "a.b", "go_struct_tag": "x:y"}]}`:  "overrides[0]: go_struct_tag: the value of x",
		`[1]`: "options:",
	} {
		err := answer(t, options, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", options, err, want)
		}
	}
}

func TestTwoThingsOfOneNameAreRefusedWithTheOptionThatHelps(t *testing.T) {
	const byHand = "package gen\n\n"
	for _, c := range []struct {
		options string
		files   map[string]string
		names   []string
		want    string
	}{
		{"", nil, []string{"Read"}, "the method Read of Store and the query Read (queries/items.sql:1) are both called Read; give the query another name"},
		{"", nil, []string{"Batch"}, "the method Batch of Store and the query Batch (queries/items.sql:1) are both called Batch; give the query another name"},
		{`{"emit_store": false}`, nil, []string{"Batch"}, ""},
		{"", nil, []string{"Savepoint"}, "Lido's own Savepoint and the query Savepoint (queries/items.sql:1) are both called Savepoint"},
		{`{"store_name": "Item"}`, nil, nil, "the generated type Item and the model of table items are both called Item; set the option store_name"},
		{`{"rename": {"item": "Queries"}}`, nil, nil, "Lido's own Queries and the model of table items are both called Queries; set the option rename"},
		{"", map[string]string{"gen/store.go": byHand + "type Store struct{}\n"}, nil, "the generated type Store and a declaration in gen/store.go are both called Store; set the option store_name"},
		{`{"store_name": "DB"}`, map[string]string{"gen/store.go": byHand + "type Store struct{}\n"}, nil, ""},
		{`{"emit_store": false}`, map[string]string{"gen/store.go": byHand + "type Store struct{}\n"}, nil, ""},
		{"", map[string]string{"gen/more.go": byHand + "func (q *Queries) A() {}\n"}, nil, "the query A (queries/items.sql:1) and a declaration in gen/more.go are both called A"},
		{"", map[string]string{"gen/more.go": byHand + "func (q *Queries) Own() {}\nvar x, _ = 1, 2\nfunc init() {}\n"}, nil, ""},
		{"", map[string]string{"gen/db.go": "// Code generated by sqlc. DO NOT EDIT.\n" + byHand + "type Queries struct{}\n"}, nil, ""},
		{"", map[string]string{"gen/x_test.go": "package gen_test\ntype Store struct{}\n"}, nil, ""},
		{"", map[string]string{"gen/old.sql.go": "// Code generated by lido. DO NOT EDIT.\n// source: queries/old.sql\n\n" + byHand}, nil, "gen/old.sql.go was generated once and is no longer; delete it"},
	} {
		err := answer(t, c.options, c.files, c.names...)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s %v %v: got %v, want %q", c.options, c.files, c.names, err, c.want)
		}
	}
}

// small is a project that sqlc reads without an engine of its own, which takes
// it a second to start.
func small(t *testing.T) *project {
	t.Helper()
	p := newProject(t, map[string]string{"schema.sql": items, "query.sql": "-- name: A :one\nSELECT id FROM items WHERE id = ?;\n"})
	p.database = false
	return p
}

func TestAMissingPluginIsNamed(t *testing.T) {
	p := small(t)
	p.command = filepath.Join("bin", "sqlc-gen-lido")
	p.mustFail(t, filepath.Join("bin", "sqlc-gen-lido"), "not found")
}

func TestAPluginOfAnotherVersionIsRefused(t *testing.T) {
	p := small(t)
	write(t, filepath.Join(p.dir, "gen", "db.go"), "// Code generated by lido. DO NOT EDIT.\n// versions:\n//   lido v99.1.0\n\npackage gen\n")
	p.mustFail(t, "gen/db.go was written by lido v99.1.0, and this plugin is "+codegen.Version, "go generate ./...")

	const module = "module example.com/app\n\nrequire github.com/lidodb/lido v0.2.0\n"
	for _, c := range []struct {
		gomod, own string
		ok         bool
	}{
		{module, "v0.2.0", true},
		{module, "v0.1.0", false},
		{module, "", true},
		{module + "replace github.com/lidodb/lido => ../lido\n", "v0.1.0", true},
		{"module example.com/app\nrequire (\n\tgithub.com/lidodb/lido v0.3.0 // indirect\n)\n", "v0.2.0", false},
		{"module example.com/app\n", "v0.2.0", true},
	} {
		if err := codegen.CheckModule(c.gomod, c.own); (err == nil) != c.ok {
			t.Errorf("%q with plugin %q: %v", c.gomod, c.own, err)
		}
	}
	for text, ok := range map[string]bool{
		"//   lido v0.0.9\n": true, "//   lido " + codegen.Version + "\n": true, "//   lido v0.10.0\n": false, "//   sqlc v1.31.1\n": true,
	} {
		if err := codegen.CheckWritten("gen/db.go", text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestThePluginSaysWhatItIsWhenRunByHand(t *testing.T) {
	var out, errs strings.Builder
	if code := codegen.RunPlugin(t.Context(), nil, strings.NewReader(""), &out, &errs); code != 2 || !strings.Contains(errs.String(), "is a plugin of sqlc") {
		t.Errorf("exit %d, %q", code, errs.String())
	}
	errs.Reset()
	if code := codegen.RunPlugin(t.Context(), []string{codegen.Method}, strings.NewReader("{}"), &out, &errs); code != 1 || !strings.Contains(errs.String(), "not one of sqlc's") {
		t.Errorf("exit %d, %q", code, errs.String())
	}
}

func TestStrictTypesTakeFromTheEngineWhatSqlcHasLost(t *testing.T) {
	p := golden(t)
	write(t, filepath.Join(p.dir, "queries", "strict.sql"), `
-- name: BooksOf :many
SELECT b.title FROM books AS b WHERE b.author_id IN (sqlc.slice(author_ids)) AND b.title = @title;

-- name: TaggedAuthors :many
-- @scan
SELECT a.name, tag.value FROM authors AS a, json_each(a.extra) AS tag WHERE tag.key = @tag AND a.rating > @rating;

-- name: FindBooks :many
SELECT rowid, title FROM book_search WHERE book_search MATCH @words;

-- name: PagedBooks :many
-- @scan
SELECT id FROM books WHERE pages > ? ORDER BY CASE WHEN @dir = 'asc' THEN title END, CASE WHEN @dir = 'desc' THEN title END DESC LIMIT ?;

-- name: AuthorPairs :many
-- @scan
SELECT sqlc.embed(a), sqlc.embed(n) FROM authors AS a LEFT OUTER JOIN authors AS n ON n.id = a.id + 1;

-- name: LoanedBooks :many
-- @scan
SELECT sqlc.embed(loans), sqlc.embed(books) FROM loans RIGHT JOIN main.books ON books.id = loans.book_id;

-- name: AddLoudly :one
INSERT INTO authors (name) VALUES (@name) RETURNING id, upper(name) AS loud;
`)
	p.mustGenerate(t)
	got := surfaceOf(t, filepath.Join(p.dir, "gen"))
	for name, want := range map[string]string{
		"type PagedBooksParams":    "Pages int64 `json:\"pages\"`\nDir interface{} `json:\"dir\"`\nLimit int64 `json:\"limit\"`",
		"type AuthorPairsRow":      "Author Author `json:\"author\"`\nAuthor_2 *Author `json:\"author_2\"`",
		"type LoanedBooksRow":      "Loan *Loan `json:\"loan\"`\nBook Book `json:\"book\"`",
		"type AddLoudlyRow":        "ID int64 `json:\"id\"`\nLoud string `json:\"loud\"`",
		"type BooksOfParams":       "AuthorIds []int64 `json:\"author_ids\"`\nTitle string `json:\"title\"`",
		"method FindBooks":         "context.Context, string -> []FindBooksRow, error",
		"type FindBooksRow":        "Rowid int64 `json:\"rowid\"`\nTitle sql.NullString `json:\"title\"`",
		"type TaggedAuthorsParams": "Tag interface{} `json:\"tag\"`\nRating sql.NullFloat64 `json:\"rating\"`",
	} {
		if got[name] != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got[name], want)
		}
	}
}

func TestStrictTypesCallAColumnNotNullOnlyWhereNothingCanMakeItNull(t *testing.T) {
	const schema = `CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE tags (item INTEGER NOT NULL, tag TEXT NOT NULL);
CREATE VIEW tagged AS SELECT i.id, t.tag FROM items AS i LEFT JOIN tags AS t ON t.item = i.id;`
	for sql, want := range map[string]string{
		"SELECT tag AS x FROM tags":                                       "string",
		"SELECT name AS x FROM items":                                     "sql.NullString",
		"SELECT id AS x FROM items":                                       "int64",
		"SELECT rowid AS x FROM tags":                                     "int64",
		"INSERT INTO tags VALUES (1, 'a') RETURNING tag AS x":             "string",
		"SELECT t.tag AS x FROM items LEFT JOIN tags AS t ON t.item = id": "sql.NullString",
		"SELECT tag AS x FROM tagged":                                     "sql.NullString",
		"SELECT (SELECT tag FROM tags) AS x":                              "sql.NullString",
		"SELECT x FROM (SELECT tag AS x FROM tags UNION SELECT NULL)":     "interface{}",
		"SELECT tag AS x FROM tags GROUP BY tag HAVING max(item) > 0":     "string",
		"SELECT upper(tag) AS x FROM tags":                                "interface{}",
	} {
		resp, err := generateWith(t, []byte(`{"strict_types": true}`), map[string]string{"schema/1.sql": schema, "queries/items.sql": "-- name: A :one\n" + sql + ";"}, one("A"))
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		for _, f := range resp.Files {
			if f.Name == "items.sql.go" && !strings.Contains(string(f.Contents), ") A(ctx context.Context) ("+want+", error)") {
				t.Errorf("%s: want %s in\n%s", sql, want, f.Contents)
			}
		}
	}

	two := one("A") // an aggregate makes a row of an empty table
	two.Columns = append(two.Columns, &codegen.Column{Name: "y", Type: codegen.Identifier{Name: "any"}})
	resp, err := generateWith(t, []byte(`{"strict_types": true}`), map[string]string{"schema/1.sql": schema, "queries/items.sql": "-- name: A :one\nSELECT tag AS x, max(item) AS y FROM tags;"}, two)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range resp.Files {
		if f.Name == "items.sql.go" && !strings.Contains(string(f.Contents), "X sql.NullString") {
			t.Errorf("beside an aggregate, want X sql.NullString in\n%s", f.Contents)
		}
	}
}

func TestTimesAreKeptInTheFormatOfTheirColumn(t *testing.T) {
	p := newProject(t, map[string]string{
		"schema.sql": "CREATE TABLE events (id INTEGER PRIMARY KEY, at DATETIME NOT NULL, seen DATETIME, made DATETIME NOT NULL);",
		"query.sql": `-- name: AddEvent :exec
INSERT INTO events (at, seen, made) VALUES (@at, @seen, @made);
-- name: EventsAt :many
SELECT * FROM events WHERE at IN (sqlc.slice(moments)) OR seen > @seen;
-- name: FirstEvent :one
SELECT e.made FROM events AS e WHERE e.made >= ? ORDER BY e.made LIMIT 1;
-- name: EmbeddedEvents :many
SELECT sqlc.embed(events), seen AS latest FROM events;
-- name: EventsBetween :many
SELECT id FROM events WHERE at BETWEEN @low AND @high;
-- name: Crossed :many
SELECT id FROM events WHERE seen > @at AND @made < events.at;
-- name: Touch :exec
UPDATE events SET made = @new_made, at = @new_at WHERE seen IS NOT @not_seen;
`})
	p.options = map[string]any{"time_format": map[string]any{"default": "mattn", "events.at": "unixmilli", "*.s*": "unix"}}
	text := p.mustGenerate(t)["query.sql.go"]
	for _, want := range []string{
		"lido.BindTimeAs(stmt, 1, arg.At, lido.TimeUnixMilli)",
		"lido.BindTimeAs(stmt, 2, arg.Seen.Time, lido.TimeUnix)",
		"lido.BindTimeAs(stmt, 3, arg.Made, lido.TimeMattn)",
		"lido.BindTimesAs(stmt, 1, arg.Moments, lido.TimeUnixMilli)",
		"i.At = lido.ColumnTimeAs(stmt, 1, lido.TimeUnixMilli)",
		"i.Seen = sql.NullTime{Time: lido.ColumnTimeAs(stmt, 2, lido.TimeUnix), Valid: true}",
		"lido.BindTimeAs(stmt, 1, made, lido.TimeMattn)",
		"i = lido.ColumnTimeAs(stmt, 0, lido.TimeMattn)",
		"i.Event.Made = lido.ColumnTimeAs(stmt, 3, lido.TimeMattn)",
		"i.Latest = sql.NullTime{Time: lido.ColumnTimeAs(stmt, 4, lido.TimeUnix), Valid: true}",
		"lido.BindTimeAs(stmt, 1, arg.Low, lido.TimeUnixMilli)",
		"lido.BindTimeAs(stmt, 2, arg.High, lido.TimeUnixMilli)",
		"lido.BindTimeAs(stmt, 1, arg.At.Time, lido.TimeUnix)",      // seen > @at
		"lido.BindTimeAs(stmt, 2, arg.Made, lido.TimeUnixMilli)",    // @made < events.at
		"lido.BindTimeAs(stmt, 1, arg.NewMade, lido.TimeMattn)",     // SET made = @new_made
		"lido.BindTimeAs(stmt, 2, arg.NewAt, lido.TimeUnixMilli)",   // , at = @new_at
		"lido.BindTimeAs(stmt, 3, arg.NotSeen.Time, lido.TimeUnix)", // seen IS NOT @not_seen
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	for _, e := range typeCheck(t, filepath.Join(p.dir, "gen")) {
		t.Error(e)
	}
	p.options = map[string]any{"time_format": "unixmilli", "emit_pointers_for_null_types": true}
	text = p.mustGenerate(t)["query.sql.go"]
	if n := strings.Count(text, "lido.TimeUnixMilli"); n != strings.Count(text, "TimeAs(")+strings.Count(text, "TimesAs(") || strings.Contains(text, "BindTime(") || !strings.Contains(text, "new(lido.ColumnTimeAs(stmt, 2, lido.TimeUnixMilli))") {
		t.Errorf("one format for all:\n%s", text)
	}
	for options, want := range map[string]string{
		`{"time_format": "iso"}`:                                   `option "time_format" is "iso"; it is one of datetime, lido, mattn, rfc3339nano, unix, unixmilli`,
		`{"time_format": {"at": "unix"}}`:                          `option "time_format": column "at" is not of the form`,
		`{"time_format": {"a.b": "epoch"}}`:                        `option "time_format" is "epoch"`,
		`{"time_format": 3}`:                                       `option "time_format" cannot be a number`,
		`{"time_format": {"a.b": "unix", "default": "unixmilli"}}`: "",
	} {
		err := answer(t, options, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", options, err, want)
		}
	}
}

func TestDeclaredFunctionsAndCollationsAreKnownToTheEngine(t *testing.T) {
	p := newProject(t, map[string]string{
		"schema.sql": `CREATE TABLE t (a TEXT NOT NULL COLLATE german CHECK (length(slugify(a)) > 0), b TEXT AS (slugify(a)));
CREATE INDEX t_a ON t (slugify(a));`,
		"query.sql": `-- name: Slugs :many
-- @scan
SELECT slugify(a) AS slug FROM t WHERE a = @a COLLATE german AND mix(a, 1, 2) > 0 ORDER BY a COLLATE german;
`})
	p.database = false // sqlc's own engine knows only SQLite's functions
	p.options = map[string]any{"functions": []string{"slugify/1", "mix"}, "collations": []string{"german"}}
	if text := p.mustGenerate(t)["query.sql.go"]; !strings.Contains(text, "ReadOnly: true") {
		t.Errorf("got\n%s", text)
	}
	p.options = map[string]any{"functions": []string{"slugify/2"}, "collations": []string{"german"}}
	p.mustFail(t, "slugify")
	p.options = map[string]any{"functions": []string{"slugify", "mix"}}
	p.mustFail(t, "german")
	for options, want := range map[string]string{
		`{"functions": ["slugify/x"]}`:  `option "functions": "slugify/x" is neither a name nor name/2`,
		`{"functions": ["slugify/-1"]}`: `option "functions": "slugify/-1" is neither a name nor name/2`,
		`{"functions": [""]}`:           `option "functions": ""`,
		`{"collations": [""]}`:          `option "collations": ""`,
		`{"functions": "slugify"}`:      `option "functions" cannot be a string`,
	} {
		if err := answer(t, options, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", options, err, want)
		}
	}
}

func TestAQueryWithREGEXPIsGeneratedAndRuns(t *testing.T) {
	const schema = `CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT);`
	p := newProject(t, map[string]string{
		"schema.sql": schema,
		"query.sql": `-- name: Matching :many
-- @scan
SELECT id, name REGEXP '^a' AS begins FROM item WHERE name REGEXP @pattern AND note REGEXP 'n' ORDER BY id;
`})
	p.database = false
	p.mustFail(t, "REGEXP")
	p.database = true
	p.options = map[string]any{"functions": []string{"regexp/2"}, "strict_types": true}
	text := p.mustGenerate(t)["query.sql.go"]
	for _, want := range []string{"ReadOnly: true", "pattern string", "Begins bool"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	_, rest, _ := strings.Cut(text, "SQL:      `")
	sql, _, _ := strings.Cut(rest, "`")

	db := pooltest.Open(t, nil, pool.Config{OnConnect: sqlite.Regexp})
	err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, schema+"INSERT INTO item(name, note) VALUES ('axe', 'n'), ('box', 'n'), ('axle', 'n'), ('ox', NULL), ('exit', '')")
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.PrepareRead(t.Context(), &lido.Query{Name: "Matching", SQL: sql, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.BindText(1, "x")
	var got []string
	for {
		row, err := s.Step()
		if err != nil {
			t.Fatal(err)
		}
		if !row {
			break
		}
		got = append(got, s.ColumnText(0)+s.ColumnText(1))
	}
	if text := strings.Join(got, " "); text != "11 20 31" {
		t.Error(text)
	}
}
