package codegen

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// completeChecks checks the options that say how much is checked.
func (o *options) completeChecks() error {
	setDefault(&o.Verify, "error")
	setDefault(&o.Plan, "warn")
	for _, c := range []struct{ name, value string }{{"verify", o.Verify}, {"plan", o.Plan}} {
		if !slices.Contains([]string{"error", "warn", "off"}, c.value) {
			return fmt.Errorf("option %q is %q; it is one of error, warn, off", c.name, c.value)
		}
	}
	if o.Verify == "off" && o.StrictTypes {
		return fmt.Errorf(`option "verify" is "off" and "strict_types" is true; strict types are what the engine says`)
	}
	if o.Verify == "off" && o.Plans != "" {
		return fmt.Errorf(`option "verify" is "off" and "plans" is %q; plans are what the engine says`, o.Plans)
	}
	if o.Plans != "" && !filepath.IsLocal(o.Plans) { // sqlc writes nowhere else
		return fmt.Errorf("option \"plans\" is %q; give a path inside the output folder", o.Plans)
	}
	if _, err := matchesAny(o.SqlcOnly, "x"); err != nil {
		return fmt.Errorf("option \"sqlc_only\": %w", err)
	}
	return nil
}

// proof is how far a query was proved.
type proof struct {
	plan      []step
	reading   *reading
	unchecked bool // no engine has seen the statement
}

// hasFlag reports whether a comment line of the query starts with the flag.
func (q *sourceQuery) hasFlag(flag string) bool {
	return slices.ContainsFunc(q.flags, func(f string) bool {
		word, _, _ := strings.Cut(f, " ")
		return word == flag
	})
}

// leaveUnchecked takes a query as sqlc sees it, without the engine's proof.
//
// A statement that only selects goes to the readers all the same: they are
// opened so that they cannot write, whatever a statement turns out to be.
func (g *generator) leaveUnchecked(q *query) {
	q.unchecked = true
	q.facts = facts{readOnly: selects(q.src), params: len(q.stmt.params)}
	for range g.width(q.Columns) {
		q.facts.results = append(q.facts.results, result{})
	}
	g.writeOutFromSqlc(q)
}

// selects reports whether a statement's verb is SELECT or VALUES.
func selects(q *sourceQuery) bool {
	depth := 0
	for i, t := range q.body {
		switch {
		case t.isPunct(q.file.text, "("):
			depth++
		case t.isPunct(q.file.text, ")"):
			depth--
		case t.kind == tokenWord && depth == 0:
			switch strings.ToUpper(q.text(i)) {
			case "SELECT", "VALUES":
				return true
			case "INSERT", "REPLACE", "UPDATE", "DELETE":
				return false
			}
		}
	}
	return false
}

// returns reports whether a statement has a RETURNING clause.
func returns(q *sourceQuery) bool {
	return slices.ContainsFunc(q.body, func(t token) bool { return t.isWord(q.file.text, "RETURNING") })
}

// writeOutFromSqlc replaces wildcards by the columns that sqlc has found, as
// far as their number leaves no doubt.
func (g *generator) writeOutFromSqlc(q *query) {
	var stars []int
	for i, p := range q.stmt.pieces {
		if p.star != nil {
			stars = append(stars, i)
		}
	}
	embeds := 0
	for _, c := range q.Columns {
		if c.EmbedTable != nil {
			embeds++
		}
	}
	if len(stars) == 0 {
		return
	}
	if embeds != len(stars) && (embeds > 0 || len(stars) > 1) {
		g.note(q.src, "* stays as it is, because no engine has said what it stands for")
		return
	}
	if embeds == 0 { // one wildcard among items of one column each
		p := &q.stmt.pieces[stars[0]]
		width := len(q.Columns) - p.star.items + 1
		if p.star.item+width > len(q.Columns) || width < 1 {
			return
		}
		var names []string
		for _, c := range q.Columns[p.star.item : p.star.item+width] {
			names = append(names, qualified(p.star.table, c.Name))
		}
		p.text, p.star = strings.Join(names, ", "), nil
		return
	}
	n := 0
	for _, c := range q.Columns {
		if c.EmbedTable == nil {
			continue
		}
		p := &q.stmt.pieces[stars[n]]
		n++
		if m := g.modelOf(c.EmbedTable); m != nil {
			var names []string
			for _, f := range m.fields {
				names = append(names, qualified(p.star.table, f.dbName))
			}
			p.text, p.star = strings.Join(names, ", "), nil
		}
	}
}

func qualified(table, column string) string {
	if table == "" {
		return quoteName(column)
	}
	return table + "." + quoteName(column)
}
