package codegen

import (
	"slices"
	"strconv"
	"strings"
)

// nullness is what can be said of a result before the query runs. A greater one
// is closer to NULL.
//
// It leaves out what calculations make of infinite numbers (Inf - Inf is NULL)
// and of NaN, which the engine stores as NULL: no schema rules those out, and
// the row that holds such a NULL is refused when it is read.
type nullness int

const (
	never    nullness = iota // NULL cannot occur
	presumed                 // a column that sqlc and the models take for NOT NULL
	unknown
	possible // NULL can occur, whatever sqlc says
)

// worst is the nullness of what is NULL as soon as one of its parts is.
func worst(parts []nullness) nullness {
	all := never
	for _, n := range parts {
		all = max(all, n)
	}
	return all
}

// calculated is the nullness of what an operator or CASE makes of its parts. sqlc
// calls it NOT NULL whatever they are, so what is not known has to be possible.
func calculated(parts []nullness) nullness {
	if n := worst(parts); n != unknown {
		return n
	}
	return possible
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
	nullOfNull = wordSet("LIKELY UNLIKELY UPPER LOWER TRIM LTRIM RTRIM LENGTH HEX ABS ROUND REPLACE INSTR SUBSTR SUBSTRING")

	// dateFunctions give NULL for what they cannot read.
	dateFunctions = wordSet("DATE TIME DATETIME JULIANDAY UNIXEPOCH STRFTIME")
)

func (r *reading) ofOperand(expr []token) nullness {
	t := expr[0]
	switch {
	case t.kind == tokenNumber, t.kind == tokenString, t.kind == tokenBlob:
		return never
	case t.kind == tokenParam:
		return r.ofParam(t)
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
			found = presumed
		default:
			found = possible
		}
	}
	if tables != 1 {
		return unknown // NATURAL or USING
	}
	return found
}

// notNullable are the types of parameters that cannot hold NULL.
var notNullable = wordSet("bool int64 float64 string time.Time")

// param is what ?1 and its like stand for.
func (r *reading) param(t token) *param {
	if t.kind != tokenParam {
		return nil
	}
	n, err := strconv.Atoi(t.text(r.sql)[1:])
	if err != nil || n < 1 || n > len(r.q.stmt.params) {
		return nil
	}
	return &r.q.stmt.params[n-1]
}

func (r *reading) isSlice(t token) bool {
	p := r.param(t)
	return p != nil && p.slice
}

// ofParam is the nullness of a parameter, or of the elements of a slice.
func (r *reading) ofParam(t token) nullness {
	p := r.param(t)
	if p == nil {
		return unknown
	}
	if notNullable[strings.TrimPrefix(r.g.strictParam(r.q, p), "[]")] {
		return never
	}
	return possible
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

// ofCase is the nullness of CASE ... END: NULL stands where no ELSE does, and
// otherwise comes from the branches.
func (r *reading) ofCase(expr []token) nullness {
	var branches []nullness
	otherwise, start := false, -1
	depth := 0
	for i, t := range expr {
		ends := t.isWord(r.sql, "END")
		switch {
		case t.isPunct(r.sql, "("), t.isWord(r.sql, "CASE"):
			depth++
		case t.isPunct(r.sql, ")"), ends && depth > 1:
			depth--
		case depth != 1:
		case t.isWord(r.sql, "WHEN"), t.isWord(r.sql, "ELSE"), ends:
			if start >= 0 {
				branches = append(branches, r.of(expr[start:i]))
			}
			start = -1
			if t.isWord(r.sql, "ELSE") {
				otherwise, start = true, i+1
			}
			if ends && i != len(expr)-1 {
				return unknown
			}
		case t.isWord(r.sql, "THEN"):
			start = i + 1
		}
	}
	if !otherwise {
		return possible
	}
	return calculated(branches)
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
		for i, t := range slices.Backward(inner) {
			if t.isWord(r.sql, "AS") && i > 0 {
				return r.of(inner[:i])
			}
		}
		return unknown
	}
	if len(inner) > 0 && inner[0].isWord(r.sql, "DISTINCT") {
		inner = inner[1:]
	}
	for _, arg := range splitAt(r.sql, inner, ",") {
		args = append(args, r.of(arg))
	}
	switch {
	case neverNull[name]:
		return never
	case name == "COALESCE" || name == "IFNULL":
		return slices.Min(args)
	case name == "NULLIF":
		return possible
	case name == "IIF" || name == "IF":
		if len(args)%2 == 0 {
			return possible // without a value for the case that no condition holds
		}
		branches := args[len(args)-1:]
		for i := 1; i < len(args); i += 2 {
			branches = append(branches, args[i])
		}
		return calculated(branches)
	case dateFunctions[name]:
		return r.ofDate(name, splitAt(r.sql, inner, ","))
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

// ofDate knows that the current time is a time.
func (r *reading) ofDate(name string, args [][]token) nullness {
	if name == "STRFTIME" {
		if len(args) == 0 || len(args[0]) != 1 || args[0][0].kind != tokenString || !plainFormat(args[0][0].text(r.sql)) {
			return unknown
		}
		args = args[1:]
	}
	if len(args) == 0 || len(args) == 1 && (len(args[0]) == 0 || len(args[0]) == 1 && strings.EqualFold(args[0][0].text(r.sql), "'now'")) {
		return never
	}
	return unknown
}

// plainFormat reports whether strftime surely knows all that a format holds.
//
// https://www.sqlite.org/lang_datefunc.html
func plainFormat(format string) bool {
	for rest := format; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return true
		}
		if after == "" || !strings.Contains("dfHjJmMsSwWY%", after[:1]) {
			return false
		}
		rest = after[1:]
	}
}
