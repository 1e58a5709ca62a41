package random

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// builder writes a query in both forms at once.
type builder struct {
	t             *rapid.T
	p             *Project
	q             Query
	source, stock strings.Builder
	style         string
	named         []int // numbers of the named parameters so far
	aliases       int
	opaque        bool // the columns come through a WITH
}

// styles are the ways to write a parameter.
var styles = []string{"sqlc.arg", "@", "?", "mixed"}

func newBuilder(t *rapid.T, p *Project) *builder {
	return &builder{t: t, p: p, style: pick(t, styles, "style")}
}

// put writes text that is the same in both forms.
func (b *builder) put(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	b.source.WriteString(text)
	b.stock.WriteString(text)
}

// param writes a parameter, now and then one that is there already.
func (b *builder) param(nullable bool) {
	style := b.style
	if style == "mixed" {
		style = pick(b.t, []string{"sqlc.arg", "@"}, "style of this")
	}
	if style == "?" {
		b.q.Params++
		b.source.WriteString("?")
		fmt.Fprintf(&b.stock, "?%d", b.q.Params)
		return
	}
	number := b.q.Params + 1
	if again := len(b.named) > 0 && !b.q.Insert && chance(b.t, 15, "again"); again {
		number, nullable = pick(b.t, b.named, "which"), false
	} else {
		b.q.Params++
		b.named = append(b.named, number)
	}
	name := fmt.Sprintf("p%d", number)
	fmt.Fprintf(&b.stock, "?%d", number)
	switch {
	case nullable && chance(b.t, 30, "narg"):
		fmt.Fprintf(&b.source, "sqlc.narg(%s)", name)
	case style == "@":
		b.source.WriteString("@" + name)
	default:
		fmt.Fprintf(&b.source, pick(b.t, []string{"sqlc.arg(%s)", "sqlc.arg('%s')"}, "quoted"), name)
	}
}

// slice writes the list after IN.
func (b *builder) slice() {
	b.q.Params++
	b.q.Slices = append(b.q.Slices, b.q.Params)
	fmt.Fprintf(&b.source, "(sqlc.slice('p%d'))", b.q.Params)
	fmt.Fprintf(&b.stock, "(%s%d%s)", SliceMark, b.q.Params, SliceMark)
}

// ref is a column as an expression names it.
type ref struct {
	Column
	sql string
}

func refs(t *Table, alias string) []ref {
	var list []ref
	for _, c := range t.Columns {
		sql := quoteName(c.Name)
		if alias != "" {
			sql = alias + "." + sql
		}
		list = append(list, ref{c, sql})
	}
	return list
}

// condition writes a boolean expression over columns.
func (b *builder) condition(cols []ref, depth int) {
	if depth > 0 && chance(b.t, 45, "compound") {
		switch pick(b.t, []string{"AND", "OR", "NOT"}, "junction") {
		case "NOT":
			b.put("NOT (")
			b.condition(cols, depth-1)
			b.put(")")
		case "AND":
			b.condition(cols, depth-1)
			b.put(" AND ")
			b.condition(cols, depth-1)
		default:
			b.put("(")
			b.condition(cols, depth-1)
			b.put(" OR ")
			b.condition(cols, depth-1)
			b.put(")")
		}
		return
	}
	c := pick(b.t, cols, "column")
	forms := []string{"compare", "compare", "compare", "null", "in", "not in", "between", "is"}
	if c.Class == Text {
		forms = append(forms, "like", "lower")
		if depth == 2 { // sqlc does not read ESCAPE within parentheses
			forms = append(forms, "escape")
		}
	}
	switch pick(b.t, forms, "form") {
	case "compare":
		b.put("%s %s ", c.sql, pick(b.t, []string{"=", "<>", "<", "<=", ">", ">="}, "operator"))
		b.param(!c.NotNull)
	case "null":
		b.put("%s %s", c.sql, pick(b.t, []string{"IS NULL", "IS NOT NULL"}, "is"))
	case "in":
		b.put("%s IN ", c.sql)
		b.slice()
	case "not in":
		b.put("%s NOT IN ", c.sql)
		b.slice()
	case "between":
		b.put("%s BETWEEN ", c.sql)
		b.param(false)
		b.put(" AND ")
		b.param(false)
	case "is":
		b.put("%s IS ", c.sql)
		b.param(!c.NotNull)
	case "like":
		b.put("%s LIKE ", c.sql)
		b.param(false)
	case "escape":
		b.put("%s LIKE ", c.sql)
		b.param(false)
		b.put(" ESCAPE '!'")
	case "lower":
		b.put("lower(%s) = lower(", c.sql)
		b.param(false)
		b.put(")")
	}
}

