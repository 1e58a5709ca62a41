package codegen_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lidodb/lido/internal/codegen"
)

// goldenOptions are settings whose effect is shown by a golden file of the
// same name, one for each option: all files for base, and for the others the
// lines in which they differ from base.
var goldenOptions = map[string]map[string]any{
	"base":                              {},
	"package":                           {"package": "users"},
	"build_tags":                        {"build_tags": "!wasm"},
	"collations":                        {"collations": []string{"german"}},
	"compat":                            {"compat": true},
	"double_quoted_strings":             {"double_quoted_strings": true},
	"emit_all_enum_values":              {"emit_all_enum_values": true},
	"emit_db_tags":                      {"emit_db_tags": true},
	"emit_empty_slices":                 {"emit_empty_slices": true},
	"emit_enum_valid_method":            {"emit_enum_valid_method": true},
	"emit_exact_table_names":            {"emit_exact_table_names": true},
	"emit_exported_queries":             {"emit_exported_queries": true},
	"emit_interface":                    {"emit_interface": true},
	"emit_json_tags":                    {"emit_json_tags": true},
	"emit_methods_with_db_argument":     {"emit_methods_with_db_argument": true},
	"emit_params_struct_pointers":       {"emit_params_struct_pointers": true},
	"emit_pointers_for_null_enum_types": {"emit_pointers_for_null_enum_types": true},
	"emit_pointers_for_null_types":      {"emit_pointers_for_null_types": true},
	"emit_prepared_queries":             {"emit_prepared_queries": true},
	"emit_result_struct_pointers":       {"emit_result_struct_pointers": true},
	"emit_sql_as_comment":               {"emit_sql_as_comment": true},
	"emit_store":                        {"emit_store": false},
	"functions":                         {"functions": []string{"slugify/1"}},
	"inflection_exclude_table_names":    {"inflection_exclude_table_names": []string{"users"}},
	"initialisms":                       {"initialisms": []string{"id", "at"}},
	"json_tags_case_style":              {"emit_json_tags": true, "json_tags_case_style": "camel"},
	"json_tags_id_uppercase":            {"emit_json_tags": true, "json_tags_case_style": "camel", "json_tags_id_uppercase": true},
	"omit_sqlc_version":                 {"omit_sqlc_version": true},
	"omit_unused_structs":               {"omit_unused_structs": true},
	"output_batch_file_name":            {"output_batch_file_name": "several.go"},
	"output_copyfrom_file_name":         {"output_copyfrom_file_name": "import.go"},
	"output_db_file_name":               {"output_db_file_name": "handle.go"},
	"output_files_suffix":               {"output_files_suffix": "_gen"},
	"output_models_file_name":           {"output_models_file_name": "types.go"},
	"output_querier_file_name":          {"emit_interface": true, "output_querier_file_name": "interfaces.go"},
	"overrides": {"overrides": []any{
		map[string]any{"column": "users.score", "go_type": map[string]any{"type": "float32", "pointer": true}},
		map[string]any{"column": "main.users.full_name", "go_type": "html/template.HTML", "go_struct_tag": `validate:"required"`},
		map[string]any{"db_type": "BOOLEAN", "go_type": "int8"},
		map[string]any{"column": "users.parent_id", "go_type": "*net/url.URL"},
		map[string]any{"db_type": "INTEGER", "nullable": true, "go_type": map[string]any{"import": "database/sql", "package": "stdsql", "type": "NullInt32"}},
	}},
	"plan":                  {"plan": "off"},
	"plans":                 {"plans": "plans.txt"},
	"query_parameter_limit": {"query_parameter_limit": 2},
	"rename":                {"rename": map[string]string{"user": "Account", "full_name": "Name"}},
	"sql_driver":            {"sql_driver": "github.com/jackc/pgx/v5"},
	"sql_package":           {"sql_package": "pgx/v5"},
	"sqlc_only":             {"sqlc_only": []string{"stubs/*"}},
	"store_name":            {"store_name": "DB"},
	"strict_types":          {"strict_types": true},
	"time_format":           {"time_format": map[string]any{"default": "unix", "users.created_at": "unixmilli"}},
	"verify":                {"verify": "off"},
	"wrap_errors":           {"wrap_errors": true},
}

