package codegen

import (
	"fmt"
	"strconv"
	"strings"
)

// statement is a query's text as the engine gets it, still in pieces so that
// an offset in it can be traced back to the source.
type statement struct {
	query  *sourceQuery
	pieces []piece
	params []param  // in the order of sqlc's parameters; ?1 is the first
	embeds []string // the names given to sqlc.embed, in order
}

// piece is a part of a statement and the source offset it comes from.
type piece struct {
	text string
	at   int
	star *star // set for "*", "t.*" and sqlc.embed(t) in a list of results
}

// star is a wildcard among the results of a statement.
type star struct {
	table string // "t" of "t.*", with its quotes; empty for a bare "*"
	item  int    // its place in the list of results
	items int    // how many the list holds
}

// param is one parameter of a statement.
type param struct {
	Parameter
	at       int    // where it first stands in the source
	slice    bool   // given with sqlc.slice
	nullable bool   // given with sqlc.narg
	lost     string // its name in the source, where sqlc has lost it
}

// sql returns the whole text.
func (s *statement) sql() string {
	var b strings.Builder
	for _, p := range s.pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

// sourceOffset traces an offset in the text back to the source.
func (s *statement) sourceOffset(offset int) int {
	text := s.query.file.text
	for _, p := range s.pieces {
		if offset < len(p.text) {
			if strings.HasPrefix(text[p.at:], p.text) {
				return p.at + offset
			}
			return p.at
		}
		offset -= len(p.text)
	}
	return s.query.body[len(s.query.body)-1].end
}

// use is one place in a statement where a parameter stands.
type use struct {
	name     string // empty for ?
	number   int    // of ?2, else 0
	slice    bool
	nullable bool
	at       int
}

// expander walks the tokens of a query.
type expander struct {
	query    *sourceQuery
	pieces   []piece
	uses     []use
	useAt    []int // for each use, its piece
	embeds   []string
	problems []problem
}

// expand turns a query's own text into the statement for the engine: comments
// go, sqlc.* and every kind of parameter become ?1, ?2 and so on, numbered in
// the order in which sqlc lists the parameters.
//
// sliceType says of which Go type a slice is.
func expand(q *sourceQuery, params []*Parameter, sliceType func(*param) string) (*statement, []problem) {
	e := &expander{query: q}
	e.walk()
	if len(e.problems) > 0 {
		return nil, e.problems
	}
	s := &statement{query: q, pieces: e.pieces, embeds: e.embeds}
	index := e.match(s, params)
	if len(e.problems) > 0 {
		return nil, e.problems
	}
	for i, u := range e.uses {
		text := "?" + strconv.Itoa(index[i]+1)
		if u.slice {
			value := elementOf(sliceType(&s.params[index[i]]))
			text = "SELECT " + value + " FROM json_each(" + text + ")"
		}
		s.pieces[e.useAt[i]].text = text
	}
	return s, nil
}

// elementOf is the SQL that turns a row of json_each back into an element of a
// slice; see lido.BindSlice. The elements have no affinity then, as in a list
// of parameters: a text column finds the number 5 as '5'.
//
// https://www.sqlite.org/datatype3.html#comparison_expressions
func elementOf(sliceType string) string {
	element := strings.TrimPrefix(sliceType, "[]")
	if element == "[]byte" {
		return "unhex(value)"
	}
	_, plain := plainTypes[element]
	_, null := nullTypes[element]
	if element != anyType && (plain || null) {
		return "+value"
	}
	return "CASE type WHEN 'object' THEN unhex(value ->> 'blob') ELSE value END" // may be a blob
}

// walk fills in the pieces and collects the uses of parameters.
func (e *expander) walk() {
	src, body := e.query.file.text, e.query.body
	for i := 0; i < len(body); i++ {
		t := body[i]
		switch {
		case t.isSpace():
			e.space(&i)
		case t.kind == tokenParam:
			e.param(t)
		case t.isWord(src, "sqlc") && e.is(e.next(i+1), "."):
			i = e.call(i)
		default:
			e.pieces = append(e.pieces, piece{text: t.text(src), at: t.start})
		}
	}
	e.findStars()
}

// space writes one gap between tokens: a line break with the indentation that
// follows it, or a blank.
func (e *expander) space(i *int) {
	src, body := e.query.file.text, e.query.body
	start := body[*i].start
	gap := ""
	for ; *i < len(body) && body[*i].isSpace(); *i++ {
		if body[*i].kind == tokenSpace {
			gap += body[*i].text(src)
		}
	}
	*i--
	if n := strings.LastIndexByte(gap, '\n'); n >= 0 {
		gap = "\n" + strings.TrimRight(gap[n+1:], "\r")
	} else {
		gap = " "
	}
	e.pieces = append(e.pieces, piece{text: gap, at: start})
}

// is reports whether body token i is the punctuation p.
func (e *expander) is(i int, p string) bool {
	return i >= 0 && i < len(e.query.body) && e.query.body[i].isPunct(e.query.file.text, p)
}

// next returns the index of the first significant token from i on.
func (e *expander) next(i int) int {
	for i < len(e.query.body) && e.query.body[i].isSpace() {
		i++
	}
	return i
}

func (e *expander) addUse(u use, text string) {
	e.uses = append(e.uses, u)
	e.useAt = append(e.useAt, len(e.pieces))
	e.pieces = append(e.pieces, piece{text: text, at: u.at})
}

func (e *expander) param(t token) {
	text := t.text(e.query.file.text)
	u := use{at: t.start}
	if text[0] != '?' {
		u.name = text[1:]
	} else if len(text) > 1 {
		n, err := strconv.Atoi(text[1:])
		if err != nil || n < 1 || n > 32766 {
			e.fail(t.start, "%s: parameters are numbered from ?1 to ?32766", text)
			return
		}
		u.number = n
	}
	e.addUse(u, text)
}

// call reads sqlc.arg(x) and its kin at i and returns the index of its last
// token.
func (e *expander) call(i int) int {
	q := e.query
	at := q.body[i].start
	fn := e.next(e.next(i+1) + 1)
	open := e.next(fn + 1)
	arg := e.next(open + 1)
	end := e.next(arg + 1)
	table, qualified := "", -1
	if e.is(end, ".") && e.next(end+1) < len(q.body) { // sqlc.embed(schema.table)
		last := e.next(end + 1)
		qualified = last
		table = q.text(arg) + "." + q.text(last)
		end = e.next(last + 1)
	}
	if !e.is(open, "(") || !e.is(end, ")") {
		e.fail(at, "sqlc.%s takes one name in parentheses", q.text(min(fn, len(q.body)-1)))
		return len(q.body)
	}
	name, ok := q.body[arg].name(q.file.text)
	if q.body[arg].kind == tokenString {
		name, ok = unquoteName(q.text(arg)), true
	}
	if !ok || name == "" {
		e.fail(q.body[arg].start, "sqlc.%s takes a name, not %s", q.text(fn), q.text(arg))
		return end
	}
	switch what := strings.ToLower(q.text(fn)); what {
	case "arg", "narg":
		e.addUse(use{name: name, nullable: what == "narg", at: at}, "")
	case "slice":
		if !e.aloneInParentheses(i, end) {
			e.fail(at, "sqlc.slice(%s) stands alone in parentheses: IN (sqlc.slice(%s))", name, name)
		}
		e.addUse(use{name: name, slice: true, at: at}, "")
	case "embed":
		if qualified >= 0 {
			name, _ = q.body[qualified].name(q.file.text)
		} else {
			table = q.text(arg)
			if q.body[arg].kind == tokenString {
				table = quoteName(name)
			}
		}
		e.embeds = append(e.embeds, name)
		e.pieces = append(e.pieces, piece{text: table + ".*", at: at, star: &star{table: table}})
	default:
		e.fail(at, "there is no sqlc.%s; known are sqlc.arg, sqlc.narg, sqlc.slice and sqlc.embed", q.text(fn))
	}
	return end
}

// aloneInParentheses reports whether tokens i to end are all that a pair of
// parentheses holds.
func (e *expander) aloneInParentheses(i, end int) bool {
	before := i - 1
	for before >= 0 && e.query.body[before].isSpace() {
		before--
	}
	return e.is(before, "(") && e.is(e.next(end+1), ")")
}

func (e *expander) fail(at int, format string, args ...any) {
	e.problems = append(e.problems, e.query.problem(at, format, args...))
}

func (u use) String() string {
	switch {
	case u.slice:
		return "sqlc.slice(" + u.name + ")"
	case u.name != "":
		return u.name
	case u.number > 0:
		return "?" + strconv.Itoa(u.number)
	}
	return "?"
}

func listParams(params []*Parameter) string {
	if len(params) == 0 {
		return "none"
	}
	var list []string
	for _, p := range params {
		name := p.Column.Name
		if name == "" {
			name = "?"
		}
		list = append(list, fmt.Sprintf("%d %s", p.Number, name))
	}
	return strings.Join(list, ", ")
}
