package codegen

import (
	"slices"
	"strings"
)

// With strict_types the engine types what sqlc could only call any, and says
// whether a column can be NULL by where it comes from. Without it the types
// are sqlc's own.

// resultType is the Go type of sqlc's column n, which is column at of the
// engine's answer.
func (g *generator) resultType(q *query, n, at int) string {
	if g.opts.StrictTypes {
		return g.strictType(q, n, at)
	}
	return g.goType(q.Columns[n])
}

// strictType is the type that strict types give a result.
func (g *generator) strictType(q *query, n, at int) string {
	col := q.Columns[n]
	if q.unchecked || at >= len(q.facts.results) || g.overridden(col) {
		return g.goType(col)
	}
	better := *col
	if r := q.facts.results[at]; r.column != "" {
		better.OriginalName = r.column
		better.Table = &Identifier{Schema: r.database, Name: r.table}
		if g.goType(col) == anyType {
			better.Type = g.originType(r)
		}
		better.NotNull = col.NotNull || g.engine.cannotBeNull(q.src, r)
	}
	if q.reading == nil {
		q.reading = g.read(q)
	}
	switch {
	case q.reading.isReal(at):
		better.Type = Identifier{Name: "REAL"}
	case g.opts.plainType(typeName(better.Type), true) == "bool" && q.reading.isBits(at):
		better.Type = Identifier{Name: "INTEGER"}
	}
	if g.goType(&better) == anyType {
		if declared := q.reading.typeOf(at); declared != "" {
			better.Type = Identifier{Name: declared}
		}
	}
	switch q.reading.nullness(at) {
	case never:
		better.NotNull = true
	case possible:
		better.NotNull = false
	}
	return g.goType(&better)
}

// originType is the declared type of the column that a result comes from. A
// virtual table declares none; sqlc knows those of full-text search.
func (g *generator) originType(r result) Identifier {
	if r.declared != "" {
		return Identifier{Name: declaredType(r.declared)}
	}
	for _, s := range g.req.Catalog.Schemas {
		for _, t := range s.Tables {
			for _, c := range t.Columns {
				if strings.EqualFold(t.Rel.Name, r.table) && strings.EqualFold(c.Name, r.column) {
					return c.Type
				}
			}
		}
	}
	if isRowID(r.column) {
		return Identifier{Name: "INTEGER"}
	}
	return Identifier{Name: "any"}
}

func isRowID(column string) bool {
	switch strings.ToLower(column) {
	case "rowid", "oid", "_rowid_":
		return true
	}
	return false
}

// aggregates make one row out of none, with NULL in the columns beside them.
var aggregates = wordSet("AVG COUNT GROUP_CONCAT JSON_GROUP_ARRAY JSON_GROUP_OBJECT MAX MEDIAN MIN STRING_AGG SUM TOTAL")

// cannotBeNull reports whether a result is never NULL because the column that
// it comes from is not. That only holds where nothing stands between the two:
// no outer join, no subquery and no view, which could hide either, and no
// aggregate over possibly no rows.
func (e *engine) cannotBeNull(q *sourceQuery, r result) bool {
	if outerJoin(q) {
		return false
	}
	selects, grouped, aggregate := 0, false, false
	for _, t := range q.body {
		name, ok := t.name(q.file.text)
		word := strings.ToUpper(name)
		switch {
		case !ok:
		case e.views[strings.ToLower(name)]:
			return false
		case word == "SELECT" || word == "VALUES" && selects > 0:
			selects++
		case word == "GROUP":
			grouped = true
		case aggregates[word]:
			aggregate = true
		}
	}
	if selects > 1 || aggregate && !grouped {
		return false
	}
	return e.notNull[strings.ToLower(r.table)][strings.ToLower(r.column)] || isRowID(r.column)
}

// paramType is the Go type of a parameter. A type that sqlc has lost is that
// of the column the parameter is compared with or stored in, where the source
// says so plainly.
func (g *generator) paramType(q *query, p *param) string {
	if g.opts.StrictTypes {
		return g.strictParam(q, p)
	}
	return g.goType(&p.Column)
}

