package codegen

import (
	"strings"
)

// typeName is the name of a database type as sqlc writes it.
func typeName(t Identifier) string {
	if t.Schema != "" {
		return t.Schema + "." + t.Name
	}
	return t.Name
}

// goType returns the Go type of a column or parameter.
func (g *generator) goType(col *Column) string {
	slice := ""
	if col.IsSqlcSlice {
		slice = "[]"
	}
	for i := range g.opts.Overrides {
		if o := &g.opts.Overrides[i]; o.typ.name != "" && o.matchesColumn(col, g.defaultSchema()) {
			return slice + o.typ.name
		}
	}
	if slice == "" && col.IsArray {
		slice = strings.Repeat("[]", int(col.ArrayDims))
	}
	for i := range g.opts.Overrides {
		if o := &g.opts.Overrides[i]; o.typ.name != "" && o.matchesType(col) {
			return slice + o.typ.name
		}
	}
	return slice + g.opts.plainType(typeName(col.Type), col.NotNull || col.IsArray)
}

// anyType is what sqlc calls a value of which it knows nothing.
const anyType = "interface{}"

// plainType is sqlc's table of types for SQLite.
func (o *options) plainType(declared string, notNull bool) string {
	null := func(base, sqlNull string) string {
		switch {
		case notNull:
			return base
		case o.EmitPointersForNullTypes:
			return "*" + base
		}
		return sqlNull
	}
	dt := strings.ToLower(declared)
	switch dt {
	case "int", "integer", "tinyint", "smallint", "mediumint", "bigint", "unsignedbigint", "int2", "int8":
		return null("int64", "sql.NullInt64")
	case "blob":
		return "[]byte"
	case "real", "double", "doubleprecision", "float", "numeric":
		return null("float64", "sql.NullFloat64")
	case "boolean", "bool":
		return null("bool", "sql.NullBool")
	case "date", "datetime", "timestamp":
		return null("time.Time", "sql.NullTime")
	case "json", "jsonb":
		return "json.RawMessage"
	case "text", "clob":
		return null("string", "sql.NullString")
	}
	for _, prefix := range []string{"character", "varchar", "varyingcharacter", "nchar", "nativecharacter", "nvarchar"} {
		if strings.HasPrefix(dt, prefix) {
			return null("string", "sql.NullString")
		}
	}
	if strings.HasPrefix(dt, "decimal") {
		return null("float64", "sql.NullFloat64")
	}
	return anyType
}

// stdlibPackages are the packages that plain types come from.
var stdlibPackages = map[string]string{
	"sql":  "database/sql",
	"time": "time",
	"json": "encoding/json",
}

// importOf returns what a type needs imported, if anything.
func (g *generator) importOf(typ string) (goImport, bool) {
	bare := bareType(typ)
	pkg, _, qualified := strings.Cut(bare, ".")
	if !qualified {
		return goImport{}, false
	}
	for i := range g.opts.Overrides {
		if t := g.opts.Overrides[i].typ; t.path != "" && bareType(t.name) == bare {
			return t, true
		}
	}
	if path, ok := stdlibPackages[pkg]; ok {
		return goImport{path: path}, true
	}
	return goImport{}, false
}

// bareType is a type without its slice and pointer marks.
func bareType(typ string) string { return strings.TrimLeft(typ, "[]*") }