// where writes a WHERE clause, or nothing.
func (b *builder) where(cols []ref) {
	if chance(b.t, 85, "where") {
		b.put("\nWHERE ")
		b.condition(cols, 2)
	}
}

// item writes one column of a result.
func (b *builder) item(cols []ref) {
	c := pick(b.t, cols, "item")
	forms := []string{"column", "column", "column", "alias", "coalesce", "case", "cast", "is null", "subquery", "exists", "condition", "condition", "test"}
	switch c.Class {
	case Text:
		forms = append(forms, "length", "concat", "upper")
	case Integer, Real:
		forms = append(forms, "plus", "abs", "sum", "quotient")
	case JSON:
		forms = append(forms, "extract", "arrow")
	}
	form := pick(b.t, forms, "form")
	if form == "column" {
		b.put("%s", c.sql)
		return
	}
	switch form {
	case "cast", "length", "upper", "abs":
		b.q.Asserts = b.q.Asserts || b.opaque
	}
	switch form {
	case "alias":
		b.put("%s", c.sql)
	case "coalesce":
		b.put("coalesce(%s, %s)", c.sql, literal(c.Class))
	case "case":
		b.put("CASE WHEN ")
		b.condition(cols, 0)
		b.put(" THEN %s ELSE %s END", c.sql, literal(c.Class))
	case "cast":
		b.put("CAST(%s AS %s)", c.sql, pick(b.t, []string{"TEXT", "INTEGER", "REAL"}, "to"))
	case "is null":
		b.put("%s IS NULL", c.sql)
	case "subquery":
		b.put("(SELECT count(*) FROM %s)", pick(b.t, b.p.Tables, "table").Name)
	case "exists":
		other := pick(b.t, b.p.Tables, "table")
		b.put("EXISTS (SELECT 1 FROM %s AS z WHERE ", other.Name)
		b.condition(refs(&other, "z"), 0)
		b.put(")")
	case "length":
		b.put("length(%s)", c.sql)
	case "concat":
		b.put("%s || '-' || %s", c.sql, c.sql)
	case "upper":
		b.put("upper(%s)", c.sql)
	case "condition":
		b.condition(cols, 2)
	case "test":
		b.test(c, pick(b.t, cols, "other"))
	case "plus":
		b.put("%s + 1", c.sql)
	case "sum":
		b.put("-%s %s %s", c.sql, pick(b.t, []string{"+", "-", "&", ">>"}, "operator"), b.number(cols))
	case "quotient":
		b.put("%s %s %s", c.sql, pick(b.t, []string{"/", "%"}, "operator"), b.number(cols))
	case "abs":
		b.put("abs(%s)", c.sql)
	case "extract":
		b.put("json_extract(%s, '$.a')", c.sql)
	case "arrow":
		b.put("%s ->> '$.a'", c.sql)
	}
	b.aliases++
	b.put(" AS r%d", b.aliases)
}

// test writes an expression over two columns that is true, false or, most
// often, NULL where one of them is.
func (b *builder) test(c, other ref) {
	forms := []string{"%s = %s", "%s < %s", "%s IS NOT %s", "%s LIKE %s", "%s NOT LIKE %s", "NOT (%s GLOB %s)", "NOT %s AND %s", "%s OR %s", "NOT (%s IN (1, %s))",
		"NOT (%s BETWEEN 1 AND %s)", "NOT (%s BETWEEN %s AND 1 AND 1 = 1)", "%s IS NULL = %s", "%s = %s IS NULL", "CASE WHEN %s THEN %s IS NULL ELSE 0 END",
		"NOT (%s IN (SELECT %s))", "NOT (%s IN (SELECT %s FROM " + pick(b.t, b.p.Tables, "table").Name + " AS w))", "(%s, 1) = (%s, 1)", "coalesce(%s, %s) = 1", "NOT (%s ->> %s)"}
	b.put(pick(b.t, forms, "test"), c.sql, other.sql)
}

