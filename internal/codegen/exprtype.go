package codegen

import "strings"

// Functions by the type of their result.
var integerResult = wordSet("COUNT LENGTH INSTR UNICODE ROW_NUMBER RANK DENSE_RANK NTILE UNIXEPOCH RANDOM CHANGES LAST_INSERT_ROWID TOTAL_CHANGES")

// sameResult are functions whose result is one of their arguments.
var sameResult = wordSet("MIN MAX COALESCE IFNULL NULLIF LAG LEAD FIRST_VALUE LAST_VALUE NTH_VALUE")

// typeOf is the declared type of result column at, where sqlc knows none and
// the expression says so plainly; otherwise empty.
func (r *reading) typeOf(at int) string {
	if at >= len(r.items) || r.next != nil {
		return ""
	}
	return r.typeOfExpr(r.items[at])
}

// isReal reports whether result column at is a calculation with a REAL, which
// sqlc takes for a whole number.
func (r *reading) isReal(at int) bool {
	return at < len(r.items) && len(splitAt(r.sql, r.items[at], arithmetic...)) > 1 && strings.EqualFold(r.typeOf(at), "REAL")
}

// isBits reports whether result column at is what a bitwise operator makes, a
// whole number that sqlc takes for a boolean. Of a compound one arm is enough.
func (r *reading) isBits(at int) bool {
	for ; r != nil; r = r.next {
		if at < len(r.items) && r.bits(r.items[at]) {
			return true
		}
	}
	return false
}

// bits reports whether no operator of an expression binds more weakly than a
// bitwise one.
func (r *reading) bits(expr []token) bool {
	for len(expr) > 2 && expr[0].isPunct(r.sql, "(") && closing(r.sql, expr) == len(expr)-1 {
		expr = expr[1 : len(expr)-1]
		if r.isQuery(expr) {
			sub := r.g.readSelect(r.q, r.sql, expr)
			return len(sub.items) == 1 && sub.bits(sub.items[0])
		}
	}
	if len(expr) == 0 || expr[0].isWord(r.sql, "NOT") || r.last(expr, r.isTest) > 0 || len(r.split(expr, "OR", "AND", "<", "<=", ">", ">=")) > 1 {
		return false
	}
	return len(r.split(expr, "&", "|", "<<", ">>")) > 1
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
