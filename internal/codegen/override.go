package codegen

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/types"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// override gives columns another Go type or further struct tags. It means what
// it means to sqlc's own generator.
type override struct {
	GoType      goTypeSpec `json:"go_type"`
	GoStructTag string     `json:"go_struct_tag"`
	DBType      string     `json:"db_type"`
	Engine      string     `json:"engine"`
	Nullable    bool       `json:"nullable"`
	Unsigned    bool       `json:"unsigned"`
	Column      string     `json:"column"`

	// What sqlc once called DBType and Nullable.
	PostgresType string `json:"postgres_type"`
	Null         bool   `json:"null"`

	typ     goImport // parsed GoType
	tags    map[string]string
	column  *regexp.Regexp
	table   *regexp.Regexp
	schema  *regexp.Regexp
	catalog *regexp.Regexp
}

// goTypeSpec is "import/path.Type" or the same in parts.
type goTypeSpec struct {
	Path    string `json:"import"`
	Package string `json:"package"`
	Name    string `json:"type"`
	Pointer bool   `json:"pointer"`
	Slice   bool   `json:"slice"`
	spec    string
}

// UnmarshalJSON accepts both forms.
func (g *goTypeSpec) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &g.spec)
	}
	type parts goTypeSpec
	if err := knownNames("go_type", data, reflect.TypeFor[parts]()); err != nil {
		return err
	}
	return json.Unmarshal(data, (*parts)(g))
}

// UnmarshalJSON refuses names that it does not know.
func (o *override) UnmarshalJSON(data []byte) error {
	type parts override
	if err := knownNames("an override", data, reflect.TypeFor[parts]()); err != nil {
		return err
	}
	return json.Unmarshal(data, (*parts)(o))
}

func knownNames(what string, data []byte, t reflect.Type) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	known := jsonNames(t)
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s has no %q; did you mean %q?", what, name, nearest(name, known))
		}
	}
	return nil
}

// goImport is a Go type as generated code spells it, and what it imports.
type goImport struct {
	name  string // "*uuid.UUID"
	path  string // "github.com/google/uuid", empty for a basic type
	alias string // the package's name where it differs from the path's end
}

func (o *override) parse(defaultSchema string) error {
	if o.DBType == "" {
		o.DBType = o.PostgresType
	}
	o.Nullable = o.Nullable || o.Null
	switch {
	case o.Column != "" && o.DBType != "":
		return fmt.Errorf("gives both column %q and db_type %q; give one", o.Column, o.DBType)
	case o.Column == "" && o.DBType == "":
		return errors.New("gives neither column nor db_type")
	}
	if o.Column != "" {
		if err := o.parseColumn(defaultSchema); err != nil {
			return err
		}
	}
	var err error
	if o.typ, err = o.GoType.parse(); err != nil {
		return err
	}
	o.tags, err = parseTags(o.GoStructTag)
	return err
}

func (o *override) parseColumn(defaultSchema string) error {
	parts := strings.Split(o.Column, ".")
	if len(parts) == 2 {
		parts = append([]string{defaultSchema}, parts...)
	}
	if len(parts) < 3 || len(parts) > 4 {
		return fmt.Errorf("column %q is not of the form [catalog.][schema.]table.column", o.Column)
	}
	n := len(parts)
	for _, m := range []struct {
		to   **regexp.Regexp
		from int
	}{{&o.column, n - 1}, {&o.table, n - 2}, {&o.schema, n - 3}, {&o.catalog, n - 4}} {
		if m.from < 0 {
			continue
		}
		match, err := compilePattern(parts[m.from])
		if err != nil {
			return fmt.Errorf("column %q: %w", o.Column, err)
		}
		*m.to = match
	}
	return nil
}

// exactly makes the override one of a single column.
func (o *override) exactly(schema, table, column string) {
	whole := func(name string) *regexp.Regexp { return regexp.MustCompile("(?i)^" + regexp.QuoteMeta(name) + "$") }
	o.schema, o.table, o.column = whole(schema), whole(table), whole(column)
}

