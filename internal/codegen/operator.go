package codegen

import (
	"slices"
	"strconv"
	"strings"
)

// Expressions are taken apart at their operators, weakest first, as SQLite's
// grammar does. Most operators make NULL of NULL; which of two that bind
// equally comes first matters only where one of them never does.
//
// https://www.sqlite.org/lang_expr.html#operators_and_parse_affecting_attributes

// of is the nullness of an expression.
func (r *reading) of(expr []token) nullness {
	if len(expr) == 0 {
		return unknown
	}
	if parts := r.split(expr, "OR"); len(parts) > 1 {
		return r.ofAll(parts)
	}
	if parts := r.split(expr, "AND"); len(parts) > 1 {
		return r.ofAll(parts)
	}
	if expr[0].isWord(r.sql, "NOT") {
		return r.ofAll([][]token{expr[1:]})
	}
	if at := r.last(expr, r.isTest); at > 0 {
		return r.ofTest(expr, at)
	}
	if parts := r.split(expr, "<", "<=", ">", ">=", "&", "|", "<<", ">>", "+", "-"); len(parts) > 1 {
		return r.ofAll(parts)
	}
	if at := r.last(expr, func(expr []token, i int) bool { return r.isOperator(expr, i, "*", "/", "%") }); at > 0 {
		left, right := expr[:at], expr[at+1:]
		if op := expr[at].text(r.sql); op != "*" && !r.divides(right, op == "%") {
			return possible // by zero
		}
		return r.ofAll([][]token{left, right})
	}
	if len(r.split(expr, "->", "->>")) > 1 {
		return possible // what is not in the document
	}
	if parts := r.split(expr, "||"); len(parts) > 1 {
		return r.ofAll(parts)
	}
	if n := len(expr); n > 2 && expr[n-2].isWord(r.sql, "COLLATE") {
		return r.of(expr[:n-2])
	}
	if expr[0].kind == tokenPunct && strings.Contains("+-~", expr[0].text(r.sql)) {
		return r.ofAll([][]token{expr[1:]})
	}
	return r.ofPrimary(expr)
}

// ofPrimary is the nullness of an expression without operators outside
// parentheses.
func (r *reading) ofPrimary(expr []token) nullness {
	switch {
	case len(expr) == 1 || expr[1].isPunct(r.sql, "."):
		return r.ofOperand(expr)
	case expr[0].isWord(r.sql, "CASE"):
		return r.ofCase(expr)
	case expr[0].isPunct(r.sql, "(") && closing(r.sql, expr) == len(expr)-1:
		inner := expr[1 : len(expr)-1]
		if r.isQuery(inner) {
			return r.ofSubquery(inner)
		}
		if parts := splitAt(r.sql, inner, ","); len(parts) > 1 { // a row
			return r.ofAll(parts)
		}
		return r.of(inner)
	case expr[1].isPunct(r.sql, "("):
		return r.ofCall(expr)
	}
	return unknown
}

func (r *reading) ofAll(parts [][]token) nullness {
	var list []nullness
	for _, p := range parts {
		list = append(list, r.of(p))
	}
	return calculated(list)
}

// ofTest is the nullness of what the operator at that place makes.
func (r *reading) ofTest(expr []token, at int) nullness {
	left, right := expr[:at], expr[at+1:]
	switch op := strings.ToUpper(expr[at].text(r.sql)); op {
	case "IS", "ISNULL", "NOTNULL":
		return never
	case "NOT":
		if len(right) == 0 || right[0].isWord(r.sql, "NULL") {
			return never
		}
		return r.ofTest(slices.Delete(slices.Clone(expr), at, at+1), at)
	case "MATCH":
		return possible // whatever a virtual table makes of it
	case "IN":
		return r.ofIn(left, right)
	case "BETWEEN":
		depths := r.depths(expr[at:])
		for i, t := range right {
			if t.isWord(r.sql, "AND") && depths[i+1] == 1 {
				return r.ofAll([][]token{left, right[:i], right[i+1:]})
			}
		}
		return possible
	case "LIKE":
		return r.ofAll(append(r.split(right, "ESCAPE"), left))
	}
	return r.ofAll([][]token{left, right})
}

