package codegen

import (
	"fmt"
	"slices"
	"strings"
)

// sqlc makes a query of each statement that has a name, and drops in silence
// what has none and names that have no statement. What a query file holds is
// meant to run, so each of them is an error.

// strays finds the statements of a query file that have no name, and the names
// that have no statement. In a file that is a schema file too, statements that
// a schema can hold need none.
func strays(f *sourceFile, schema bool) []problem {
	var problems []problem
	report := func(offset int, name, format string, args ...any) {
		problems = append(problems, problem{f, offset, name, fmt.Sprintf(format, args...)})
	}
	last := "" // the query before
	tokens := lex(f.text)
	for len(tokens) > 0 {
		n := statementEnd(f.text, tokens)
		names, first := annotations(f, tokens[:n])
		switch {
		case len(names) == 0 && first == nil:
		case len(names) == 0 && schema && belongsInSchema(f.text, *first):
		case len(names) == 0 && last == "":
			report(first.start, "", `no name stands above this statement, so nothing could run it; write "-- name: Name :command" there, or move it into the schema`)
		case len(names) == 0:
			report(first.start, last, `a second statement stands under this name, and only the first would run; write "-- name: Name :command" above the second, or take it out`)
		case first == nil:
			report(names[0].at, names[0].name, "no statement follows this name")
		default:
			for _, other := range names[1:] {
				report(other.at, other.name, "the statement is called %s already; end the one before with a semicolon, or take out one of the names", names[0].name)
			}
		}
		if len(names) > 0 {
			last = names[0].name
		}
		tokens = tokens[n:]
	}
	return problems
}

// annotations are the names that stand with a statement, and the statement's
// first token, or nil where there is none.
func annotations(f *sourceFile, tokens []token) (names []*sourceQuery, first *token) {
	for i, t := range tokens {
		if !t.isSpace() && !t.isPunct(f.text, ";") {
			if first == nil {
				first = &tokens[i]
			}
		} else if q := f.annotation(t); q != nil {
			names = append(names, q)
		}
	}
	return names, first
}

// belongsInSchema reports whether a statement that begins with t has a use in a
// schema.
func belongsInSchema(src string, t token) bool {
	return !slices.Contains([]string{"SELECT", "VALUES", "WITH", "UPDATE", "DELETE"}, strings.ToUpper(t.text(src)))
}
