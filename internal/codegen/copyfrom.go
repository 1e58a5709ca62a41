package codegen

import (
	"context"
	"strconv"
	"strings"
)

// copyRowsCount is how many rows one run of a :copyfrom statement inserts.
// Measured on tables of 2 and 5 columns: 32 rows take half the time of 32 runs
// for one row, and more rows gain nothing.
const copyRowsCount = 32

// maxVariables is how many parameters a statement may have.
//
// https://www.sqlite.org/limits.html#max_variable_number
const maxVariables = 32766

// bulkInsert is the statement of a :copyfrom for several rows.
type bulkInsert struct {
	head  string // up to the first row
	tuple string // one row: "(?, ?)"
	rows  int    // 1 where the statement for one row is all there is
}

func (b bulkInsert) sql() string {
	return b.head + b.tuple + strings.Repeat(", "+b.tuple, b.rows-1)
}

// goExpr is the same as Go source, without the repetitions.
func (b bulkInsert) goExpr() string {
	return goString(b.head+b.tuple) + " + strings.Repeat(" + strconv.Quote(", "+b.tuple) + ", " + strconv.Itoa(b.rows-1) + ")"
}

// buildBulk makes the statement for several rows out of that for one. sqlc
// has made sure that the statement ends in one row of parameters.
func (g *generator) buildBulk(ctx context.Context, q *query) bool {
	refuse := func(format string, args ...any) bool {
		g.problems = append(g.problems, q.src.problem(q.src.body[0].start, format, args...))
		return false
	}
	if q.takesList() && len(q.stmt.params) == 0 {
		return refuse("%s needs at least one parameter", q.Cmd)
	}
	if q.bulk.rows = 1; q.Cmd != ":copyfrom" {
		return true
	}
	head, row := splitValues(q.stmt.pieces)
	if row == "" || q.facts.readOnly {
		return refuse(":copyfrom needs an INSERT with one row of VALUES")
	}
	tuple := strings.Join(strings.Fields(row), " ")
	n := 0
	for i := range q.stmt.params { // each once, in order
		number := "?" + strconv.Itoa(i+1)
		at := strings.Index(tuple[n:], number)
		if at < 0 {
			g.note(q.src, "rows are inserted one by one: a parameter stands elsewhere than in its place in VALUES")
			return true
		}
		tuple = tuple[:n+at] + "?" + tuple[n+at+len(number):]
		n += at + 1
	}
	b := bulkInsert{head: head, tuple: tuple, rows: min(copyRowsCount, maxVariables/len(q.stmt.params))}
	if !q.unchecked {
		f, err := g.engine.prepare(ctx, b.sql())
		if err != nil {
			return refuse("for several rows at once: %v", err)
		}
		if f.params != b.rows*len(q.stmt.params) {
			return true // one that stands twice
		}
	}
	q.bulk = b
	return true
}

// splitValues cuts a statement in front of the row that follows VALUES.
func splitValues(pieces []piece) (head, row string) {
	depth, values := 0, false
	for i, p := range pieces {
		switch {
		case values && p.text == "(":
			for _, r := range pieces[i:] {
				row += r.text
			}
			return head, row
		case p.text == "(":
			depth++
		case p.text == ")":
			depth--
		case depth == 0 && strings.EqualFold(p.text, "VALUES"):
			values = true
		}
		head += p.text
	}
	return head, ""
}

// copyVar is the name of what holds a :copyfrom's statements.
func copyVar(name string) string { return lowerFirst(name) + "Copy" }

// extraNames are the names that a query's command declares in the package.
func (q *query) extraNames() []string {
	switch {
	case q.Cmd == ":copyfrom":
		return []string{copyVar(q.Name)}
	case q.isBatch():
		return []string{q.batchType()}
	}
	return nil
}