// number is a column of numbers or a constant.
func (b *builder) number(cols []ref) string {
	list := []string{"2", "0", "0.5", "0x10"}
	for _, c := range cols {
		if c.Class == Integer {
			list = append(list, c.sql, c.sql)
		}
	}
	return pick(b.t, list, "number")
}

func literal(c Class) string {
	switch c {
	case Integer, Bool:
		return "5"
	case Real:
		return "2.5"
	case Blob:
		return "x'01'"
	case Time:
		return "'2020-01-02 03:04:05.000000000Z'"
	case JSON:
		return `'{"a":3}'`
	}
	return "'none'"
}

// orderBy makes the order of rows certain.
func (b *builder) orderBy(cols []ref) {
	var list []string
	for _, c := range cols {
		list = append(list, c.sql+pick(b.t, []string{"", "", " DESC"}, "order"))
	}
	b.put("\nORDER BY %s", strings.Join(list, ", "))
}

// done finishes the query.
func (b *builder) done(name, cmd string) Query {
	b.q.Name, b.q.Cmd = name, cmd
	b.q.Source = "-- name: " + name + " " + cmd + "\n" + b.source.String() + ";\n"
	b.q.Stock = b.stock.String()
	return b.q
}

// query writes one of the kinds of queries.
func (b *builder) query(name string) Query {
	tab := pick(b.t, b.p.Tables, "table")
	kinds := []func(*Table, string) Query{
		b.selectRows, b.selectRows, b.selectRows, b.selectRows, b.selectOne, b.join, b.join, b.join, b.aggregate, b.group,
		b.with, b.union, b.window, b.update, b.update, b.delete, b.insert, b.upsert, b.insertSelect,
	}
	return pick(b.t, kinds, "kind")(&tab, name)
}

func (b *builder) list(cols []ref) {
	if chance(b.t, 30, "star") {
		b.put("*")
		return
	}
	for i := range rapid.IntRange(1, 4).Draw(b.t, "items") {
		if i > 0 {
			b.put(", ")
		}
		b.item(cols)
	}
}

func (b *builder) selectRows(tab *Table, name string) Query {
	alias := pick(b.t, []string{"", "x"}, "alias")
	cols := refs(tab, alias)
	b.put("SELECT ")
	if chance(b.t, 10, "distinct") {
		b.put("DISTINCT ")
	}
	b.list(cols)
	b.put("\nFROM %s", tab.Name)
	if alias != "" {
		b.put(" AS %s", alias)
	}
	b.where(cols)
	b.orderBy(cols)
	if chance(b.t, 30, "limit") {
		b.put("\nLIMIT ")
		b.param(false)
		if chance(b.t, 50, "offset") {
			b.put(" OFFSET ")
			b.param(false)
		}
	}
	return b.done(name, ":many")
}

func (b *builder) selectOne(tab *Table, name string) Query {
	cols := refs(tab, "")
	b.put("SELECT ")
	b.list(cols)
	b.put("\nFROM %s", tab.Name)
	b.where(cols)
	b.orderBy(cols)
	b.put("\nLIMIT 1")
	return b.done(name, ":one")
}

