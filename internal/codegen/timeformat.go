package codegen

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// timeFormats are the values of the option time_format, and the constants of
// the waist that they stand for.
var timeFormats = map[string]string{
	"lido":        "", // what the waist does unasked
	"mattn":       "lido.TimeMattn",
	"rfc3339nano": "lido.TimeRFC3339Nano",
	"unix":        "lido.TimeUnix",
	"unixmilli":   "lido.TimeUnixMilli",
	"datetime":    "lido.TimeDateTime",
}

// timeFormat is the option time_format: one format for all columns, or a map
// from columns, written as in overrides, to formats; "default" stands for the
// columns that are not in the map.
type timeFormat struct {
	standard string
	columns  []columnFormat // whole names before patterns
}

type columnFormat struct {
	override // only its column
	format   string
}

// UnmarshalJSON accepts both forms.
func (t *timeFormat) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &t.standard)
	}
	var byColumn map[string]string
	if err := json.Unmarshal(data, &byColumn); err != nil {
		return err
	}
	for _, column := range slices.Sorted(maps.Keys(byColumn)) {
		if column == "default" {
			t.standard = byColumn[column]
			continue
		}
		t.columns = append(t.columns, columnFormat{override{Column: column}, byColumn[column]})
	}
	return nil
}

func (t *timeFormat) complete(defaultSchema string) error {
	setDefault(&t.standard, "lido")
	check := func(format string) error {
		if _, ok := timeFormats[format]; !ok {
			names := slices.Sorted(maps.Keys(timeFormats))
			return fmt.Errorf("option \"time_format\" is %q; it is one of %s", format, strings.Join(names, ", "))
		}
		return nil
	}
	for i := range t.columns {
		c := &t.columns[i]
		if err := check(c.format); err != nil {
			return err
		}
		if err := c.parseColumn(defaultSchema); err != nil {
			return fmt.Errorf("option \"time_format\": %w", err)
		}
	}
	slices.SortStableFunc(t.columns, func(a, b columnFormat) int {
		return strings.Count(a.Column, "*") + strings.Count(a.Column, "?") - strings.Count(b.Column, "*") - strings.Count(b.Column, "?")
	})
	return check(t.standard)
}

// plain reports whether all times are in the waist's own format.
func (t *timeFormat) plain() bool { return len(t.columns) == 0 && timeFormats[t.standard] == "" }

// of returns the format of a column as generated code spells it, and whether
// the column is known.
func (t *timeFormat) of(col *Column, defaultSchema string) (format string, known bool) {
	known = isColumn(col)
	if !known {
		return timeFormats[t.standard], false
	}
	format, _ = t.chosen(col, defaultSchema)
	return timeFormats[format], true
}

// chosen returns the format of a column as the option spells it, and whether
// the option names the column.
func (t *timeFormat) chosen(col *Column, defaultSchema string) (format string, named bool) {
	for i := range t.columns {
		if t.columns[i].matchesColumn(col, defaultSchema) {
			return t.columns[i].format, true
		}
	}
	return t.standard, false
}

// isColumn reports whether what sqlc says of a parameter or a result is a
// column. A parameter with a name of its own is not.
func isColumn(col *Column) bool {
	return col.Table != nil && (col.OriginalName != "" || !col.IsNamedParam)
}

// timeCall turns the call for a time into that for one in a format.
func timeCall(plain, format string) string {
	if format == "" {
		return plain
	}
	return strings.TrimSuffix(strings.Replace(plain, "Time(", "TimeAs(", 1), ")") + ", " + format + ")"
}

// anyCall does so for the call for a value that may be a time.
func anyCall(plain, format string) string {
	if format == "" {
		return plain
	}
	return strings.TrimSuffix(strings.Replace(plain, "Any(", "AnyAs(", 1), ")") + ", " + format + ")"
}

