package codegen

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// sqlc counts characters where it means bytes, so in a file that holds
// characters of several bytes it cuts each statement out too early: text of
// the statement before stands in front, and its own end is missing. It also
// leaves some named parameters as they are. Names and types come from its
// parse tree and are right all the same, and the statement itself is taken
// from the source here, so such a query is sound; the report says what sqlc's
// own output would run. It is not sound where the text that sqlc cut out bears
// the annotation of another query: that is refused.

// damage says what is wrong with the text that sqlc made of a query, or is
// empty.
func damage(q *query) string {
	if q.Text == "" || q.src.stub {
		return ""
	}
	got, want := significant(lex(q.Text)), significant(q.src.body)
	if len(got) == 0 {
		return "nothing but comments"
	}
	src := q.src.file.text
	switch first, last := got[0].text(q.Text), got[len(got)-1].text(q.Text); {
	case first == ";":
		return "a stray semicolon in front"
	case !strings.EqualFold(first, want[0].text(src)):
		return "text of another statement in front"
	case !sameEnd(q, last, want[len(want)-1].text(src)):
		return "the end is missing after " + last
	}
	for _, t := range got {
		if t.kind == tokenParam && t.text(q.Text)[0] == '@' {
			return t.text(q.Text) + " is left in it"
		}
	}
	return ""
}

// sameEnd compares the last tokens of sqlc's text and of the source. A
// parameter, a wildcard or sqlc.embed at the end is written otherwise by sqlc.
func sameEnd(q *query, got, want string) bool {
	if strings.EqualFold(got, want) || want == "*" {
		return true
	}
	if want == ")" && len(q.stmt.pieces) > 0 { // sqlc.arg(x)
		last := q.stmt.pieces[len(q.stmt.pieces)-1]
		return strings.HasPrefix(last.text, "?") || last.star != nil
	}
	return strings.ContainsAny(want[:1], "?@:$") && strings.HasPrefix(got, "?")
}

// noteDamage reports what sqlc did to the text of a query.
func (g *generator) noteDamage(q *query) {
	if what := damage(q); what != "" {
		g.note(q.src, "sqlc's own text of it is damaged ("+what+"); this one is taken from the source")
	}
}

// misread finds the queries of a file that sqlc takes for others, or loses,
// because of characters of several bytes before them.
func misread(f *sourceFile, queries []*sourceQuery) []problem {
	if len(f.text) == utf8.RuneCountInString(f.text) {
		return nil
	}
	var problems []problem
	start := 0 // of the statement in characters, as sqlc counts
	tokens := lex(f.text)
	for len(tokens) > 0 {
		n := statementEnd(f.text, tokens)
		statement := tokens[:n]
		tokens = tokens[n:]
		q := queryAt(queries, statement)
		last := -1
		for _, t := range statement {
			if !t.isSpace() && !t.isPunct(f.text, ";") {
				last = t.end
			}
		}
		if last < 0 {
			continue
		}
		end := utf8.RuneCountInString(f.text[:last])
		if q != nil && end <= len(f.text) {
			if name := firstName(f.text[min(start, end):end]); name != q.name {
				what := "loses it"
				if name != "" {
					what = "calls it " + name
				}
				problems = append(problems, q.problem(q.at, "sqlc %s, because characters of several bytes stand before it in the file "+
					"(%s); write that file in ASCII", what, firstWide(f)))
			}
		}
		start = end + 1
	}
	return problems
}

// queryAt returns the query whose body lies in a statement.
func queryAt(queries []*sourceQuery, statement []token) *sourceQuery {
	for _, q := range queries {
		if q.body[0].start >= statement[0].start && q.body[0].start < statement[len(statement)-1].end {
			return q
		}
	}
	return nil
}

var namedLine = regexp.MustCompile(`(?m)^(?:--|/\*) name: ([^ \n]+) :[a-z]+`)

// firstName is the name that sqlc reads off a text.
func firstName(text string) string {
	if m := namedLine.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// firstWide says where the first character of several bytes is.
func firstWide(f *sourceFile) string {
	for i, r := range strings.TrimPrefix(f.text, "\uFEFF") {
		if r >= utf8.RuneSelf {
			line, column := f.position(i + len(f.text) - len(strings.TrimPrefix(f.text, "\uFEFF")))
			return fmt.Sprintf("the first is %q in line %d, column %d", r, line, column)
		}
	}
	return "a byte order mark"
}
