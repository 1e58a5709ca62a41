package codegen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// generator holds what one run works on.
type generator struct {
	req      *Request
	opts     *options
	engine   *engine
	models   []*structDef
	queries  []*query
	declared map[string]bool // what the generated package declares
	problems []problem
	notes    []problem
}

// Generate answers one request of sqlc.
//
// It reads the query and schema files that the request names, relative to the
// working folder, and writes nothing: the files are in the response. An error
// lists everything that is wrong, one problem a line.
func Generate(ctx context.Context, req *Request) (_ *Response, err error) {
	g := &generator{req: req}
	if engine := req.Settings.Engine; engine != "sqlite" {
		return nil, fmt.Errorf("engine is %q; Lido generates for \"sqlite\" only", engine)
	}
	if g.opts, err = parseOptions(req); err != nil {
		return nil, err
	}
	if err := checkVersions(g.opts); err != nil {
		return nil, err
	}
	if len(req.Queries) == 0 {
		return nil, errors.New("there are no queries; each begins with a comment line like \"-- name: GetAuthor :one\"")
	}
	schema, err := readAll(req.Settings.Schema)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	sources, err := readAll(req.Settings.Queries)
	if err != nil {
		return nil, fmt.Errorf("queries: %w", err)
	}
	if g.engine, err = openEngine(ctx, g.opts.DoubleQuotedStrings); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.engine.close()) }()
	if err := g.engine.declare(g.opts.Functions, g.opts.Collations); err != nil {
		return nil, err
	}
	if g.opts.Verify != "off" {
		refused, err := g.engine.load(ctx, schema, g.opts.SqlcOnly, g.opts.Verify == "warn")
		if err != nil {
			return nil, err
		}
		g.notes = append(g.notes, refused...)
	}

	g.buildModels()
	g.readQueries(ctx, sources, schema)
	if err := g.judgeClocks(ctx); err != nil {
		return nil, err
	}
	g.problems = append(g.problems, g.buildValues()...)
	if g.opts.OmitUnusedStructs {
		g.dropUnusedModels()
	}
	if err := g.failure(); err != nil {
		return nil, err
	}
	if err := g.checkNames(); err != nil {
		return nil, err
	}
	return g.render()
}

func readAll(patterns []string) ([]*sourceFile, error) {
	paths, err := sqlFiles(patterns)
	if err != nil {
		return nil, err
	}
	return readSources(paths)
}

// failure joins the problems in the order of the sources.
func (g *generator) failure() error {
	if len(g.problems) == 0 {
		return nil
	}
	sortProblems(g.problems)
	var lines []string
	for _, p := range g.problems {
		lines = append(lines, p.String())
	}
	return errors.New(strings.Join(lines, "\n"))
}

func sortProblems(list []problem) {
	slices.SortStableFunc(list, func(a, b problem) int {
		if c := strings.Compare(a.file.path, b.file.path); c != 0 {
			return c
		}
		return a.offset - b.offset
	})
}

// readQueries finds each of sqlc's queries in the sources and has the engine
// prepare it.
func (g *generator) readQueries(ctx context.Context, sources, schema []*sourceFile) {
	byName := map[string]*sourceQuery{}
	for _, f := range sources {
		queries := parseQueries(f)
		for _, q := range queries {
			if first, ok := byName[q.name]; ok {
				g.problems = append(g.problems, q.problem(q.at, "%s has a query of this name already; give one another name", first.where()))
				continue
			}
			byName[q.name] = q
		}
		g.problems = append(g.problems, misread(f, queries)...)
		isSchema := slices.ContainsFunc(schema, func(s *sourceFile) bool { return s.path == f.path })
		g.problems = append(g.problems, strays(f, isSchema)...)
		if name := queryFileName(f.path, g.opts.OutputFilesSuffix); len(queries) > 0 && !everywhere(name) {
			g.problems = append(g.problems, problem{f, 0, "", "Go would leave out " + name + " on some systems or all; rename the query file"})
		}
	}
	handed := map[string]bool{}
	for _, pq := range g.req.Queries {
		if pq.Name == "" || pq.Cmd == "" {
			continue
		}
		twice := handed[pq.Name]
		handed[pq.Name] = true
		src := byName[pq.Name]
		if src == nil {
			f := &sourceFile{path: pq.Filename}
			g.problems = append(g.problems, problem{f, 0, pq.Name, "sqlc knows this query, but no file under \"queries\" has it"})
			continue
		}
		if twice {
			g.problems = append(g.problems, src.problem(src.at, "sqlc hands over two queries of this name; give one another name"))
			continue
		}
		if !slices.Contains(commands, pq.Cmd) {
			g.problems = append(g.problems, src.problem(src.at, "%s is not supported; known are %s", pq.Cmd, strings.Join(commands, ", ")))
			continue
		}
		q := &query{Query: pq, src: src}
		if g.verify(ctx, q) && g.buildBulk(ctx, q) {
			g.noteDamage(q)
			g.queries = append(g.queries, q)
		}
	}
	for name, q := range byName {
		if !handed[name] {
			g.note(q, "sqlc passes over this query: the annotation must start its line, and some kinds of statement (PRAGMA, ATTACH) it does not take")
		}
	}
}

