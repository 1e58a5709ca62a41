package codegen

import (
	"context"
	"slices"
	"strings"

	"github.com/lidodb/lido/internal/timeform"
)

// ordering are the operators that compare.
var ordering = []string{"<", ">", "<=", ">=", "=", "==", "<>", "!="}

// compareClocks reports where a statement compares a column of times with the
// engine's time of day in another form: an integer is less than any text.
func (g *generator) compareClocks(ctx context.Context, columns map[string]*timeColumn) {
	for _, q := range g.queries {
		src, body := q.src.file.text, significant(q.src.body)
		for i := 0; i < len(body); i++ {
			end := clockEnd(src, body, i)
			if end == i {
				continue
			}
			form, ok := g.engine.clockForm(ctx, src, body[i:end])
			if !ok {
				continue
			}
			if at, col := g.comparedColumn(q, body, i, end, columns); col != nil {
				g.judgeComparison(q, body[at], col, src[body[i].start:body[end-1].end], form)
			}
			i = end - 1
		}
	}
}

// clockEnd is where an expression of the time of day that begins at i ends; i
// if none does.
func clockEnd(src string, body []token, i int) int {
	word := strings.ToUpper(body[i].text(src))
	switch {
	case body[i].kind != tokenWord:
		return i
	case strings.HasPrefix(word, "CURRENT_"):
		return i + 1
	case i+1 < len(body) && body[i+1].isPunct(src, "(") && slices.Contains([]string{"DATE", "TIME", "DATETIME", "STRFTIME", "UNIXEPOCH", "JULIANDAY"}, word):
		a := assigner{src: src, body: body}
		return min(a.closing(i+1)+1, len(body))
	}
	return i
}

// comparedColumn is the column of times on the other side of an operator next
// to body[start:end], and the place of the operator.
func (g *generator) comparedColumn(q *query, body []token, start, end int, columns map[string]*timeColumn) (operator int, col *timeColumn) {
	src := q.src.file.text
	find := func(table, name string) *timeColumn {
		for alias, base := range g.engine.aliases(q.src) {
			if table != "" && !strings.EqualFold(alias, table) {
				continue
			}
			if c := columns[strings.ToLower(base+"."+name)]; c != nil {
				return c
			}
		}
		return nil
	}
	isOperator := func(i int) bool {
		return i >= 0 && i < len(body) && slices.Contains(ordering, body[i].text(src))
	}
	named := func(i int) string {
		if i < 0 || i >= len(body) {
			return ""
		}
		name, _ := body[i].name(src)
		return name
	}
	if at := start - 1; isOperator(at) && named(at-1) != "" {
		table := ""
		if at >= 3 && body[at-2].isPunct(src, ".") {
			table = named(at - 3)
		}
		if set := at - 2; table == "" && (set >= 0 && (body[set].isWord(src, "SET") || body[set].isPunct(src, ","))) {
			return 0, nil // an assignment
		}
		return at, find(table, named(at-1))
	}
	if isOperator(end) && named(end+1) != "" {
		if end+3 < len(body) && body[end+2].isPunct(src, ".") {
			return end, find(named(end+1), named(end+3))
		}
		return end, find("", named(end+1))
	}
	return 0, nil
}

// alike are forms of text that agree as far as the shorter goes, so that they
// are in order beside each other: a day, a second, a fraction of one.
var alike = map[string][]string{
	timeform.Lido:        {timeform.DateTime, "day", "sqlite_fraction"},
	timeform.DateTime:    {"day", "sqlite_fraction"},
	timeform.Mattn:       {timeform.DateTime, "day", "sqlite_fraction"},
	timeform.RFC3339Nano: {"day"},
}

func (g *generator) judgeComparison(q *query, operator token, c *timeColumn, clock, form string) {
	chosen, decided := g.opts.TimeFormat.chosen(&Column{Name: c.column, Table: &Identifier{Name: c.table}}, g.defaultSchema())
	op := operator.text(q.src.file.text)
	inOrder := op != "<>" && strings.ContainsAny(op[:1], "<>")
	if form == chosen || inOrder && slices.Contains(alike[chosen], form) {
		return
	}
	if len(c.engine) == 0 && !decided && len(c.stored) == 0 {
		return // it is not known what the column holds
	}
	if form == timeform.Other {
		form = "of no known form"
	}
	p := q.src.problem(operator.start, "%s.%s holds times as %s and %s is %s, so they do not compare; compare the column with a parameter, or with an expression of its form",
		c.table, c.column, chosen, clock, form)
	if g.opts.StrictTypes {
		g.problems = append(g.problems, p)
	} else {
		g.notes = append(g.notes, p)
	}
}