func (b *builder) join(tab *Table, name string) Query {
	other := pick(b.t, b.p.Tables, "other")
	x, y := refs(tab, "x"), refs(&other, "y")
	kind := pick(b.t, []string{"JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "INNER JOIN", "CROSS JOIN"}, "join")
	b.put("SELECT ")
	switch pick(b.t, []string{"embed", "embed", "columns", "columns", "both stars", "one star"}, "list") {
	case "embed":
		b.source.WriteString("sqlc.embed(x), sqlc.embed(y)")
		b.stock.WriteString("x.*, y.*")
	case "both stars":
		b.put("x.*, y.*")
	case "one star":
		b.put("y.*, ")
		b.item(x)
	default:
		b.item(x)
		b.put(", ")
		b.item(y)
	}
	b.put("\nFROM %s AS x %s %s AS y", tab.Name, kind, other.Name)
	if kind != "CROSS JOIN" {
		l, r := pick(b.t, x, "left"), pick(b.t, y, "right")
		b.put(" ON %s = %s", l.sql, r.sql)
	}
	all := slices.Concat(x, y)
	b.where(all)
	b.orderBy(all)
	return b.done(name, ":many")
}

// aggregated writes an aggregate of a column.
func (b *builder) aggregated(cols []ref) {
	c := pick(b.t, cols, "of")
	forms := []string{"count(*)", "count(%s)", "max(%s)", "min(%s)", "count(DISTINCT %s)"}
	if c.Class == Integer || c.Class == Real {
		forms = append(forms, "sum(%s)", "avg(%s)", "total(%s)", "coalesce(sum(%s), 0)")
	}
	form := pick(b.t, forms, "aggregate")
	if strings.Contains(form, "%s") {
		form = fmt.Sprintf(form, c.sql)
	}
	b.aliases++
	b.put("%s AS r%d", form, b.aliases)
}

func (b *builder) aggregate(tab *Table, name string) Query {
	cols := refs(tab, "")
	b.put("SELECT ")
	b.aggregated(cols)
	if chance(b.t, 50, "second") {
		b.put(", ")
		b.aggregated(cols)
	}
	b.put("\nFROM %s", tab.Name)
	b.where(cols)
	return b.done(name, ":one")
}

func (b *builder) group(tab *Table, name string) Query {
	cols := refs(tab, "")
	by := pick(b.t, cols, "by")
	b.put("SELECT %s, ", by.sql)
	b.aggregated(cols)
	b.put("\nFROM %s", tab.Name)
	b.where(cols)
	b.put("\nGROUP BY %s", by.sql)
	if chance(b.t, 40, "having") {
		b.put("\nHAVING count(*) >= ")
		if b.style == "?" { // in HAVING sqlc hands sqlc.arg itself to the engine
			b.param(false)
		} else {
			b.put("1")
		}
	}
	b.put("\nORDER BY %s", by.sql)
	return b.done(name, ":many")
}

func (b *builder) with(tab *Table, name string) Query {
	cols := refs(tab, "")
	b.put("WITH few AS (SELECT * FROM %s", tab.Name)
	b.where(cols)
	b.put(")\nSELECT ")
	b.opaque = true
	b.list(cols)
	b.put("\nFROM few")
	b.where(cols)
	b.orderBy(cols)
	return b.done(name, ":many")
}

func (b *builder) union(tab *Table, name string) Query {
	x, y := refs(tab, "x"), refs(tab, "y") // without aliases sqlc calls the columns ambiguous
	at := rapid.IntRange(0, len(x)-1).Draw(b.t, "column")
	b.put("SELECT %s FROM %s AS x", x[at].sql, tab.Name)
	b.where(x)
	b.put("\n%s\n", pick(b.t, []string{"UNION", "UNION ALL", "EXCEPT", "INTERSECT"}, "operator"))
	b.put("SELECT %s FROM %s AS y", y[at].sql, tab.Name)
	b.where(y)
	b.put("\nORDER BY 1")
	return b.done(name, ":many")
}

func (b *builder) window(tab *Table, name string) Query {
	cols := refs(tab, "")
	c := pick(b.t, cols, "column")
	b.put("SELECT %s, row_number() OVER (ORDER BY ", c.sql)
	for i, o := range cols {
		if i > 0 {
			b.put(", ")
		}
		b.put("%s", o.sql)
	}
	b.put(") AS n\nFROM %s", tab.Name)
	b.where(cols)
	b.put("\nORDER BY n")
	return b.done(name, ":many")
}

// returning writes a RETURNING clause, or none, and returns the command.
func (b *builder) returning(cols []ref, many bool) string {
	if !chance(b.t, 40, "returning") {
		return pick(b.t, []string{":exec", ":execrows", ":execresult"}, "command")
	}
	b.put("\nRETURNING ")
	if chance(b.t, 60, "all") {
		b.put("*")
	} else {
		b.put("%s", pick(b.t, cols, "returned").sql)
	}
	if many {
		return ":many"
	}
	return ":one"
}

func (b *builder) update(tab *Table, name string) Query {
	b.q.Writes = true
	cols := refs(tab, "")
	free := slices.DeleteFunc(slices.Clone(cols), func(c ref) bool { return c.Name == "id" || c.Name == "part" })
	c := pick(b.t, free, "column")
	b.put("UPDATE %s SET %s = ", tab.Name, c.sql)
	switch pick(b.t, []string{"param", "param", "coalesce", "self"}, "value") {
	case "param":
		b.param(!c.NotNull)
	case "coalesce":
		b.put("coalesce(")
		b.param(true)
		b.put(", %s)", c.sql)
	default:
		b.put("%s", c.sql)
	}
	b.where(cols)
	return b.done(name, b.returning(cols, true))
}

func (b *builder) delete(tab *Table, name string) Query {
	b.q.Writes = true
	cols := refs(tab, "")
	b.put("DELETE FROM %s", tab.Name)
	b.where(cols)
	return b.done(name, b.returning(cols, true))
}

// values writes the columns of a table and a parameter for each.
func (b *builder) values(tab *Table) {
	cols := refs(tab, "")
	if tab.Columns[0].Class == Integer && strings.Contains(tab.SQL, "INTEGER PRIMARY KEY") && chance(b.t, 30, "numbered by the engine") {
		cols = cols[1:]
	}
	var names []string
	for _, c := range cols {
		names = append(names, c.sql)
	}
	b.put("INSERT INTO %s (%s) VALUES (", tab.Name, strings.Join(names, ", "))
	for i, c := range cols {
		if i > 0 {
			b.put(", ")
		}
		b.param(!c.NotNull)
	}
	b.put(")")
}

func (b *builder) insert(tab *Table, name string) Query {
	b.q.Writes, b.q.Insert = true, true
	b.values(tab)
	cmd := b.returning(refs(tab, ""), false)
	if cmd == ":execresult" && !strings.Contains(tab.SQL, "WITHOUT ROWID") {
		cmd = ":execlastid"
	}
	return b.done(name, cmd)
}

func (b *builder) upsert(tab *Table, name string) Query {
	var key []string
	for _, c := range tab.Columns {
		if c.Name == "id" || c.Name == "part" {
			key = append(key, c.Name)
		}
	}
	if len(key) == 0 {
		return b.insert(tab, name)
	}
	b.q.Writes = true
	cols := refs(tab, "")
	free := slices.DeleteFunc(slices.Clone(cols), func(c ref) bool { return slices.Contains(key, c.Name) })
	c := pick(b.t, free, "column")
	b.values(tab)
	b.put("\nON CONFLICT (%s) DO ", strings.Join(key, ", "))
	if chance(b.t, 25, "nothing") {
		b.put("NOTHING")
	} else {
		b.put("UPDATE SET %s = excluded.%s", c.sql, quoteName(c.Name))
	}
	return b.done(name, b.returning(cols, true))
}

func (b *builder) insertSelect(tab *Table, name string) Query {
	b.q.Writes = true
	cols := refs(tab, "x")
	var into, from []string
	for _, c := range cols {
		into = append(into, quoteName(c.Name))
		from = append(from, c.sql)
	}
	if tab.Columns[0].Class == Integer {
		from[0] += " + 100"
	} else {
		from[0] += " || 'x'"
	}
	b.put("INSERT INTO %s (%s)\nSELECT %s FROM %s AS x", tab.Name, strings.Join(into, ", "), strings.Join(from, ", "), tab.Name)
	b.where(cols)
	return b.done(name, pick(b.t, []string{":exec", ":execrows"}, "command"))
}