// matchesColumn reports whether the override names the column.
func (o *override) matchesColumn(col *Column, defaultSchema string) bool {
	if o.Column == "" || col.Table == nil {
		return false
	}
	name := col.Name
	if col.OriginalName != "" {
		name = col.OriginalName
	}
	schema := col.Table.Schema
	if schema == "" {
		schema = defaultSchema
	}
	return o.column.MatchString(name) && o.table.MatchString(col.Table.Name) &&
		o.schema.MatchString(schema) &&
		(o.catalog == nil || o.catalog.MatchString(col.Table.Catalog))
}

// matchesType reports whether the override is for the column's database type.
func (o *override) matchesType(col *Column) bool {
	notNull := col.NotNull || col.IsArray
	return o.DBType != "" && o.DBType == typeName(col.Type) && o.Nullable != notNull && o.Unsigned == col.Unsigned
}

var (
	packageName   = regexp.MustCompile(`^[a-zA-Z0-9_]+$`)
	majorVersion  = regexp.MustCompile(`^v[0-9]+$`)
	notInAPackage = regexp.MustCompile(`[^a-zA-Z0-9_]`)
)

// packageOf guesses a package's name from its path, and says whether the
// import must spell it out.
func packageOf(path string) (name string, alias bool) {
	parts := strings.Split(path, "/")
	name = parts[len(parts)-1]
	if majorVersion.MatchString(name) && len(parts) >= 2 {
		return notInAPackage.ReplaceAllString(strings.ToLower(parts[len(parts)-2]), "_"), true
	}
	if packageName.MatchString(name) {
		return name, false
	}
	return notInAPackage.ReplaceAllString(strings.ToLower(name), "_"), true
}

func (g goTypeSpec) parse() (goImport, error) {
	if g.spec != "" {
		return parseTypeSpec(g.spec)
	}
	if g.Path == "" && g.Package != "" {
		return goImport{}, fmt.Errorf("go_type: package %q needs an import path", g.Package)
	}
	t := goImport{name: g.Name, path: g.Path, alias: g.Package}
	name := g.Package
	if name == "" && g.Path != "" {
		var alias bool
		if name, alias = packageOf(g.Path); alias {
			t.alias = name
		}
	}
	if name != "" {
		t.name = name + "." + t.name
	}
	if g.Pointer {
		t.name = "*" + t.name
	}
	if g.Slice {
		t.name = "[]" + t.name
	}
	return t, nil
}

// parseTypeSpec reads "string", "time.Time" or "*example.com/pkg.Type".
func parseTypeSpec(spec string) (goImport, error) {
	dot, slash := strings.LastIndex(spec, "."), strings.LastIndex(spec, "/")
	if dot < 0 && slash < 0 {
		if !isBasicType(spec) {
			return goImport{}, fmt.Errorf("go_type %q is not a basic type of Go such as string", spec)
		}
		return goImport{name: spec}, nil
	}
	if dot < slash {
		return goImport{}, fmt.Errorf("go_type %q is not of the form import/path.Type", spec)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(spec[slash+1:], "go-"), "-go")
	t := goImport{name: name, path: spec[:dot]}
	if spec[0] == '*' {
		t.path = t.path[1:]
		t.name = "*" + strings.TrimPrefix(t.name, "*")
	}
	return t, nil
}

func isBasicType(name string) bool {
	obj := types.Universe.Lookup(name)
	if obj == nil {
		return false
	}
	basic, ok := obj.Type().(*types.Basic)
	return ok && basic.Info()&types.IsUntyped == 0 && basic.Kind() != types.Invalid
}

// parseTags reads struct tags as reflect.StructTag does, and complains where
// that would stay silent.
func parseTags(tag string) (map[string]string, error) {
	tags := map[string]string{}
	for tag = strings.TrimSpace(tag); tag != ""; tag = strings.TrimSpace(tag) {
		key, rest, ok := strings.Cut(tag, ":")
		if !ok || key == "" || strings.ContainsAny(key, " \"") {
			return nil, fmt.Errorf("go_struct_tag: %q is not of the form key:\"value\"", tag)
		}
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil || quoted[0] != '"' {
			return nil, fmt.Errorf("go_struct_tag: the value of %s is not in double quotes", key)
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("go_struct_tag: the value of %s: %w", key, err)
		}
		tags[key], tag = value, rest[len(quoted):]
	}
	return tags, nil
}
