package codegen

import (
	"slices"
	"strings"
)

// A wildcard among the results is written out, column by column, so that code
// which reads results by position keeps reading the right ones after a later
// migration has added a column. The engine says what a wildcard stands for,
// and the statement that is written out is only taken when the engine answers
// the same names from the same places as before.

// findStars marks the wildcards of the list of results. In a compound SELECT
// they stay, because the arms must agree.
func (e *expander) findStars() {
	from, to := e.resultList()
	for i := range e.pieces {
		if i < from || i >= to {
			e.pieces[i].star = nil
		}
	}
	depth, item := 0, 0
	for i := from; i < to; i++ {
		p := &e.pieces[i]
		switch p.text {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth != 0 {
			continue
		}
		if p.text == "," {
			item++
		}
		if p.star != nil {
			p.star.item = item
		}
		if p.text != "*" {
			continue
		}
		prev := e.significant(i - 1)
		switch {
		case prev >= from && e.pieces[prev].text == ".":
			name := e.significant(prev - 1)
			if name < from {
				continue
			}
			table := e.pieces[name].text
			e.pieces[name].text = table + ".*"
			e.pieces[name].star = &star{table: table, item: item}
			for j := name + 1; j <= i; j++ {
				e.pieces[j].text = ""
			}
		case prev < from || e.pieces[prev].text == "," ||
			slices.Contains([]string{"SELECT", "DISTINCT", "ALL", "RETURNING"}, strings.ToUpper(e.pieces[prev].text)):
			p.star = &star{item: item}
		}
	}
	for i := range e.pieces {
		if e.pieces[i].star != nil {
			e.pieces[i].star.items = item + 1
		}
	}
}

// significant returns the index of the last piece up to i that is not blank.
func (e *expander) significant(i int) int {
	for i >= 0 && strings.TrimSpace(e.pieces[i].text) == "" {
		i--
	}
	return i
}

// resultList returns which pieces list the results, or nothing.
func (e *expander) resultList() (from, to int) {
	depth, selects, verb := 0, 0, ""
	for i, p := range e.pieces {
		word := strings.ToUpper(p.text)
		switch {
		case word == "(":
			depth++
		case word == ")":
			depth--
		case depth != 0:
		case word == "RETURNING":
			return i + 1, len(e.pieces)
		case slices.Contains([]string{"INSERT", "REPLACE", "UPDATE", "DELETE", "VALUES"}, word) && verb == "":
			verb = word
		case word == "SELECT":
			if verb == "" {
				verb = word
			}
			selects++
			if selects == 1 {
				from, to = i+1, len(e.pieces)
			}
		case word == "FROM" && selects == 1 && to == len(e.pieces):
			to = i
		}
	}
	if verb != "SELECT" || selects != 1 {
		return 0, 0
	}
	return from, to
}

// narrowStar writes out the one wildcard of s as the columns that sqlc knows,
// where the engine knows more: sqlc does not see that a view with a wildcard
// of its own grows with its table.
func narrowStar(s *statement, columns []*Column, results func(sql string) ([]result, bool)) bool {
	at, items := -1, 0
	for i, p := range s.pieces {
		if p.star != nil {
			at = i
			items++
		}
	}
	if items != 1 {
		return false
	}
	probe := &statement{query: s.query, pieces: slices.Clone(s.pieces)}
	probe.pieces[at].text = "NULL"
	got, ok := results(probe.sql())
	first, width := s.pieces[at].star.item, len(columns)-len(got)+1
	if !ok || first < 0 || width < 1 || first+width > len(columns) {
		return false
	}
	var names []string
	for _, c := range columns[first : first+width] {
		name := quoteName(c.Name)
		if t := s.pieces[at].star.table; t != "" {
			name = t + "." + name
		}
		names = append(names, name)
	}
	probe.pieces[at].text = strings.Join(names, ", ")
	if got, ok := results(probe.sql()); !ok || len(got) != len(columns) {
		return false
	}
	s.pieces = probe.pieces
	s.pieces[at].star = nil
	return true
}

// result is one column of a prepared statement: its name and where it is from.
type result struct {
	name                    string
	declared                string // type in the schema, empty for an expression
	database, table, column string
}

// writeOutStars replaces the wildcards of s where that provably changes
// nothing. results prepares a text and returns its columns. It reports whether
// every wildcard is gone.
func writeOutStars(s *statement, results func(sql string) ([]result, bool)) bool {
	var stars []int
	for i, p := range s.pieces {
		if p.star != nil {
			stars = append(stars, i)
		}
	}
	if len(stars) == 0 {
		return true
	}
	want, ok := results(s.sql())
	if !ok {
		return false
	}
	widths := make(map[int]int)
	for _, i := range stars {
		probe := &statement{query: s.query, pieces: slices.Clone(s.pieces)}
		probe.pieces[i].text = "NULL"
		got, ok := results(probe.sql())
		if !ok {
			return false
		}
		widths[i] = len(want) - len(got) + 1
	}
	out := &statement{query: s.query, pieces: slices.Clone(s.pieces)}
	for n, i := range stars {
		first := s.pieces[i].star.item - n // of the columns that the star stands for
		for _, j := range stars[:n] {
			first += widths[j]
		}
		if first < 0 || widths[i] < 1 || first+widths[i] > len(want) {
			return false
		}
		var names []string
		for _, r := range want[first : first+widths[i]] {
			name := quoteName(r.name)
			if t := s.pieces[i].star.table; t != "" {
				name = t + "." + name
			}
			names = append(names, name)
		}
		out.pieces[i].text = strings.Join(names, ", ")
	}
	if got, ok := results(out.sql()); !ok || !slices.Equal(got, want) {
		return false
	}
	s.pieces = out.pieces
	return true
}
