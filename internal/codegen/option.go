package codegen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
)

// options are what sqlc.yaml sets under the plugin's options. The names of
// sqlc's own Go generator mean what they mean there.
type options struct {
	Package string `json:"package"`
	Out     string `json:"out"`

	EmitInterface               bool     `json:"emit_interface"`
	EmitJSONTags                bool     `json:"emit_json_tags"`
	JSONTagsIDUppercase         bool     `json:"json_tags_id_uppercase"`
	JSONTagsCaseStyle           string   `json:"json_tags_case_style"`
	EmitDBTags                  bool     `json:"emit_db_tags"`
	EmitExactTableNames         bool     `json:"emit_exact_table_names"`
	EmitEmptySlices             bool     `json:"emit_empty_slices"`
	EmitResultStructPointers    bool     `json:"emit_result_struct_pointers"`
	EmitParamsStructPointers    bool     `json:"emit_params_struct_pointers"`
	EmitPointersForNullTypes    bool     `json:"emit_pointers_for_null_types"`
	EmitExportedQueries         bool     `json:"emit_exported_queries"`
	EmitMethodsWithDBArgument   bool     `json:"emit_methods_with_db_argument"`
	EmitPreparedQueries         bool     `json:"emit_prepared_queries"`
	EmitSQLAsComment            bool     `json:"emit_sql_as_comment"`
	OmitUnusedStructs           bool     `json:"omit_unused_structs"`
	OmitSqlcVersion             bool     `json:"omit_sqlc_version"`
	WrapErrors                  bool     `json:"wrap_errors"`
	BuildTags                   string   `json:"build_tags"`
	Initialisms                 []string `json:"initialisms"`
	InflectionExcludeTableNames []string `json:"inflection_exclude_table_names"`
	QueryParameterLimit         *int     `json:"query_parameter_limit"`

	Rename    map[string]string `json:"rename"`
	Overrides []override        `json:"overrides"`

	OutputDBFileName      string `json:"output_db_file_name"`
	OutputModelsFileName  string `json:"output_models_file_name"`
	OutputQuerierFileName string `json:"output_querier_file_name"`
	OutputFilesSuffix     string `json:"output_files_suffix"`

	// What the methods of these commands share is in a file of its own.
	OutputBatchFileName    string `json:"output_batch_file_name"`
	OutputCopyFromFileName string `json:"output_copyfrom_file_name"`

	// Lido's own.

	// StrictTypes lets the engine type what sqlc could only call any, makes
	// the sqlc.embed of an absent row nil, and restores names that sqlc loses.
	StrictTypes bool `json:"strict_types"`
	// EmitStore writes the type that runs the queries on a database; true if
	// it is left out. StoreName is its name, "Store" if left out.
	EmitStore *bool  `json:"emit_store"`
	StoreName string `json:"store_name"`

	// Compat writes DBTX, the one name of sqlc's package that Lido's has no use
	// for, so that a program which mentions it compiles.
	Compat bool `json:"compat"`

	// TimeFormat says in which form columns keep their times.
	TimeFormat timeFormat `json:"time_format"`

	// Functions are those that the program adds to SQL, as "name" or "name/2"
	// with the number of arguments; Collations likewise.
	Functions  []string `json:"functions"`
	Collations []string `json:"collations"`

	// DoubleQuotedStrings says that the program opens its pool with the field
	// of this name: "text" that is no column is then a string.
	DoubleQuotedStrings bool `json:"double_quoted_strings"`

	// Verify says what a query that the engine refuses comes to: "error" (the
	// default), "warn" (a note in the report), or "off" (no engine is asked).
	Verify string `json:"verify"`
	// Plan says the same of a statement that reads a table from end to end or
	// sorts one, without a "-- @scan": "off", "warn" (the default), "error".
	Plan string `json:"plan"`
	// Plans is a file in the output folder for the plan of every query; none
	// is written if it is left out.
	Plans string `json:"plans"`
	// SqlcOnly are patterns of schema files that exist only for sqlc.
	SqlcOnly []string `json:"sqlc_only"`

	initialisms map[string]bool
	idle        []string // names of options that were given and change nothing
}

// idleOptions are options of sqlc's generator that are accepted and change
// nothing, with the reason that the report gives.
var idleOptions = map[string]string{
	"emit_enum_valid_method":            "SQLite has no enums",
	"emit_all_enum_values":              "SQLite has no enums",
	"emit_pointers_for_null_enum_types": "SQLite has no enums",
	"sql_driver":                        "the code runs on Lido's own driver",
	"sql_package":                       "the code is written for package lido",
	"emit_prepared_queries":             "every statement is prepared once and kept; Prepare and Close are there so that their callers compile",
}

