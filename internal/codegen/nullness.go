package codegen

import (
	"maps"
	"slices"
	"strings"
)

// nullness is what can be said of a result before the query runs.
type nullness int

const (
	unknown  nullness = iota
	never             // NULL cannot occur
	possible          // NULL can occur, whatever sqlc says
)

// worst is the nullness of what is NULL as soon as one of its parts is.
func worst(parts []nullness) nullness {
	all := never
	for _, n := range parts {
		switch {
		case n == possible:
			return possible
		case n == unknown:
			all = unknown
		}
	}
	return all
}

// reading looks at the expressions that make up the results of one statement.
// Where anything stands between a column and the result that it does not see
// through (a WITH, a subquery in FROM, a view, a compound SELECT), it knows
// nothing.
type reading struct {
	g        *generator
	q        *query
	sql      string
	items    [][]token // one for each column of the result
	simple   bool      // the tables of the outermost FROM are base tables
	lone     bool      // aggregates make one row, even of none
	grouped  bool
	optional map[string]bool
	aliases  map[string]string
}

// read takes a statement apart, once its wildcards are written out.
func (g *generator) read(q *query) *reading {
	r := &reading{g: g, q: q, sql: q.stmt.sql(), aliases: g.engine.aliases(q.src), optional: optionalTables(q.src)}
	tokens := significant(lex(r.sql))
	r.items = resultItems(r.sql, tokens)
	if len(r.items) != len(q.facts.results) {
		r.items = nil
	}
	outer, sources := outermost(r.sql, tokens)
	r.simple = len(sources) > 0
	scope := map[string]bool{}
	depth := 0
	for i, t := range sources {
		name, ok := t.name(r.sql)
		lower := strings.ToLower(name)
		table := depth == 0 && (i == 0 || sources[i-1].isPunct(r.sql, ",") || sources[i-1].isWord(r.sql, "JOIN"))
		switch {
		case t.isPunct(r.sql, "("):
			depth++
			r.simple = r.simple && !table
		case t.isPunct(r.sql, ")"):
			depth--
		case ok && g.engine.views[lower]:
			r.simple = false
		case ok && depth == 0:
			scope[lower] = true
			if _, known := g.engine.tables[lower]; table && !known {
				r.simple = false
			}
		}
	}
	maps.DeleteFunc(r.aliases, func(alias, _ string) bool { return !scope[alias] })
	aggregate := false
	for i, t := range outer {
		name, _ := t.name(r.sql)
		switch word := strings.ToUpper(name); {
		case t.isWord(r.sql, "WITH"):
			r.simple = false // its names may hide tables
		case t.isWord(r.sql, "GROUP"):
			r.grouped = true
		case aggregates[word] && i+1 < len(outer) && outer[i+1].isPunct(r.sql, "(") && !overWindow(r.sql, outer[i+1:]):
			aggregate = aggregate || !((word == "MIN" || word == "MAX") && len(splitAt(r.sql, outer[i+2:i+1+closing(r.sql, outer[i+1:])], ",")) > 1)
		}
	}
	r.lone = aggregate && !r.grouped
	return r
}

// outermost returns the tokens of a statement without those of subqueries in
// its expressions, and those that name the tables it reads or, with RETURNING,
// writes.
func outermost(sql string, tokens []token) (outer, sources []token) {
	for i := 0; i < len(tokens); i++ {
		outer = append(outer, tokens[i])
		if tokens[i].isPunct(sql, "(") && i+1 < len(tokens) && (tokens[i+1].isWord(sql, "SELECT") || tokens[i+1].isWord(sql, "WITH") || tokens[i+1].isWord(sql, "VALUES")) {
			i += closing(sql, tokens[i:])
			outer = append(outer, tokens[i])
		}
	}
	depth, from := 0, -1
	for i, t := range outer {
		switch {
		case t.isPunct(sql, "("):
			depth++
		case t.isPunct(sql, ")"):
			depth--
		case depth != 0:
		case t.isWord(sql, "INTO"), t.isWord(sql, "UPDATE") && from < 0, t.isWord(sql, "FROM") && from < 0:
			from = i + 1
			if !t.isWord(sql, "FROM") || i > 0 && outer[i-1].isWord(sql, "DELETE") { // one table
				to := from + 1
				for to < len(outer) && (outer[to].isPunct(sql, ".") || outer[to-1].isPunct(sql, ".")) {
					to++
				}
				return outer, outer[min(from, len(outer)):min(to, len(outer))]
			}
		case from >= 0 && slices.ContainsFunc([]string{"WHERE", "GROUP", "ORDER", "LIMIT", "WINDOW", "HAVING"}, func(w string) bool { return t.isWord(sql, w) }):
			return outer, outer[from:i]
		}
	}
	if from < 0 {
		return outer, nil
	}
	return outer, outer[from:]
}

