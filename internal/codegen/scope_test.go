package codegen_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// nastyNames are names that generated code, Go or the packages it imports have
// already: variables of the methods, declarations of the package for the
// queries of this test, packages, Go's words and predeclared names.
var nastyNames = strings.Fields(`
	q ctx stmt row err i items n none yield v w r tx arg b at db list fn ok rows
	lido context errors fmt iter json slices sql strings time
	type func range interface select go var return switch map chan struct
	append any bool byte cap error false float64 int int64 len make max min new nil string true uint8
	GetRow ListQuery getQuery askQuery copyQuery addCopy exec_result scan_column in_transaction read_batch write_batch new_batch batch_results
	_1st type_ type__ id ID Id`)

// nastySchema has a table whose columns have all those names, and one that an
// outer join may find no row of. Every type can be NULL.
func nastySchema() (schema string, columns []string) {
	types := []string{"TEXT", "INTEGER", "BOOLEAN", "REAL", "DATETIME", "BLOB", "JSON"}
	seen := map[string]bool{}
	for _, name := range nastyNames {
		if lower := strings.ToLower(name); !seen[lower] {
			seen[lower] = true
			columns = append(columns, `"`+name+`"`)
		}
	}
	var one, other []string
	for i, c := range columns {
		one = append(one, c+" "+types[i%len(types)])
		other = append(other, c+" "+types[(i+1)%len(types)]+" NOT NULL")
	}
	return "CREATE TABLE nasty (key INTEGER PRIMARY KEY, " + strings.Join(one, ", ") + ");\n" +
		"CREATE TABLE stmts (key INTEGER PRIMARY KEY, parent INTEGER REFERENCES nasty (key), v TEXT, i INTEGER, row BOOLEAN, doc JSON, at DATETIME);\n" +
		"CREATE TABLE fulls (key INTEGER PRIMARY KEY, " + strings.Join(other, ", ") + ");\n", columns
}

// nastyQueries use each name as a lone parameter, as one of several, and as a
// column; those that bulk commands have uses for also there.
func nastyQueries(columns []string) string {
	bulk := " arg tx r w n b i at ctx q strings slices lido fn list item err row stmt db read_batch write_batch new_batch batch_results in_transaction copyquery string append none "
	var b strings.Builder
	for i, c := range columns {
		name := strings.Trim(c, `"`)
		fmt.Fprintf(&b, "-- name: List%d :many\nSELECT v FROM stmts WHERE v = @%s AND i = @other_%s;\n\n", i, name, name)
		fmt.Fprintf(&b, "-- name: Lone%d :many\nSELECT v FROM stmts WHERE v = @%s;\n\n", i, name)
		if !strings.Contains(bulk, " "+strings.ToLower(name)+" ") {
			continue
		}
		fmt.Fprintf(&b, "-- name: Add%d :copyfrom\nINSERT INTO stmts (v) VALUES (@%s);\n\n", i, name)
		fmt.Fprintf(&b, "-- name: Ask%d :batchone\nSELECT key FROM stmts WHERE v = @%s;\n\n", i, name)
		fmt.Fprintf(&b, "-- name: Back%d :batchmany\nDELETE FROM stmts WHERE v = @%s RETURNING *;\n\n", i, name)
		fmt.Fprintf(&b, "-- name: Run%d :batchexec\nDELETE FROM stmts WHERE v = @%s;\n\n", i, name)
	}
	// Lower-case names are Go names too, and declare lower-case types.
	b.WriteString("-- name: get :one\nSELECT key, v FROM stmts WHERE v = @get_row;\n\n" +
		"-- name: list :many\nSELECT key, v FROM stmts WHERE v = @list_query;\n\n" +
		"-- name: both :many\nSELECT key, v FROM stmts WHERE v = @both_row AND i = @both_params;\n\n" +
		"-- name: copied :copyfrom\nINSERT INTO stmts (v, i) VALUES (@copied_copy, @copied_query);\n\n" +
		"-- name: Result :execresult\nUPDATE stmts SET v = @exec_result;\n\n" +
		"-- name: Last :execlastid\nINSERT INTO stmts (v) VALUES (@last_query);\n\n" +
		"-- name: Embedded :many\nSELECT sqlc.embed(nasty), sqlc.embed(stmts), nasty.i AS v FROM nasty LEFT JOIN stmts ON stmts.parent = nasty.key;\n\n" +
		"-- name: EmbeddedFull :one\nSELECT sqlc.embed(stmts), sqlc.embed(fulls) FROM stmts LEFT JOIN fulls ON fulls.key = stmts.parent WHERE stmts.key = @v;\n\n" +
		"-- name: Everything :many\nSELECT * FROM nasty;\n\n" +
		"-- name: Doc :one\nSELECT doc FROM stmts WHERE at = @doc;\n\n" +
		"-- name: Slice :many\nSELECT v FROM stmts WHERE i IN (sqlc.slice(items)) AND v = @none;\n\n")
	return b.String()
}

// scopeVariants are options that change the declarations of generated code.
var scopeVariants = map[string]map[string]any{
	"plain":  {},
	"strict": {"strict_types": true, "emit_pointers_for_null_types": true},
	"handed": {"strict_types": true, "emit_methods_with_db_argument": true, "wrap_errors": true, "emit_interface": true, "query_parameter_limit": 9},
	"all": {"emit_interface": true, "emit_prepared_queries": true, "emit_result_struct_pointers": true, "emit_params_struct_pointers": true,
		"emit_pointers_for_null_types": true, "emit_empty_slices": true, "emit_json_tags": true, "compat": true, "query_parameter_limit": 0},
	"overridden": {"strict_types": true, "overrides": []any{
		map[string]any{"db_type": "TEXT", "nullable": true, "go_type": map[string]any{"import": "net/url", "type": "URL", "pointer": true}},
		map[string]any{"db_type": "JSON", "nullable": true, "go_type": "*encoding/json.RawMessage"},
		map[string]any{"db_type": "INTEGER", "nullable": true, "go_type": map[string]any{"type": "uint8", "pointer": true}},
		map[string]any{"db_type": "REAL", "nullable": true, "go_type": map[string]any{"type": "float32", "pointer": true}},
		map[string]any{"db_type": "BLOB", "nullable": true, "go_type": "time.Duration"},
		map[string]any{"column": "*.i", "go_type": map[string]any{"type": "Rank"}}, // of the package itself
	}},
}

