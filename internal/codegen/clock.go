package codegen

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lidodb/lido/internal/timeform"
)

// A column of times can be written by the engine, through a default, a trigger
// or a statement that says CURRENT_TIMESTAMP, and by the program, through a
// parameter. Text of two forms neither equals nor pages by keyset. Where only
// the engine writes a column, parameters beside it take the engine's form.
// Where both write in different forms, the user has to decide.

// timeColumn is a column that generated code reads as a time.
type timeColumn struct {
	table, column string            // as declared
	engine        map[string]string // what the engine writes: form, and where
	stored        []problem         // parameters that are stored in it
	compared      []problem         // parameters that are compared with it
}

// judgeClocks gives the columns that only the engine writes its form, and
// reports those that have two.
func (g *generator) judgeClocks(ctx context.Context) error {
	columns, err := g.timeColumns(ctx)
	if err != nil || len(columns) == 0 {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(columns)) {
		c := columns[key]
		if len(c.engine) == 0 {
			continue
		}
		col := &Column{Name: c.column, Table: &Identifier{Name: c.table}}
		chosen, decided := g.opts.TimeFormat.chosen(col, g.defaultSchema())
		forms := slices.Sorted(maps.Keys(c.engine))
		if len(forms) == 1 && forms[0] == chosen {
			continue
		}
		_, known := timeFormats[forms[0]]
		if !decided && len(c.stored) == 0 && len(forms) == 1 && known {
			f := columnFormat{override{Column: c.table + "." + c.column}, forms[0]}
			f.exactly(g.defaultSchema(), c.table, c.column)
			g.opts.TimeFormat.columns = append(g.opts.TimeFormat.columns, f)
			continue
		}
		at := slices.Concat(c.stored, c.compared)
		if len(at) == 0 {
			continue
		}
		at[0].msg = c.complaint(forms, chosen)
		if g.opts.StrictTypes && !decided {
			g.problems = append(g.problems, at[0])
		} else {
			g.notes = append(g.notes, at[0])
		}
	}
	g.compareClocks(ctx, columns)
	return nil
}

func (c *timeColumn) complaint(forms []string, chosen string) string {
	var writers []string
	for _, f := range forms {
		form := f
		if f == timeform.Other {
			form = "of no known form"
		}
		writers = append(writers, c.engine[f]+" is "+form)
	}
	name := c.table + "." + c.column
	cure := ""
	if len(forms) > 1 || forms[0] != timeform.DateTime {
		cure = " and let the engine write CURRENT_TIMESTAMP"
	}
	return fmt.Sprintf("%s holds times of different forms, which neither equal nor sort: %s, this parameter is %s; "+
		"set time_format: {%q: datetime}%s, or keep them with {%q: %s}; datetime is UTC in seconds, and this makes old rows alike: %s",
		name, strings.Join(writers, ", "), chosen, name, cure, name, chosen, timeform.ToDateTime(c.table, c.column))
}

// timeColumns finds the columns of times and their writers.
func (g *generator) timeColumns(ctx context.Context) (map[string]*timeColumn, error) {
	columns := map[string]*timeColumn{}
	e := g.engine
	for _, s := range g.req.Catalog.Schemas {
		for _, t := range s.Tables {
			table := strings.ToLower(t.Rel.Name)
			if e.tables[table] == "" {
				continue
			}
			for _, col := range t.Columns {
				if isTime(g.goType(col)) {
					columns[table+"."+strings.ToLower(col.Name)] = &timeColumn{table: t.Rel.Name, column: col.Name, engine: map[string]string{}}
				}
			}
		}
	}
	if len(columns) == 0 {
		return nil, nil
	}
	writes := map[*query]writing{}
	given := map[string]bool{}    // columns of times that every INSERT gives
	inserted := map[string]bool{} // tables
	for _, q := range g.queries {
		w := e.writesOf(q.src.file.text, q.src.body)
		writes[q] = w
		for _, in := range w.inserts {
			for key := range columns {
				table, column, _ := strings.Cut(key, ".")
				if table == in.table {
					all, seen := given[key], inserted[key]
					given[key] = slices.Contains(in.columns, column) && (all || !seen)
					inserted[key] = true
				}
			}
		}
	}
	for key, c := range columns {
		if given[key] {
			continue // the default never comes to it
		}
		if text := e.defaults[key]; text != "" {
			if form, ok := e.clockForm(ctx, text, lex(text)); ok {
				c.engine[form] = "DEFAULT " + text
			}
		}
	}
	if err := g.triggerClocks(ctx, columns); err != nil {
		return nil, err
	}
	for _, q := range g.queries {
		g.queryClocks(ctx, q, writes[q], columns)
	}
	return columns, nil
}