// strictParam is the type that strict types give a parameter.
func (g *generator) strictParam(q *query, p *param) string {
	typ := g.goType(&p.Column)
	if g.overridden(&p.Column) {
		return typ
	}
	if bareType(typ) != anyType {
		if p.slice && !p.nullable { // IN never finds a NULL
			col := p.Column
			col.NotNull = true
			return g.goType(&col)
		}
		return typ
	}
	declared, notNull := g.typeOf(q, comparedWith(q.src, p))
	if declared == "" {
		return typ
	}
	col := &Column{
		Name: p.Column.Name, Type: Identifier{Name: declared},
		NotNull: notNull && !p.nullable, IsSqlcSlice: p.slice,
	}
	if p.slice {
		col.NotNull = true
	}
	return g.goType(col)
}

func (g *generator) overridden(col *Column) bool {
	for i := range g.opts.Overrides {
		o := &g.opts.Overrides[i]
		if o.typ.name != "" && (o.matchesColumn(col, g.defaultSchema()) || o.matchesType(col)) {
			return true
		}
	}
	return false
}

// declaredType drops the length of a declared type: VARCHAR(20).
func declaredType(s string) string {
	s, _, _ = strings.Cut(s, "(")
	return strings.ReplaceAll(strings.TrimSpace(s), " ", "")
}

// nameParam gives a parameter the name it has in the source, or that of the
// column it is compared with, where sqlc has lost it.
func (g *generator) nameParam(q *query, p *param) {
	if p.Column.Name != "" {
		return
	}
	if p.Column.Name = p.lost; p.lost == "" {
		p.Column.Name = comparedWith(q.src, p).name
	}
}

// nameResults gives results of RETURNING the names that the source gives them:
// sqlc calls "upper(name) AS u" upper.
func (g *generator) nameResults(q *query) {
	if !returns(q.src) || len(q.Columns) != len(q.facts.results) {
		return
	}
	columns := slices.Clone(q.Columns)
	for i, c := range columns {
		if r := q.facts.results[i]; c.EmbedTable == nil && c.Table == nil && r.name != c.Name && isGoName(r.name) {
			renamed := *c
			renamed.Name = r.name
			columns[i] = &renamed
		}
	}
	renamed := *q.Query
	renamed.Columns = columns
	q.Query = &renamed
}

// place is what stands beside a parameter: a column, or LIMIT or OFFSET.
type place struct {
	table, name, operator string
}

// comparedWith looks for "column = ?", "column IN (?)" and "LIMIT ?" at the
// place where p stands first.
func comparedWith(q *sourceQuery, p *param) place {
	src, body := q.file.text, significant(q.body)
	back := slices.IndexFunc(body, func(t token) bool { return t.start == p.at }) - 1
	if p.slice { // "(" and IN stand before it
		back--
	}
	if back < 0 {
		return place{}
	}
	at := place{operator: strings.ToUpper(body[back].text(src))}
	switch at.operator {
	case "LIMIT", "OFFSET":
		at.name = strings.ToLower(at.operator)
		return at
	case "=", "==", "<>", "!=", "<", ">", "<=", ">=", "IS", "IN", "LIKE", "GLOB", "MATCH":
	default:
		return place{}
	}
	left := back - 1
	if left > 0 && body[left].isWord(src, "NOT") {
		left--
	}
	if left < 0 {
		return place{}
	}
	at.name, _ = body[left].name(src)
	if left >= 2 && body[left-1].isPunct(src, ".") {
		at.table, _ = body[left-2].name(src)
	}
	return at
}

// typeOf is the declared type of what stands beside a parameter.
func (g *generator) typeOf(q *query, at place) (declared string, notNull bool) {
	if at.operator == "LIMIT" || at.operator == "OFFSET" {
		return "INTEGER", true
	}
	if at.name == "" {
		return "", false
	}
	if declared, notNull = g.columnType(q, at.table, at.name); declared == "" && at.operator == "MATCH" {
		return "TEXT", true // a full-text query
	}
	return declared, notNull
}

// columnType finds a column by its name, and by the name or alias of its table
// where there is one. An ambiguous name has no type.
func (g *generator) columnType(q *query, table, column string) (declared string, notNull bool) {
	aliases := g.engine.aliases(q.src)
	found := map[string]bool{}
	for alias, base := range aliases {
		if table != "" && alias != strings.ToLower(table) {
			continue
		}
		base, column := strings.ToLower(base), strings.ToLower(column)
		if typ, ok := g.engine.affinity[base][column]; ok && !found[base] {
			if len(found) > 0 {
				return "", false
			}
			found[base] = true
			declared, notNull = declaredType(typ), g.engine.notNull[base][column]
		}
	}
	return declared, notNull
}

