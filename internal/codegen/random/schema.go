package random

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// declared are ways to declare a column of a class.
var declared = map[Class][]string{
	Integer: {"INTEGER", "INT", "BIGINT", "integer"},
	Real:    {"REAL", "DOUBLE", "NUMERIC", "DECIMAL(10,5)"},
	Text:    {"TEXT", "VARCHAR(30)", "text"},
	Blob:    {"BLOB"},
	Bool:    {"BOOLEAN"},
	Time:    {"DATETIME", "TIMESTAMP", "DATE"},
	JSON:    {"JSON"},
	Untyped: {""},
}

var classes = []Class{Integer, Integer, Text, Text, Real, Blob, Bool, Time, JSON, Untyped}

// strictClasses are those that a STRICT table can say.
var strictClasses = []Class{Integer, Text, Real, Blob}

// columnNames are ordinary names and some that collide with Go's keywords and
// packages, with SQL's keywords, and with each other once they are Go names.
// All are ASCII: sqlc counts characters where it should count bytes.
var columnNames = []string{
	"name", "owner_id", "created", "note", "price", "flag", "data", "kind", "type", "func", "range", "context", "sql",
	"json", "iter", "err", "stmt", "q", "i", "row", "items", "userID", "user_id2", "a1", "b2", "time", "error", "string",
}

// Names that need quotes for another reason are not among them: where sqlc
// expands * itself, it writes them without.
var quotedNames = []string{"order", "group", "select", "where"}

func quoteName(name string) string {
	if slices.Contains(quotedNames, name) {
		return `"` + name + `"`
	}
	return name
}

// Generate makes up a project.
func Generate(tables, queries int) *rapid.Generator[Project] {
	return rapid.Custom(func(t *rapid.T) Project {
		p := Project{}
		for i := range tables {
			p.Tables = append(p.Tables, table(t, i, p.Tables))
		}
		for i := range p.Tables { // every table can be filled
			p.Queries = append(p.Queries, newBuilder(t, &p).insert(&p.Tables[i], fmt.Sprintf("Fill%d", i)))
		}
		for i := range queries {
			p.Queries = append(p.Queries, newBuilder(t, &p).query(fmt.Sprintf("Query%d", i)))
		}
		return p
	})
}

func chance(t *rapid.T, percent int, label string) bool {
	return rapid.IntRange(0, 99).Draw(t, label) >= 100-percent
}

func pick[T any](t *rapid.T, list []T, label string) T { return rapid.SampledFrom(list).Draw(t, label) }

func table(t *rapid.T, n int, earlier []Table) Table {
	tab := Table{Name: fmt.Sprintf("thing%c", 'a'+n)}
	strict := chance(t, 25, "strict")
	from := classes
	if strict {
		from = strictClasses
	}
	var defs, key []string
	add := func(name string, class Class, decl string, notNull bool) {
		tab.Columns = append(tab.Columns, Column{Name: name, Class: class, NotNull: notNull})
		defs = append(defs, strings.TrimSpace(quoteName(name)+" "+decl))
	}
	withoutRowid := false
	switch pick(t, []string{"rowid", "rowid", "autoincrement", "text", "pair", "none"}, "key") {
	case "rowid":
		add("id", Integer, "INTEGER PRIMARY KEY", true)
	case "autoincrement":
		add("id", Integer, "INTEGER PRIMARY KEY AUTOINCREMENT", true)
	case "text":
		add("id", Text, "TEXT NOT NULL PRIMARY KEY", true)
		withoutRowid = chance(t, 50, "without rowid")
	case "pair":
		add("id", Integer, "INTEGER NOT NULL", true)
		add("part", Text, "TEXT NOT NULL", true)
		key = []string{"id", "part"}
		withoutRowid = chance(t, 50, "without rowid")
	}
	names := slices.Concat(columnNames, quotedNames)
	for range rapid.IntRange(2, 7).Draw(t, "columns") {
		at := rapid.IntRange(0, len(names)-1).Draw(t, "name")
		name := names[at]
		names = slices.Delete(names, at, at+1)
		class := pick(t, from, "class")
		decl := pick(t, declared[class], "type")
		if strict && class == Real {
			decl = "REAL"
		} else if strict {
			decl = declared[class][0]
		}
		notNull := chance(t, 50, "not null")
		if notNull {
			decl += " NOT NULL"
		}
		if chance(t, 10, "default") {
			decl += map[Class]string{Integer: " DEFAULT 7", Text: " DEFAULT 'd'", Real: " DEFAULT 0.5", Bool: " DEFAULT 1"}[class]
		}
		if chance(t, 8, "unique") {
			decl += " UNIQUE"
		}
		add(name, class, decl, notNull)
	}
	if len(earlier) > 0 && chance(t, 40, "refers") {
		to := pick(t, earlier, "to")
		if to.Columns[0].Name == "id" && !strings.Contains(to.SQL, "PRIMARY KEY (") {
			decl := strings.ToUpper(string(to.Columns[0].Class)) + " REFERENCES " + to.Name + " (id)"
			decl += pick(t, []string{"", " ON DELETE CASCADE", " ON DELETE SET NULL"}, "action")
			add("parent_id", to.Columns[0].Class, decl, false)
		}
	}
	if len(key) > 0 {
		defs = append(defs, "PRIMARY KEY ("+strings.Join(key, ", ")+")")
	}
	tab.SQL = "CREATE TABLE " + tab.Name + " (\n  " + strings.Join(defs, ",\n  ") + "\n)"
	var suffix []string
	if withoutRowid {
		suffix = append(suffix, "WITHOUT ROWID")
	}
	if strict {
		suffix = append(suffix, "STRICT")
	}
	tab.SQL += strings.TrimRight(" "+strings.Join(suffix, ", "), " ")
	return tab
}