// parseOptions reads the plugin's options and the global ones, which come
// first in the list of overrides and win in renames, as with sqlc.
func parseOptions(req *Request) (*options, error) {
	o := &options{}
	if err := decodeOptions(req.PluginOptions, o); err != nil {
		return nil, err
	}
	var global options
	if err := decodeOptions(req.GlobalOptions, &global, "overrides", "rename"); err != nil {
		return nil, fmt.Errorf("global options: %w", err)
	}
	o.Overrides = append(global.Overrides, o.Overrides...)
	if len(global.Rename) > 0 {
		if o.Rename == nil {
			o.Rename = map[string]string{}
		}
		maps.Copy(o.Rename, global.Rename)
	}
	return o, o.complete(req)
}

// decodeOptions refuses names that it does not know and says which known name
// is nearest. If names are given, only those can be set.
func decodeOptions(data []byte, o *options, only ...string) error {
	if len(bytes.TrimSpace(data)) == 0 || string(bytes.TrimSpace(data)) == "null" {
		return nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("options: %w", err)
	}
	known := only
	if known == nil {
		known = jsonNames(reflect.TypeFor[options]())
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if idleOptions[name] != "" && only == nil {
			if v := string(raw[name]); v != "false" && v != "null" && v != `""` {
				o.idle = append(o.idle, name)
			}
			continue // emit_prepared_queries is read below all the same
		}
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no option %q; did you mean %q?", name, nearest(name, slices.Concat(known, slices.Collect(maps.Keys(idleOptions)))))
		}
	}
	for name, value := range raw {
		if !slices.Contains(known, name) {
			continue
		}
		if err := json.Unmarshal([]byte(`{"`+name+`":`+string(value)+`}`), o); err != nil {
			var wrong *json.UnmarshalTypeError
			if errors.As(err, &wrong) {
				return fmt.Errorf("option %q cannot be a %s", name, wrong.Value)
			}
			return fmt.Errorf("option %q: %w", name, err)
		}
	}
	return nil
}

// jsonNames are the names that the fields of a struct have in JSON.
func jsonNames(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		if name := f.Tag.Get("json"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// complete fills in what was left out and checks the rest.
func (o *options) complete(req *Request) error {
	if out := req.Settings.Out; o.Out == "" {
		o.Out = out
	}
	if o.Package == "" {
		o.Package = path.Base(strings.ReplaceAll(o.Out, `\`, "/"))
	}
	if !isGoName(o.Package) {
		return fmt.Errorf("option \"package\": %q is not a Go package name", o.Package)
	}
	if o.QueryParameterLimit == nil {
		o.QueryParameterLimit = new(1)
	}
	if *o.QueryParameterLimit < 0 {
		return fmt.Errorf("option \"query_parameter_limit\" is %d; it must not be negative", *o.QueryParameterLimit)
	}
	switch o.JSONTagsCaseStyle {
	case "", "none", "camel", "pascal", "snake":
	default:
		return fmt.Errorf("option \"json_tags_case_style\" is %q; it is one of camel, pascal, snake, none", o.JSONTagsCaseStyle)
	}
	if err := o.TimeFormat.complete(req.Catalog.DefaultSchema); err != nil {
		return err
	}
	if o.StoreName == "" {
		o.StoreName = "Store"
	}
	if !isGoName(o.StoreName) || strings.ToUpper(o.StoreName[:1]) != o.StoreName[:1] {
		return fmt.Errorf("option \"store_name\": %q is not an exported Go name", o.StoreName)
	}
	if o.EmitMethodsWithDBArgument && o.EmitPreparedQueries {
		return errors.New(`options "emit_prepared_queries" and "emit_methods_with_db_argument" exclude each other, as with sqlc`)
	}
	if o.EmitMethodsWithDBArgument && o.EmitStore != nil && *o.EmitStore {
		return errors.New(`options "emit_store" and "emit_methods_with_db_argument" exclude each other: a store brings the database to the methods`)
	}
	if o.EmitStore == nil {
		o.EmitStore = new(!o.EmitMethodsWithDBArgument)
	}
	if err := o.completeChecks(); err != nil {
		return err
	}
	if o.Initialisms == nil {
		o.Initialisms = []string{"id"}
	}
	o.initialisms = map[string]bool{}
	for _, s := range o.Initialisms {
		o.initialisms[s] = true
	}
	setDefault(&o.OutputDBFileName, "db.go")
	setDefault(&o.OutputModelsFileName, "models.go")
	setDefault(&o.OutputQuerierFileName, "querier.go")
	setDefault(&o.OutputBatchFileName, "batch.go")
	setDefault(&o.OutputCopyFromFileName, "copyfrom.go")
	for i := range o.Overrides {
		if err := o.Overrides[i].parse(req.Catalog.DefaultSchema); err != nil {
			return fmt.Errorf("overrides[%d]: %w", i, err)
		}
	}
	return nil
}

func setDefault(s *string, v string) {
	if *s == "" {
		*s = v
	}
}

// nearest returns the known name with the fewest edits from name.
func nearest(name string, known []string) string {
	best, bestAt := "", len(name)+64
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(name, k); d < bestAt {
			best, bestAt = k, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
