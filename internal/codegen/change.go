package codegen

import (
	"fmt"
	"strings"
)

// noteStrict reports what strict types would change in a query, without them:
// the places where sqlc's types are wider than need be, and those where a NULL
// could come that they do not allow for.
func (g *generator) noteStrict(q *query) {
	if g.opts.StrictTypes || q.unchecked {
		return
	}
	var changes []string
	change := func(what, name, from, to string) {
		if from != to {
			changes = append(changes, fmt.Sprintf("%s %s %s, not %s", what, name, to, from))
		}
	}
	for i := range q.stmt.params {
		p := &q.stmt.params[i]
		name := p.Column.Name
		if name == "" {
			name = fmt.Sprint(p.Number)
		}
		change("parameter", name, g.paramType(q, p), g.strictParam(q, p))
	}
	at, embed := 0, 0
	for n, col := range q.Columns {
		if !q.returnsRows() {
			break
		}
		if m := g.modelOf(col.EmbedTable); col.EmbedTable != nil && m != nil {
			if g.optionalEmbed(q, embed) {
				change("result", m.name, m.name, "*"+m.name)
			}
			at += len(m.fields)
			embed++
			continue
		}
		change("result", columnName(col.Name, n), g.goType(col), g.strictType(q, n, at))
		at++
	}
	if len(changes) > 0 {
		g.note(q.src, "strict_types would make "+strings.Join(changes, "; "))
	}
}
