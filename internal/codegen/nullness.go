package codegen

import (
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

// nullness of result column at.
func (r *reading) nullness(at int) nullness {
	var arms []nullness
	for ; r != nil; r = r.next {
		if at >= len(r.items) {
			arms = append(arms, unknown)
			continue
		}
		arms = append(arms, r.of(r.items[at]))
	}
	return worst(arms)
}

// Functions by what they make of NULL.
var (
	neverNull = wordSet("COUNT TOTAL RANDOM CHANGES LAST_INSERT_ROWID TYPEOF QUOTE JSON_ARRAY JSON_OBJECT JSON_GROUP_ARRAY JSON_GROUP_OBJECT " +
		"ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST NTILE EXISTS SQLITE_VERSION")
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
	if parts := splitAt(r.sql, expr, "/", "%"); len(parts) > 1 {
		list := []nullness{r.of(parts[0])}
		for _, p := range parts[1:] {
			if len(p) != 1 || p[0].kind != tokenNumber || strings.Trim(p[0].text(r.sql), "0.") == "" {
				return possible // by zero
			}
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
	found, tables := unknown, 0
	for alias, base := range r.aliases {
		notNull, ok := r.g.engine.notNull[strings.ToLower(base)][column]
		if table != "" && alias != table || !ok && !isRowID(column) {
			continue
		}
		tables++
		switch {
		case r.optional[alias]:
			found = possible
		case notNull || !ok:
			found = never
		case r.g.saysNotNull(base, column): // a key that is not INTEGER, or a virtual table
			found = unknown
		default:
			found = possible
		}
	}
	if tables != 1 {
		return unknown // NATURAL or USING
	}
	return found
}

// saysNotNull reports whether sqlc takes a column for NOT NULL.
func (g *generator) saysNotNull(table, column string) bool {
	for _, m := range g.models {
		if !strings.EqualFold(m.table.Name, table) {
			continue
		}
		for _, f := range m.fields {
			if strings.EqualFold(f.dbName, column) {
				return f.column.NotNull
			}
		}
	}
	return false
}

// ofSubquery knows of a scalar subquery that it is NULL without a row, unless
// an aggregate makes one of none.
func (r *reading) ofSubquery(tokens []token) nullness {
	items := resultItems(r.sql, tokens)
	if len(items) == 1 && len(items[0]) > 1 && (items[0][0].isWord(r.sql, "COUNT") || items[0][0].isWord(r.sql, "TOTAL")) && items[0][1].isPunct(r.sql, "(") &&
		closing(r.sql, items[0][1:]) == len(items[0])-2 && !slices.ContainsFunc(tokens, func(t token) bool {
		return slices.ContainsFunc([]string{"GROUP", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT"}, func(w string) bool { return t.isWord(r.sql, w) })
	}) {
		return never
	}
	return possible
}

// ofCase knows that CASE without ELSE can be NULL.
func (r *reading) ofCase(expr []token) nullness {
	depth, cases, at, ended := 0, 0, -1, false
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
			ended = ended || cases == 0
		case t.isWord(r.sql, "ELSE") && depth == 0 && cases == 1:
			at = i
		}
	}
	if at < 0 && ended {
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