// anyFormat is the format of a parameter whose type sqlc has lost, if it stands
// beside a column of times.
func (g *generator) anyFormat(q *query, p *param) string {
	if g.opts.TimeFormat.plain() {
		return ""
	}
	col := g.columnOf(q, p)
	if col == nil || !g.isTimeColumn(col) {
		return ""
	}
	format, _ := g.opts.TimeFormat.of(col, g.defaultSchema())
	return format
}

// isTimeColumn reports whether the catalog has the column and its Go type is a
// time.
func (g *generator) isTimeColumn(col *Column) bool {
	for _, s := range g.req.Catalog.Schemas {
		for _, t := range s.Tables {
			for _, c := range t.Columns {
				if strings.EqualFold(t.Rel.Name, col.Table.Name) && strings.EqualFold(c.Name, columnKey(col)) {
					return isTime(g.goType(c))
				}
			}
		}
	}
	return false
}

// paramFormat is the format of a time that is bound: that of the column which
// sqlc says it belongs to, or which the source puts beside it.
func (g *generator) paramFormat(q *query, p *param) string {
	formats := &g.opts.TimeFormat
	if formats.plain() {
		return ""
	}
	format, known := formats.of(&p.Column, g.defaultSchema())
	if known || len(formats.columns) == 0 {
		return format
	}
	if col := g.columnOf(q, p); col != nil {
		format, _ = formats.of(col, g.defaultSchema())
		return format
	}
	g.notes = append(g.notes, q.src.problem(p.at, "the time is bound in the default format: which column it belongs to is not plain"))
	return format
}

// columnOf is the column that a parameter is stored in or compared with, as
// sqlc says or the source shows; nil if that is not plain.
func (g *generator) columnOf(q *query, p *param) *Column {
	if isColumn(&p.Column) {
		return &p.Column
	}
	at := comparedWith(q.src, p)
	if at.name == "" {
		at = boundOf(q.src, p)
	}
	if at.name == "" {
		return nil
	}
	for alias, table := range g.engine.aliases(q.src) {
		if at.table != "" && !strings.EqualFold(alias, at.table) || g.engine.affinity[strings.ToLower(table)][strings.ToLower(at.name)] == "" {
			continue
		}
		return &Column{Name: at.name, Table: &Identifier{Name: table}}
	}
	return nil
}

// boundOf finds the column of "column BETWEEN ? AND ?", of which sqlc keeps
// only the table.
func boundOf(q *sourceQuery, p *param) place {
	src, body := q.file.text, significant(q.body)
	i := slices.IndexFunc(body, func(t token) bool { return t.start == p.at }) - 1
	if i > 0 && body[i].isWord(src, "AND") {
		for i--; i > 0 && !body[i].isWord(src, "BETWEEN"); i-- {
			if body[i].isWord(src, "AND") {
				return place{}
			}
		}
	}
	if i < 1 || !body[i].isWord(src, "BETWEEN") {
		return place{}
	}
	if i--; i > 0 && body[i].isWord(src, "NOT") {
		i--
	}
	var at place
	at.name, _ = body[i].name(src)
	if i >= 2 && body[i-1].isPunct(src, ".") {
		at.table, _ = body[i-2].name(src)
	}
	return at
}

// resultFormat is the format of a time in column at of the engine's answer: of
// the column that the engine, or else sqlc, says it comes from.
func (g *generator) resultFormat(q *query, at int) string {
	if g.opts.TimeFormat.plain() {
		return ""
	}
	if at < len(q.facts.results) {
		if r := q.facts.results[at]; r.column != "" {
			format, _ := g.opts.TimeFormat.of(&Column{Name: r.column, Table: &Identifier{Schema: r.database, Name: r.table}}, g.defaultSchema())
			return format
		}
	}
	for _, col := range q.Columns {
		width := 1
		if m := g.modelOf(col.EmbedTable); m != nil {
			if width = len(m.fields); at < width {
				col = &Column{Name: m.fields[at].dbName, Table: m.table}
			}
		}
		if at < width {
			format, _ := g.opts.TimeFormat.of(col, g.defaultSchema())
			return format
		}
		at -= width
	}
	return timeFormats[g.opts.TimeFormat.standard]
}