// verify fills in what the source and the engine know of a query, and reports
// whether the engine takes it.
func (g *generator) verify(ctx context.Context, q *query) bool {
	stmt, problems := expand(q.src, q.Params, func(p *param) string { return g.paramType(q, p) })
	if len(problems) > 0 {
		g.problems = append(g.problems, problems...)
		return false
	}
	q.stmt = stmt
	if i := strings.IndexByte(stmt.sql(), 0); i >= 0 {
		g.problems = append(g.problems, q.src.problem(stmt.sourceOffset(i), "the statement holds a NUL byte, where the engine would stop reading"))
		return false
	}
	if g.opts.Verify == "off" || q.src.hasFlag("@unchecked") {
		g.leaveUnchecked(q)
		return true
	}
	if len(stmt.embeds) > 0 && returns(q.src) { // where the engine takes no t.*
		g.writeOutFromSqlc(q)
	}
	if p, ok := g.prove(ctx, q); !ok {
		if g.opts.Verify != "warn" {
			g.problems = append(g.problems, p)
			return false
		}
		g.notes = append(g.notes, p)
		g.leaveUnchecked(q)
		return true
	}
	g.gatePlan(ctx, q)
	return g.ownsItsConnection(q)
}

// prove has the engine prepare a statement and compares what it finds with
// what sqlc has found.
func (g *generator) prove(ctx context.Context, q *query) (p problem, ok bool) {
	start, stmt := q.src.body[0].start, q.stmt
	found, err := g.engine.prepare(ctx, stmt.sql())
	if err != nil {
		return g.engine.explain(err, q.src.file, stmt.sourceOffset, start, q.Name), false
	}
	q.facts = found
	if found.params != len(stmt.params) {
		return q.src.problem(start, "sqlc sees %s, the engine %d", plural(len(stmt.params), "parameter", "parameters"), found.params), false
	}
	hint := ""
	if slices.ContainsFunc(stmt.pieces, func(p piece) bool { return p.star != nil }) {
		hint = "; list them in place of *"
	}
	if want := g.width(q.Columns); q.returnsRows() && want != len(found.results) && !g.narrow(ctx, q, want) {
		return q.src.problem(start, "sqlc sees %s, the engine %d%s", plural(want, "column", "columns"), len(found.results), hint), false
	}
	if q.returnsRows() {
		g.writeOut(ctx, q)
	}
	return p, true
}

// narrow leaves out the columns of a wildcard that sqlc does not see.
func (g *generator) narrow(ctx context.Context, q *query, want int) bool {
	if want != len(q.Columns) || want > len(q.facts.results) {
		return false
	}
	results := func(sql string) ([]result, bool) {
		f, err := g.engine.prepare(ctx, sql)
		return f.results, err == nil
	}
	if !narrowStar(q.stmt, q.Columns, results) {
		return false
	}
	g.note(q.src, fmt.Sprintf("the engine finds %s, sqlc %d; only those of sqlc are read", plural(len(q.facts.results), "column", "columns"), want))
	q.facts, _ = g.engine.prepare(ctx, q.stmt.sql())
	return true
}

// writeOut replaces wildcards by the columns they stand for.
func (g *generator) writeOut(ctx context.Context, q *query) {
	all := writeOutStars(q.stmt, func(sql string) ([]result, bool) {
		f, err := g.engine.prepare(ctx, sql)
		return f.results, err == nil
	})
	if !all {
		g.note(q.src, "* stays as it is: two of its columns share a name; list the columns, or a later migration may shift them")
	}
}

func (g *generator) note(q *sourceQuery, msg string) {
	g.notes = append(g.notes, q.problem(q.at, "%s", msg))
}
