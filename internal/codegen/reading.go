package codegen

import (
	"maps"
	"slices"
	"strings"
)

// reading looks at the expressions that make up the results of one statement.
// Where anything stands between a column and the result that it does not see
// through (a WITH, a subquery in FROM, a view), it knows nothing.
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
	next     *reading // of the next SELECT of a compound
}

// read takes a statement apart, once its wildcards are written out.
func (g *generator) read(q *query) *reading {
	sql := q.stmt.sql()
	tokens := significant(lex(sql))
	if returns(q.src) {
		r := g.readSelect(q, sql, tokens)
		r.lone, r.optional = false, nil // what was written, whatever it was made of
		return r.checked()
	}
	depth, start := 0, 0
	var first, last *reading
	adds := true // EXCEPT and INTERSECT only take away
	for i := 0; i <= len(tokens); i++ {
		switch {
		case i == len(tokens):
		case tokens[i].isPunct(sql, "("):
			depth++
			continue
		case tokens[i].isPunct(sql, ")"):
			depth--
			continue
		case depth != 0 || !tokens[i].isWord(sql, "UNION") && !tokens[i].isWord(sql, "EXCEPT") && !tokens[i].isWord(sql, "INTERSECT"):
			continue
		}
		switch {
		case first == nil:
			first = g.readSelect(q, sql, tokens[start:i]).checked()
			last = first
		case adds:
			last.next = g.readSelect(q, sql, tokens[start:i]).checked()
			last = last.next
		}
		start = i + 1
		adds = i < len(tokens) && tokens[i].isWord(sql, "UNION")
	}
	return first
}

// readSelect reads one SELECT of a compound, one that stands in an expression,
// or the whole statement.
func (g *generator) readSelect(q *query, sql string, tokens []token) *reading {
	r := &reading{g: g, q: q, sql: sql}
	r.items = resultItems(r.sql, tokens)
	outer, sources := outermost(r.sql, tokens)
	r.aliases, r.optional = g.engine.aliasesIn(sql, outer), optionalTables(sql, outer)
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

// checked drops the results where the engine counts others.
func (r *reading) checked() *reading {
	if len(r.items) != len(r.q.facts.results) {
		r.items = nil
	}
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
// aliases.
func resultItems(sql string, tokens []token) [][]token {
	depth, from := 0, -1
	for i, t := range tokens {
		switch {
		case t.isPunct(sql, "("):
			depth++
		case t.isPunct(sql, ")"):
			depth--
		case depth != 0:
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
	if last.kind == tokenWord && sqlKeywords[strings.ToUpper(last.text(sql))] {
		return item // END, NULL, NOTNULL
	}
	if before.isPunct(sql, ")") || before.kind == tokenNumber || before.kind == tokenString || before.kind == tokenBlob || before.kind == tokenParam ||
		before.isWord(sql, "END") || before.isWord(sql, "NULL") || before.isWord(sql, "ISNULL") || before.isWord(sql, "NOTNULL") ||
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