// ofIn is the nullness of "left IN right".
func (r *reading) ofIn(left, right []token) nullness {
	if len(right) < 2 || !right[0].isPunct(r.sql, "(") || closing(r.sql, right) != len(right)-1 {
		return possible // a table
	}
	inner := right[1 : len(right)-1]
	switch {
	case len(inner) == 0:
		return never
	case !r.isQuery(inner):
		return r.ofAll(append(splitAt(r.sql, inner, ","), left))
	}
	elements := possible
	if n := len(inner); n > 4 && inner[n-4].isWord(r.sql, "json_each") && r.isSlice(inner[n-2]) {
		elements = r.ofParam(inner[n-2])
	} else if inner[0].isWord(r.sql, "SELECT") && len(r.split(inner, "UNION", "EXCEPT", "INTERSECT")) == 1 {
		if sub := r.g.readSelect(r.q, r.sql, inner); len(sub.items) == 1 {
			elements = sub.of(sub.items[0])
		}
	}
	return calculated([]nullness{r.of(left), elements})
}

func (r *reading) isQuery(tokens []token) bool {
	return len(tokens) > 0 && (tokens[0].isWord(r.sql, "SELECT") || tokens[0].isWord(r.sql, "WITH") || tokens[0].isWord(r.sql, "VALUES"))
}

// divides reports whether a divisor is a number that is not zero; % makes a
// whole number of it first.
func (r *reading) divides(expr []token, whole bool) bool {
	if len(expr) != 1 || expr[0].kind != tokenNumber {
		return false
	}
	text := strings.ReplaceAll(expr[0].text(r.sql), "_", "")
	if strings.HasPrefix(strings.ToLower(text), "0x") {
		return strings.Trim(text[2:], "0") != ""
	}
	n, err := strconv.ParseFloat(text, 64)
	return err == nil && (n >= 1 || n > 0 && !whole)
}

// depths says of each token within how many parentheses, CASE ... END and
// BETWEEN ... AND it stands. What opens and closes them stands outside, except
// for that AND.
func (r *reading) depths(expr []token) []int {
	list := make([]int, len(expr))
	var open []string
	for i, t := range expr {
		text := t.text(r.sql)
		if t.kind == tokenWord {
			text = strings.ToUpper(text)
		}
		innermost := ""
		if len(open) > 0 {
			innermost = open[len(open)-1]
		}
		list[i] = len(open)
		if text == innermost && (t.kind == tokenWord || t.kind == tokenPunct) {
			open = open[:len(open)-1]
			if text != "AND" { // that one is no operator
				list[i]--
			}
		}
		switch {
		case t.isPunct(r.sql, "("):
			open = append(open, ")")
		case t.isWord(r.sql, "CASE"):
			open = append(open, "END")
		case t.isWord(r.sql, "BETWEEN"):
			open = append(open, "AND")
		}
	}
	return list
}

// split cuts an expression at operators that have something on both sides.
func (r *reading) split(expr []token, operators ...string) [][]token {
	var parts [][]token
	start := 0
	for i, depth := range r.depths(expr) {
		if depth == 0 && r.isOperator(expr, i, operators...) {
			parts = append(parts, expr[start:i])
			start = i + 1
		}
	}
	return append(parts, expr[start:])
}

// last is the place of the last token outside parentheses that is one, or -1.
func (r *reading) last(expr []token, is func([]token, int) bool) int {
	depths := r.depths(expr)
	for i := range slices.Backward(expr) {
		if depths[i] == 0 && is(expr, i) {
			return i
		}
	}
	return -1
}

// isOperator reports whether token i is one of the operators and no sign.
func (r *reading) isOperator(expr []token, i int, operators ...string) bool {
	t := expr[i]
	return (t.kind == tokenWord || t.kind == tokenPunct) && slices.Contains(operators, strings.ToUpper(t.text(r.sql))) && i > 0 && r.endsOperand(expr[i-1])
}

// isTest reports whether token i is an operator that binds like =.
func (r *reading) isTest(expr []token, i int) bool {
	return r.isOperator(expr, i, "=", "==", "<>", "!=", "IS", "ISNULL", "NOTNULL", "NOT", "IN", "LIKE", "GLOB", "REGEXP", "MATCH", "BETWEEN")
}

// operatorWords are the words after which an operand has to follow.
var operatorWords = wordSet("AND BETWEEN COLLATE DISTINCT ELSE ESCAPE FROM GLOB IN IS LIKE MATCH NOT OR REGEXP THEN WHEN")

// endsOperand reports whether an operator may follow t.
func (r *reading) endsOperand(t token) bool {
	if t.kind == tokenPunct {
		return t.isPunct(r.sql, ")")
	}
	return t.kind != tokenWord || !operatorWords[strings.ToUpper(t.text(r.sql))]
}