// mayBeTime reports whether a program can give a time to a parameter. sqlc
// loses the type of some.
func mayBeTime(goType string) bool {
	goType = strings.TrimPrefix(goType, "[]")
	return isTime(goType) || goType == anyType
}

func isTime(goType string) bool {
	return strings.HasSuffix(goType, "time.Time") || goType == "sql.NullTime"
}

func (g *generator) triggerClocks(ctx context.Context, columns map[string]*timeColumn) error {
	triggers, err := g.engine.strings(ctx, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'", 2)
	if err != nil {
		return err
	}
	for _, t := range triggers {
		for _, a := range g.engine.writesOf(t[1], lex(t[1])).assignments {
			if c := columns[a.table+"."+a.column]; c != nil {
				if form, ok := g.engine.clockForm(ctx, t[1], a.value); ok {
					c.engine[form] = "the trigger " + t[0]
				}
			}
		}
	}
	return nil
}

func (g *generator) queryClocks(ctx context.Context, q *query, w writing, columns map[string]*timeColumn) {
	stored := map[int]bool{}
	for _, a := range w.assignments {
		c := columns[a.table+"."+a.column]
		if c == nil {
			continue
		}
		if form, ok := g.engine.clockForm(ctx, q.src.file.text, a.value); ok {
			c.engine[form] = q.Name
		}
		for i := range q.stmt.params {
			p := &q.stmt.params[i]
			if len(a.value) > 0 && a.value[0].start <= p.at && p.at < a.value[len(a.value)-1].end && mayBeTime(g.paramType(q, p)) {
				stored[i] = true
				c.stored = append(c.stored, q.src.problem(p.at, ""))
			}
		}
	}
	for i := range q.stmt.params {
		p := &q.stmt.params[i]
		if stored[i] || !mayBeTime(g.paramType(q, p)) {
			continue
		}
		if col := g.columnOf(q, p); col != nil && col.Table != nil {
			if c := columns[strings.ToLower(col.Table.Name+"."+columnKey(col))]; c != nil {
				c.compared = append(c.compared, q.src.problem(p.at, ""))
			}
		}
	}
}

// columnKey is the name that a column has in its table.
func columnKey(col *Column) string {
	if col.OriginalName != "" {
		return col.OriginalName
	}
	return col.Name
}

// clockForm is the form of an expression that depends on the time of day, as
// the engine gives it. One that cannot stand alone is of another form.
func (e *engine) clockForm(ctx context.Context, src string, expr []token) (form string, ok bool) {
	expr = significant(expr)
	if len(expr) == 0 {
		return "", false
	}
	for i, t := range expr {
		word := strings.ToUpper(t.text(src))
		switch {
		case t.kind == tokenWord && strings.HasPrefix(word, "CURRENT_"):
			ok = true
		case t.kind == tokenString && strings.EqualFold(t.text(src), "'now'"):
			ok = true
		case t.kind == tokenWord && (word == "UNIXEPOCH" || word == "DATETIME" || word == "JULIANDAY") && i+2 < len(expr) &&
			expr[i+1].isPunct(src, "(") && expr[i+2].isPunct(src, ")"):
			ok = true
		}
	}
	if !ok {
		return "", false
	}
	text := src[expr[0].start:expr[len(expr)-1].end]
	rows, err := e.strings(ctx, "SELECT typeof(v), v FROM (SELECT "+text+" AS v)", 2)
	if err != nil || len(rows) != 1 {
		return timeform.Other, true
	}
	switch rows[0][0] {
	case "text":
		if strings.Trim(rows[0][1], "0123456789") == "" { // the type of the column makes a number of it
			return timeform.Unix, true
		}
		return timeform.OfText(rows[0][1]), true
	case "integer":
		if len(rows[0][1]) > 12 {
			return timeform.UnixMilli, true
		}
		return timeform.Unix, true
	}
	return timeform.Other, true
}