func TestTheEffectOfEveryOptionIsTheGoldenOne(t *testing.T) {
	p := newProject(t, nil)
	for _, file := range []string{"schema.sql", "query.sql"} {
		write(t, filepath.Join(p.dir, file), read(t, filepath.Join("testdata", "option", file)))
	}
	names := slices.Sorted(maps.Keys(goldenOptions))
	var sets []map[string]any
	for _, name := range names {
		sets = append(sets, goldenOptions[name])
	}
	each := p.mustGenerateEach(t, sets...)
	base := each[slices.Index(names, "base")].output(t)
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			files := each[i].output(t)
			for _, e := range typeCheck(t, filepath.Join(each[i].dir, "gen")) {
				t.Errorf("does not compile: %s", e)
			}
			var b strings.Builder
			fmt.Fprintf(&b, "%s\n", must(json.Marshal(goldenOptions[name])))
			for _, file := range slices.Sorted(maps.Keys(files)) {
				switch {
				case name == "base":
					fmt.Fprintf(&b, "-- %s --\n%s", file, files[file])
				case base[file] != files[file]:
					fmt.Fprintf(&b, "-- %s --\n%s", file, changes(base[file], files[file]))
				}
			}
			for _, file := range slices.Sorted(maps.Keys(base)) {
				if _, ok := files[file]; !ok {
					fmt.Fprintf(&b, "-- without %s --\n", file)
				}
			}
			compareGolden(t, filepath.Join("testdata", "option", name+".golden"), b.String())
		})
	}
	for _, name := range codegen.OptionNames() {
		if _, ok := goldenOptions[name]; !ok && name != "out" { // which sqlc sets
			t.Errorf("option %s has no golden file", name)
		}
	}
	paths, err := filepath.Glob(filepath.Join("testdata", "option", "*.golden"))
	if err != nil || len(paths) != len(names)+1 { // and that of the global options
		t.Errorf("%d golden files for %d options: %v", len(paths), len(names), err)
	}
}

// changes lists the lines that differ between two texts: those that go, with a
// minus, and those that come, with a plus.
func changes(from, to string) string {
	a, b := strings.SplitAfter(from, "\n"), strings.SplitAfter(to, "\n")
	common := make([][]int, len(a)+1) // length of the longest common part from here on
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if common[i][j] = max(common[i+1][j], common[i][j+1]); a[i] == b[j] {
				common[i][j] = 1 + common[i+1][j+1]
			}
		}
	}
	var out strings.Builder
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out.WriteString("-" + a[i])
			i++
		default:
			out.WriteString("+" + b[j])
			j++
		}
	}
	return out.String()
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		write(t, path, got)
		return
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != got {
		t.Errorf("%s differs (%v); if that is meant, run go test -run Golden -update\ngot:\n%s", path, err, got)
	}
}

func TestTheGlobalOptionsGoldenComesFirstAndHoldsOverridesAndNames(t *testing.T) {
	p := newProject(t, map[string]string{
		"schema.sql": read(t, filepath.Join("testdata", "option", "schema.sql")),
		"query.sql":  read(t, filepath.Join("testdata", "option", "query.sql")),
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p.options = map[string]any{"overrides": []any{map[string]any{"column": "users.*", "go_type": "string"}}, "rename": map[string]string{"user": "Local"}}
	run := func(global map[string]any, sqlc func(testing.TB, string) (string, bool)) (string, bool) {
		write(t, filepath.Join(p.dir, "sqlc.json"), string(must(json.Marshal(map[string]any{
			"version": "2",
			"plugins": []any{map[string]any{"name": "lido", "process": map[string]any{"cmd": self}}},
			"options": map[string]any{"lido": global},
			"sql":     []any{p.entry("")},
		}))))
		return sqlc(t, p.dir)
	}
	stderr, ok := run(map[string]any{
		"overrides": []any{map[string]any{"column": "*.id", "go_type": "uint64"}, map[string]any{"db_type": "TEXT", "go_type": "html/template.HTML"}},
		"rename":    map[string]string{"user": "Account"},
	}, sqlc)
	if !ok {
		t.Fatal(stderr)
	}
	compareGolden(t, filepath.Join("testdata", "option", "global.golden"), p.output(t)["models.go"])
	if stderr, ok = run(map[string]any{"emit_interface": true}, refusal); ok || !strings.Contains(stderr, `global options: there is no option "emit_interface"; did you mean`) {
		t.Errorf("an option that is not global: %s", stderr)
	}
}