// aliases maps the names under which base tables go in a query, in lower case,
// to the tables.
func (e *engine) aliases(q *sourceQuery) map[string]string {
	return e.aliasesIn(q.file.text, significant(q.body))
}

// aliasesIn does so for a part of a statement.
func (e *engine) aliasesIn(src string, body []token) map[string]string {
	aliases := map[string]string{}
	for i, t := range body {
		name, ok := t.name(src)
		base, known := e.tables[strings.ToLower(name)]
		if !ok || !known || i == 0 {
			continue
		}
		prev := strings.ToUpper(body[i-1].text(src))
		switch prev {
		case "FROM", "JOIN", ",", "INTO", "UPDATE", ".", "(", "REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK":
		default:
			continue
		}
		next := i + 1
		if next < len(body) && body[next].isWord(src, "AS") {
			next++
		}
		if next < len(body) {
			if alias, ok := body[next].name(src); ok && (body[next].kind == tokenQuoted || !sqlKeywords[strings.ToUpper(alias)]) {
				aliases[strings.ToLower(alias)] = base
				continue
			}
		}
		aliases[strings.ToLower(name)] = base
	}
	return aliases
}

func significant(tokens []token) []token {
	var list []token
	for _, t := range tokens {
		if !t.isSpace() {
			list = append(list, t)
		}
	}
	return list
}

// outerJoin reports whether a query joins in a way that makes NULLs of absent
// rows.
func outerJoin(q *sourceQuery) bool {
	for i, t := range q.body {
		if t.kind == tokenWord && i > 0 {
			switch strings.ToUpper(t.text(q.file.text)) {
			case "LEFT", "RIGHT", "FULL":
				return true
			}
		}
	}
	return false
}

// optionalEmbed reports whether embed n of a query may have no row, because
// its table stands on the optional side of an outer join.
func (g *generator) optionalEmbed(q *query, n int) bool {
	return n < len(q.stmt.embeds) && optionalTables(q.src.file.text, significant(q.src.body))[strings.ToLower(q.stmt.embeds[n])]
}

// endOfFrom are the words that follow the tables of a SELECT.
var endOfFrom = wordSet("SELECT WHERE GROUP HAVING WINDOW ORDER LIMIT UNION EXCEPT INTERSECT RETURNING")

// optionalTables are the names, in lower case, of what outer joins make
// optional: what follows LEFT JOIN, what precedes RIGHT JOIN, both for FULL.
func optionalTables(src string, body []token) map[string]bool {
	optional := map[string]bool{}
	var sofar []string
	depth, from := 0, -1 // from is the depth of the FROM whose tables follow
	for i, t := range body {
		word := strings.ToUpper(t.text(src))
		switch {
		case t.isPunct(src, "("):
			depth++
		case t.isPunct(src, ")"):
			depth--
		case t.kind == tokenWord && word == "FROM":
			from = depth
		case t.kind == tokenWord && depth <= from && endOfFrom[word]:
			from = -1
		}
		if !t.isWord(src, "JOIN") && !t.isWord(src, "FROM") && !(t.isPunct(src, ",") && depth == from) {
			continue
		}
		kind := ""
		for j := i - 1; word == "JOIN" && j >= 0 && j >= i-2; j-- {
			switch k := strings.ToUpper(body[j].text(src)); k {
			case "LEFT", "RIGHT", "FULL":
				kind = k
			}
		}
		name := joined(src, body[i+1:])
		if kind == "RIGHT" || kind == "FULL" {
			for _, n := range sofar {
				optional[n] = true
			}
		}
		if kind == "LEFT" || kind == "FULL" {
			optional[name] = true
		}
		sofar = append(sofar, name)
	}
	return optional
}

// joined returns the name under which the table at the start of body goes: its
// alias if it has one.
func joined(src string, body []token) string {
	last := ""
	for i := 0; i < len(body); i++ {
		if body[i].isPunct(src, ".") || body[i].isWord(src, "AS") {
			continue
		}
		name, ok := body[i].name(src)
		if !ok || body[i].kind == tokenWord && sqlKeywords[strings.ToUpper(name)] {
			break
		}
		last = strings.ToLower(name)
	}
	return last
}