// resultItems are the expressions after SELECT or RETURNING, without their
// aliases; nil for a compound SELECT.
func resultItems(sql string, tokens []token) [][]token {
	depth, from := 0, -1
	for i, t := range tokens {
		switch {
		case t.isPunct(sql, "("):
			depth++
		case t.isPunct(sql, ")"):
			depth--
		case depth != 0:
		case t.isWord(sql, "UNION"), t.isWord(sql, "EXCEPT"), t.isWord(sql, "INTERSECT"):
			return nil
		case t.isWord(sql, "SELECT") && from < 0, t.isWord(sql, "RETURNING"):
			from = i + 1
		}
	}
	if from < 0 {
		return nil
	}
	for from < len(tokens) && (tokens[from].isWord(sql, "DISTINCT") || tokens[from].isWord(sql, "ALL")) {
		from++
	}
	end := len(tokens)
	depth = 0
	for i := from; i < end; i++ {
		switch t := tokens[i]; {
		case t.isPunct(sql, "("):
			depth++
		case t.isPunct(sql, ")"):
			depth--
		case depth == 0 && slices.ContainsFunc([]string{"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "WINDOW", "HAVING"}, func(w string) bool { return t.isWord(sql, w) }):
			end = i
		}
	}
	var items [][]token
	for _, item := range splitAt(sql, tokens[from:end], ",") {
		items = append(items, withoutAlias(sql, item))
	}
	return items
}

// splitAt cuts tokens at the operators that stand outside parentheses.
func splitAt(sql string, tokens []token, operators ...string) [][]token {
	var parts [][]token
	depth, start := 0, 0
	for i, t := range tokens {
		switch text := t.text(sql); {
		case t.kind != tokenPunct:
		case text == "(":
			depth++
		case text == ")":
			depth--
		case depth == 0 && slices.Contains(operators, text):
			parts = append(parts, tokens[start:i])
			start = i + 1
		}
	}
	return append(parts, tokens[start:])
}

func withoutAlias(sql string, item []token) []token {
	n := len(item)
	if n < 2 {
		return item
	}
	last, before := item[n-1], item[n-2]
	if last.kind != tokenWord && last.kind != tokenQuoted && last.kind != tokenString {
		return item
	}
	if before.isWord(sql, "AS") {
		return item[:n-2]
	}
	if before.isPunct(sql, ")") && !last.isWord(sql, "NULL") || before.kind == tokenNumber || before.kind == tokenString ||
		before.kind == tokenQuoted || before.kind == tokenWord && !sqlKeywords[strings.ToUpper(before.text(sql))] {
		return item[:n-1]
	}
	return item
}

// overWindow reports whether the call whose parenthesis is the first token is
// a window function's.
func overWindow(sql string, tokens []token) bool {
	end := closing(sql, tokens)
	if end+1 < len(tokens) && tokens[end+1].isWord(sql, "FILTER") {
		end += 1 + closing(sql, tokens[end+2:]) + 1
	}
	return end+1 < len(tokens) && tokens[end+1].isWord(sql, "OVER")
}

// closing is the index of the parenthesis that closes the first token.
func closing(sql string, tokens []token) int {
	depth := 0
	for i, t := range tokens {
		switch {
		case t.isPunct(sql, "("):
			depth++
		case t.isPunct(sql, ")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(tokens) - 1
}

// nullness of result column at.
func (r *reading) nullness(at int) nullness {
	if at < len(r.items) {
		return r.of(r.items[at])
	}
	return unknown
}

// Functions by what they make of NULL.
var (
	neverNull = wordSet("COUNT TOTAL RANDOM CHANGES LAST_INSERT_ROWID TYPEOF QUOTE JSON_ARRAY JSON_OBJECT JSON_GROUP_ARRAY JSON_GROUP_OBJECT " +
		"ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST NTILE EXISTS SQLITE_VERSION ZEROBLOB RANDOMBLOB PRINTF FORMAT")
	nullOfNull = wordSet("UPPER LOWER TRIM LTRIM RTRIM LENGTH HEX ABS ROUND REPLACE INSTR SUBSTR SUBSTRING")
)

// of is the nullness of an expression.
func (r *reading) of(expr []token) nullness {
	switch {
	case len(expr) == 0:
		return unknown
	case len(expr) == 1 || expr[1].isPunct(r.sql, "."):
		return r.ofOperand(expr)
	case expr[0].isPunct(r.sql, "(") && closing(r.sql, expr) == len(expr)-1:
		if expr[1].isWord(r.sql, "SELECT") {
			return r.ofSubquery(expr[1 : len(expr)-1])
		}
		return r.of(expr[1 : len(expr)-1])
	case expr[0].isWord(r.sql, "CASE"):
		return r.ofCase(expr)
	case expr[0].isWord(r.sql, "NOT"):
		return r.of(expr[1:])
	}
	if parts := splitAt(r.sql, expr, "+", "-", "*", "||"); len(parts) > 1 {
		var list []nullness
		for _, p := range parts {
			list = append(list, r.of(p))
		}
		return worst(list)
	}
	if expr[1].isPunct(r.sql, "(") {
		return r.ofCall(expr)
	}
	return unknown
}

func (r *reading) ofOperand(expr []token) nullness {
	t := expr[0]
	switch {
	case t.kind == tokenNumber, t.kind == tokenString, t.kind == tokenBlob:
		return never
	case t.isWord(r.sql, "NULL"):
		return possible
	case t.isWord(r.sql, "TRUE"), t.isWord(r.sql, "FALSE"), t.isWord(r.sql, "CURRENT_TIMESTAMP"), t.isWord(r.sql, "CURRENT_DATE"), t.isWord(r.sql, "CURRENT_TIME"):
		return never
	}
	table, column, ok := columnRef(r.sql, expr)
	if !ok || !r.simple {
		return unknown
	}
	if r.lone {
		return possible
	}
	found := unknown
	for alias, base := range r.aliases {
		lower := strings.ToLower(base)
		if table != "" && alias != table {
			continue
		}
		notNull, ok := r.g.engine.notNull[lower][column]
		if !ok && !isRowID(column) || found != unknown && table == "" && ok {
			continue
		}
		switch {
		case r.optional[alias]:
			found = possible
		case r.g.engine.virtual[lower] && !isRowID(column):
			return unknown
		case notNull || isRowID(column):
			found = never
		default:
			found = possible
		}
	}
	return found
}

// columnRef takes "column", "table.column" and "schema.table.column" apart, in
// lower case.
func columnRef(sql string, expr []token) (table, column string, ok bool) {
	var names []string
	for i, t := range expr {
		if i%2 == 1 {
			if !t.isPunct(sql, ".") {
				return "", "", false
			}
			continue
		}
		name, isName := t.name(sql)
		if !isName {
			return "", "", false
		}
		names = append(names, strings.ToLower(name))
	}
	switch n := len(names); {
	case n == 1:
		return "", names[0], true
	case n <= 3:
		return names[n-2], names[n-1], true
	}
	return "", "", false
}

// ofSubquery knows of a scalar subquery that it is NULL without a row, unless
// an aggregate makes one of none.
func (r *reading) ofSubquery(tokens []token) nullness {
	items := resultItems(r.sql, tokens)
	if len(items) == 1 && len(items[0]) > 1 && (items[0][0].isWord(r.sql, "COUNT") || items[0][0].isWord(r.sql, "TOTAL")) && items[0][1].isPunct(r.sql, "(") &&
		closing(r.sql, items[0][1:]) == len(items[0])-2 && !slices.ContainsFunc(tokens, func(t token) bool { return t.isWord(r.sql, "GROUP") || t.isWord(r.sql, "OFFSET") }) {
		return never
	}
	return possible
}

// ofCase knows that CASE without ELSE can be NULL.
func (r *reading) ofCase(expr []token) nullness {
	depth, cases, at := 0, 0, -1
	for i, t := range expr {
		switch {
		case t.isPunct(r.sql, "("):
			depth++
		case t.isPunct(r.sql, ")"):
			depth--
		case t.isWord(r.sql, "CASE"):
			cases++
		case t.isWord(r.sql, "END"):
			cases--
			if cases == 0 && i != len(expr)-1 {
				return unknown
			}
		case t.isWord(r.sql, "ELSE") && depth == 0 && cases == 1:
			at = i
		}
	}
	if at < 0 {
		return possible
	}
	return unknown
}

// ofCall is the nullness of f(...), with what may follow the parenthesis.
func (r *reading) ofCall(expr []token) nullness {
	name := strings.ToUpper(expr[0].text(r.sql))
	end := closing(r.sql, expr[1:]) + 1
	tail := expr[end+1:]
	if len(tail) > 0 && !tail[0].isWord(r.sql, "FILTER") && !tail[0].isWord(r.sql, "OVER") {
		return unknown
	}
	inner := expr[2:end]
	var args []nullness
	if name == "CAST" {
		for i, t := range inner {
			if t.isWord(r.sql, "AS") && i > 0 {
				return r.of(inner[:i])
			}
		}
		return unknown
	}
	for _, arg := range splitAt(r.sql, inner, ",") {
		args = append(args, r.of(arg))
	}
	switch {
	case neverNull[name]:
		return never
	case name == "COALESCE" || name == "IFNULL":
		if slices.Contains(args, never) {
			return never
		}
		if slices.Contains(args, unknown) {
			return unknown
		}
		return possible
	case (name == "MIN" || name == "MAX") && len(args) > 1, nullOfNull[name]:
		return worst(args)
	case aggregates[name]:
		if len(tail) > 0 {
			return possible // FILTER and frames can leave nothing
		}
		if !r.simple {
			return unknown
		}
		if r.grouped {
			return worst(args[:1])
		}
		return possible
	case name == "LAG" || name == "LEAD":
		if len(args) < 3 {
			return possible
		}
	}
	return unknown
}

// Functions by the type of their result.
var integerResult = wordSet("COUNT LENGTH INSTR UNICODE ROW_NUMBER RANK DENSE_RANK NTILE UNIXEPOCH RANDOM CHANGES LAST_INSERT_ROWID TOTAL_CHANGES")

// sameResult are functions whose result is one of their arguments.
var sameResult = wordSet("MIN MAX COALESCE IFNULL NULLIF LAG LEAD FIRST_VALUE LAST_VALUE NTH_VALUE")

// typeOf is the declared type of result column at, where sqlc knows none and
// the expression says so plainly; otherwise empty.
func (r *reading) typeOf(at int) string {
	if at >= len(r.items) {
		return ""
	}
	return r.typeOfExpr(r.items[at])
}

// isReal reports whether result column at is a calculation with a REAL, which
// sqlc takes for a whole number.
func (r *reading) isReal(at int) bool {
	return at < len(r.items) && len(splitAt(r.sql, r.items[at], arithmetic...)) > 1 && strings.EqualFold(r.typeOf(at), "REAL")
}

var arithmetic = []string{"+", "-", "*", "/"}

func (r *reading) typeOfExpr(expr []token) string {
	if len(expr) == 0 {
		return ""
	}
	if len(expr) == 1 || expr[1].isPunct(r.sql, ".") {
		switch expr[0].kind {
		case tokenString:
			return "TEXT"
		case tokenNumber:
			if strings.ContainsAny(expr[0].text(r.sql), ".eE") && !strings.HasPrefix(expr[0].text(r.sql), "0x") {
				return "REAL"
			}
			return "INTEGER"
		}
		if table, column, ok := columnRef(r.sql, expr); ok && r.simple {
			declared, _ := r.g.columnType(r.q, table, column)
			return declared
		}
		return ""
	}
	if parts := splitAt(r.sql, expr, arithmetic...); len(parts) > 1 {
		sum := "INTEGER"
		for _, p := range parts {
			switch r.g.opts.plainType(r.typeOfExpr(p), true) {
			case "int64":
			case "float64":
				sum = "REAL"
			default:
				return ""
			}
		}
		return sum
	}
	if !expr[1].isPunct(r.sql, "(") {
		return ""
	}
	name := strings.ToUpper(expr[0].text(r.sql))
	end := closing(r.sql, expr[1:]) + 1
	if tail := expr[end+1:]; len(tail) > 0 && !tail[0].isWord(r.sql, "FILTER") && !tail[0].isWord(r.sql, "OVER") {
		return ""
	}
	switch {
	case integerResult[name]:
		return "INTEGER"
	case !sameResult[name]:
		return ""
	}
	args := splitAt(r.sql, expr[2:end], ",")
	if name == "NULLIF" || name == "LAG" || name == "LEAD" || name == "NTH_VALUE" {
		args = args[:1]
	}
	declared := ""
	for _, arg := range args {
		if len(arg) == 1 && arg[0].isWord(r.sql, "NULL") {
			continue
		}
		typ := r.typeOfExpr(arg)
		switch {
		case typ == "":
			return ""
		case declared == "":
			declared = typ
		case strings.EqualFold(declared, "REAL") && strings.EqualFold(typ, "INTEGER"): // 0 beside a REAL
		case !strings.EqualFold(r.g.opts.plainType(declared, true), r.g.opts.plainType(typ, true)):
			return ""
		}
	}
	return declared
}
