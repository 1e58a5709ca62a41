package codegen

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lidodb/lido/sqlite"
)

// The plan gate looks at what EXPLAIN QUERY PLAN says of each statement and
// reports what grows with a table: reading it from end to end, and sorting or
// indexing it in a temporary b-tree. A comment line "-- @scan" approves that.
// Rows that are not a table's are nobody's concern: constants, literal lists,
// the results of a WITH or a subquery, table-valued functions.
//
// https://www.sqlite.org/eqp.html

// step is one line of a plan.
type step struct {
	id, parent int
	detail     string
}

// plan asks the engine for the plan of a statement.
func (e *engine) plan(ctx context.Context, sql string) ([]step, error) {
	rows, err := e.strings(ctx, "EXPLAIN QUERY PLAN "+sql, 4)
	if err != nil {
		return nil, err
	}
	var steps []step
	for _, row := range rows {
		s := step{detail: row[3]}
		if s.id, err = strconv.Atoi(row[0]); err != nil {
			return nil, err
		}
		if s.parent, err = strconv.Atoi(row[1]); err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// planText writes a plan as a tree, one line a step.
func planText(steps []step, indent string) string {
	var b strings.Builder
	depth := map[int]int{}
	for _, s := range steps {
		if d, ok := depth[s.parent]; ok {
			depth[s.id] = d + 1
		} else {
			depth[s.id] = 0
		}
		fmt.Fprintf(&b, "%s%s%s\n", indent, strings.Repeat("  ", depth[s.id]), s.detail)
	}
	return b.String()
}

// costs are what a plan does that grows with a table, in words.
func (e *engine) costs(steps []step, aliases map[string]string) []string {
	p := &planReader{engine: e, aliases: aliases, made: map[string]bool{}, tables: map[int][]string{}}
	for _, s := range steps {
		for _, verb := range []string{"CO-ROUTINE ", "MATERIALIZE "} {
			if name, ok := strings.CutPrefix(s.detail, verb); ok {
				p.made[strings.ToLower(name)] = true
			}
		}
	}
	for _, s := range steps {
		p.loop(s)
	}
	for _, s := range steps {
		p.sort(s, steps)
	}
	return p.costs
}

// constantRows is what the engine says it scans where no table is read.
var constantRows = regexp.MustCompile(`(CONSTANT ROWS?|-ROW VALUES CLAUSE)$`)

// planReader goes through the steps of one plan.
type planReader struct {
	engine  *engine
	aliases map[string]string
	made    map[string]bool  // names that the plan itself makes: subqueries and the like
	tables  map[int][]string // for each step, the tables below it of which many rows are read
	costs   []string
}

func (p *planReader) add(cost string) {
	if !slices.Contains(p.costs, cost) {
		p.costs = append(p.costs, cost)
	}
}

// loop looks at a step that reads a table.
func (p *planReader) loop(s step) {
	verb, rest, _ := strings.Cut(s.detail, " ")
	if verb == "BLOOM" {
		rest = strings.TrimPrefix(rest, "FILTER ON ")
	}
	name, how := p.split(rest)
	if verb != "SCAN" && verb != "SEARCH" && verb != "BLOOM" || constantRows.MatchString(rest) {
		return
	}
	table, ok := p.base(name, how)
	if !ok {
		return
	}
	switch {
	case verb == "SCAN":
		p.add("reads all of " + table)
	case strings.Contains(how, "AUTOMATIC"), verb == "BLOOM":
		p.add("reads all of " + table + " to index it for this one run")
	case p.oneRow(table, how):
		return
	}
	p.tables[s.parent] = append(p.tables[s.parent], table)
}

var searched = regexp.MustCompile(`^USING (INTEGER )?(?:PRIMARY KEY|(?:COVERING )?INDEX (.+?)) \((.*)\)`)

// oneRow reports whether a search finds at most one row: every column of a
// unique key is given.
func (p *planReader) oneRow(table, how string) bool {
	m := searched.FindStringSubmatch(how)
	if m == nil || strings.ContainsAny(m[3], "<>") {
		return false
	}
	if m[1] != "" {
		return true
	}
	key := strings.ToLower(m[2])
	if key == "" {
		key = primaryKeyOf(table)
	}
	width := p.engine.unique[key]
	return width > 0 && strings.Count(m[3], "=?") == width
}

// primaryKeyOf is the name under which engine.unique holds the key of a table
// without rowid.
func primaryKeyOf(table string) string { return strings.ToLower(table) + " PRIMARY KEY" }

// readKeys notes the unique keys of a database and how many columns each has.
func (e *engine) readKeys(ctx context.Context, db string) error {
	schema := quoteName(db) + ".sqlite_schema AS s"
	indexes, err := e.strings(ctx, "SELECT lower(i.name), (SELECT count(*) FROM pragma_index_info(i.name, "+quoteString(db)+")) FROM "+schema+
		", pragma_index_list(s.name, "+quoteString(db)+`) AS i WHERE s.type = 'table' AND i."unique" AND NOT i.partial`, 2)
	if err != nil {
		return err
	}
	keys, err := e.strings(ctx, "SELECT s.name, (SELECT count(*) FROM pragma_table_info(s.name, "+quoteString(db)+") WHERE pk > 0) FROM "+schema+
		" WHERE s.type = 'table'", 2)
	if err != nil {
		return err
	}
	for _, k := range keys {
		indexes = append(indexes, []string{primaryKeyOf(k[0]), k[1]})
	}
	for _, k := range indexes {
		if e.unique[k[0]], err = strconv.Atoi(k[1]); err != nil {
			return err
		}
	}
	return nil
}

// split parts "books USING INDEX i (a=?)" into the name and the rest. The
// engine does not quote a name that holds blanks.
func (p *planReader) split(rest string) (name, how string) {
	for _, word := range []string{" USING ", " VIRTUAL TABLE ", " LEFT-JOIN", " EXISTS"} {
		if i := strings.Index(rest, word); i >= 0 {
			return rest[:i], rest[i+1:]
		}
	}
	return rest, ""
}

// base returns the table that goes by name in a plan, or false for what is
// none.
func (p *planReader) base(name, how string) (string, bool) {
	lower := strings.ToLower(name)
	table, ok := p.aliases[lower]
	if !ok {
		table, ok = p.engine.tables[lower]
	}
	if strings.HasPrefix(how, "VIRTUAL TABLE") {
		_, constraint, _ := strings.Cut(how, ":")
		return table, ok && constraint == "" // with one it is a search
	}
	if p.made[lower] || strings.HasPrefix(name, "(") || strings.HasPrefix(lower, "sqlite_") {
		return "", false
	}
	if !ok { // an alias inside a view
		table = name
	}
	return table, true
}

// sort looks at a step that sorts what its siblings read.
func (p *planReader) sort(s step, steps []step) {
	_, what, ok := strings.Cut(s.detail, "USE TEMP B-TREE FOR ")
	if !ok {
		if what, ok = strings.CutSuffix(s.detail, " USING TEMP B-TREE"); !ok {
			return
		}
	}
	var tables []string
	for _, other := range steps {
		within := other.parent == s.parent
		if strings.HasSuffix(s.detail, " USING TEMP B-TREE") { // a compound: each arm is a step of its own
			within = other.parent == s.id || p.sibling(other.parent, s.parent, steps)
		}
		if within {
			tables = append(tables, p.tables[other.parent]...)
		}
	}
	slices.Sort(tables)
	if tables = slices.Compact(tables); len(tables) > 0 {
		p.add("sorts " + strings.Join(tables, ", ") + " for " + what)
	}
}

// sibling reports whether step id has that parent.
func (p *planReader) sibling(id, parent int, steps []step) bool {
	return slices.ContainsFunc(steps, func(s step) bool { return s.id == id && s.parent == parent })
}

// gatePlan asks for the plan of a query and reports what it costs.
func (g *generator) gatePlan(ctx context.Context, q *query) {
	if g.opts.Plan == "off" && g.opts.Plans == "" {
		return
	}
	steps, err := g.engine.plan(ctx, q.stmt.sql())
	if err != nil {
		return // what cannot be explained (a PRAGMA) reads no table
	}
	q.plan = steps
	costs := g.engine.costs(steps, g.engine.aliases(q.src))
	if g.opts.Plan == "off" || len(costs) == 0 || q.src.hasFlag("@scan") {
		return
	}
	msg := strings.Join(costs, "; ") + "; add an index, or approve it with -- @scan\n" +
		strings.TrimRight(planText(steps, "    "), "\n")
	if g.opts.Plan == "error" {
		g.problems = append(g.problems, q.src.problem(q.src.at, "%s", msg))
		return
	}
	g.note(q.src, msg)
}

// plansMark begins the file of all plans.
const plansMark = "Plans"

// plansFile is the file of all plans, which a reviewer reads in the diff. It
// names queries by file, not by line, so that it changes with the plans alone.
func (g *generator) plansFile() *File {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s of SQLite %s for each query, by lido. Do not edit.\n", plansMark, sqlite.Version())
	queries := slices.Clone(g.queries)
	slices.SortStableFunc(queries, func(a, b *query) int { return strings.Compare(a.src.file.path, b.src.file.path) })
	for _, q := range queries {
		fmt.Fprintf(&b, "\n%s %s\n", q.src.file.path, q.Name)
		switch {
		case q.unchecked:
			b.WriteString("  (unchecked)\n")
		case len(q.plan) == 0:
			b.WriteString("  (no plan)\n")
		default:
			b.WriteString(planText(q.plan, "  "))
		}
	}
	return &File{Name: path.Clean(g.opts.Plans), Contents: b.Bytes()}
}