// copyFrom writes the methods that insert a list and a sequence of rows.
func (m *method) copyFrom() {
	m.use("iter")
	name := copyVar(m.q.Name)
	m.printf("// %s inserts the rows of [%s.%s].\n", name, m.receiver, m.q.Name)
	m.printf("var %s = copyQuery[%s]{\none: &%s,\n", name, m.item, queryVar(m.q.Name))
	if m.q.bulk.rows > 1 {
		m.use("strings")
		m.printf("many: &lido.Query{\n")
		m.queryFields(m.q, m.q.bulk.goExpr())
		m.printf("},\n")
	}
	m.printf("count: %d,\nwidth: %d,\n", m.q.bulk.rows, len(m.q.stmt.params))
	m.printf("bind: func(stmt lido.Stmt, at int, arg %s) {\n", m.item)
	m.offset = "at+"
	for _, b := range m.exprs {
		m.bind(b)
	}
	m.printf("},\n}\n\n")

	call := func(method string) {
		if m.g.opts.WrapErrors {
			m.printf("n, err := %s.%s(ctx, %s%s)\nif err != nil {\nreturn 0, %s\n}\nreturn n, nil\n}\n\n", name, method, m.handle, m.args, m.failed())
			return
		}
		m.printf("return %s.%s(ctx, %s%s)\n}\n\n", name, method, m.handle, m.args)
	}
	m.head()
	call("list")
	m.printf("// %sSeq is [%s.%s] for rows that come one by one. The\n"+
		"// sequence runs inside the transaction, so it must not use the database itself.\n", m.q.Name, m.receiver, m.q.Name)
	m.printf("func (q *%s) %sSeq(ctx context.Context%s) (int64, error) {\n", m.receiver, m.q.Name,
		strings.Replace(m.params, " []"+m.item, " iter.Seq["+m.item+"]", 1))
	call("seq")
}

// renderCopyFrom writes what the :copyfrom methods share.
func (g *generator) renderCopyFrom() *goFile {
	f := g.file(g.opts.OutputCopyFromFileName)
	f.use("context", "iter", "slices", waist)
	f.printf(`// copyQuery inserts any number of rows in one transaction: all of them or none.
type copyQuery[T any] struct {
	one, many *lido.Query // for one row, and for count rows
	count     int
	width     int // parameters of a row

	// bind sets the parameters of a row; the first has the number at+1.
	bind func(stmt lido.Stmt, at int, row T)
}

// list returns how many rows were inserted.
func (c *copyQuery[T]) list(ctx context.Context, w lido.Writer, rows []T) (n int64, err error) {
	if len(rows) == 0 {
		return 0, ctx.Err()
	}
	err = inTransaction(ctx, w, func(ctx context.Context, tx lido.Tx) error {
		n, err = c.insert(ctx, tx, rows)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// seq is list for a sequence, of which it holds a thousand rows at a time.
func (c *copyQuery[T]) seq(ctx context.Context, w lido.Writer, rows iter.Seq[T]) (n int64, err error) {
	held := make([]T, 0, 1024)
	err = inTransaction(ctx, w, func(ctx context.Context, tx lido.Tx) error {
		n, held = 0, held[:0]
		for row := range rows {
			if held = append(held, row); len(held) < cap(held) {
				continue
			}
			inserted, err := c.insert(ctx, tx, held)
			if err != nil {
				return err
			}
			n, held = n+inserted, held[:0]
		}
		inserted, err := c.insert(ctx, tx, held)
		n += inserted
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// insert takes count rows at a time, and the rest one by one.
func (c *copyQuery[T]) insert(ctx context.Context, tx lido.Tx, rows []T) (int64, error) {
	var n int64
	var err error
	if whole := len(rows) - len(rows)%%c.count; c.many != nil {
		if n, err = c.run(ctx, tx, c.many, rows[:whole], c.count); err != nil {
			return 0, err
		}
		rows = rows[whole:]
	}
	rest, err := c.run(ctx, tx, c.one, rows, 1)
	return n + rest, err
}

// run runs q as often as it takes to insert rows, count of them each time.
func (c *copyQuery[T]) run(ctx context.Context, tx lido.Tx, q *lido.Query, rows []T, count int) (n int64, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	stmt, err := tx.PrepareWrite(ctx, q)
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	for group := range slices.Chunk(rows, count) {
		for i, row := range group {
			c.bind(stmt, i*c.width, row)
		}
		if _, err := stmt.Step(); err != nil {
			return 0, err
		}
		n += stmt.Changes()
		if err := stmt.Reset(); err != nil {
			return 0, err
		}
	}
	return n, nil
}
`)
	return f
}