func TestScope_noNameHidesAnother(t *testing.T) {
	schema, columns := nastySchema()
	p := newProject(t, map[string]string{"schema.sql": schema, "query.sql": nastyQueries(columns)})
	entry := p.entry("")
	var packages []any
	for name, options := range scopeVariants {
		options = maps.Clone(options)
		maps.Copy(options, map[string]any{"package": name, "plan": "off"})
		packages = append(packages, map[string]any{"plugin": "lido", "out": name, "options": options})
	}
	write(t, filepath.Join(p.dir, "overridden", "rank.go"), "package overridden\n\nimport \"strconv\"\n\ntype Rank int\n\nfunc (r Rank) String() string { return strconv.Itoa(int(r)) }\n")
	entry["codegen"] = packages
	if stderr, ok := configure(t, p.dir, "", entry); !ok {
		t.Fatal(stderr)
	}
	for name := range scopeVariants {
		for _, e := range typeCheck(t, filepath.Join(p.dir, name)) {
			t.Errorf("%s: %s", name, e)
		}
	}
}

// Two parameters that are one field of Go have one value, which no query means.
func TestScope_twoParametersAreNotOneField(t *testing.T) {
	p := newProject(t, map[string]string{"schema.sql": "CREATE TABLE t (a TEXT NOT NULL, b TEXT NOT NULL);", "query.sql": `
-- name: Mixed :many
SELECT a FROM t WHERE a = ? AND b = @a;
-- name: Spelt :many
SELECT a FROM t WHERE a = @user_id AND b = @userID;
`})
	p.mustFail(t, "query.sql:2:1 Mixed: parameters 1 (a) and 2 (a) would both be A in Go and have one value",
		"query.sql:4:1 Spelt: parameters 1 (user_id) and 2 (userID) would both be UserID in Go and have one value")
	write(t, filepath.Join(p.dir, "query.sql"), `
-- name: Twice :many
SELECT a FROM t WHERE a = @x AND b = @x;
-- name: Apart :many
SELECT a FROM t WHERE a = @a AND b = ?;
-- name: Numbered :many
SELECT a FROM t WHERE a = @a AND a = ?;
`)
	code := p.mustGenerate(t)["query.sql.go"]
	for _, want := range []string{"Twice(ctx context.Context, x string)", "type ApartParams struct {\n\tA string\n\tB string\n", "type NumberedParams struct {\n\tA   string\n\tA_2 string\n"} {
		if !strings.Contains(code, want) {
			t.Errorf("no %q in\n%s", want, code)
		}
	}
}

func TestScope_whatTheOptionsNameIsHeldAgainstTheRest(t *testing.T) {
	const overrides = `{"overrides": [%s]}`
	for options, want := range map[string]string{
		`{"rename": {"item": "string"}}`: `the model of table items would hide Go's own string; set the option rename, or give it another name`,
		`{"rename": {"item": "sql"}}`:    `the model of table items would hide the package database/sql; set the option rename`,
		fmt.Sprintf(overrides, `{"column": "items.id", "go_type": "example.com/a/errors.Code"}`):                                                               "generated code would import both errors and example.com/a/errors as errors; give the override's go_type a package name",
		fmt.Sprintf(overrides, `{"column": "items.id", "go_type": "example.com/a/uuid.UUID"}, {"column": "items.name", "go_type": "example.com/b/uuid.UUID"}`): "generated code would import both example.com/a/uuid and example.com/b/uuid as uuid",
		fmt.Sprintf(overrides, `{"column": "items.id", "go_type": {"import": "example.com/a/errors", "package": "codes", "type": "Code"}}`):                    "",
	} {
		err := answer(t, options, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", options, err, want)
		}
	}
}

// A parameter called none was hidden by the empty row of the iterator, and of
// the same type: the query ran with "" in its place.
func TestScope_anIteratorBindsItsParameters(t *testing.T) {
	p := newProject(t, map[string]string{"schema.sql": "CREATE TABLE t (a TEXT NOT NULL);", "query.sql": "-- name: Q :many\n-- @scan\nSELECT a FROM t WHERE a = @none;\n"})
	code := p.mustGenerate(t)["query.sql.go"]
	_, iterator, _ := strings.Cut(code, "func (q *ReadQueries) QSeq(")
	if !strings.Contains(iterator, "stmt.BindText(1, none_)") || !strings.HasPrefix(iterator, "ctx context.Context, none_ string)") {
		t.Errorf("got\n%s", iterator)
	}
}

func TestScope_aFileIsForEverySystem(t *testing.T) {
	for name, refused := range map[string]bool{"orders_windows.sql": true, "chips_arm64.sql": true, "_hidden.sql": true, "orders_test.sql": false, "windows.sql": false, "orders.linux.sql": false} {
		want := ""
		if refused {
			want = "queries/" + name + ":1:1: Go would leave out " + name + ".go on some systems or all; rename the query file"
		}
		err := answer(t, "", map[string]string{"queries/" + name: "-- name: Q :many\nSELECT 1;\n"})
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}
