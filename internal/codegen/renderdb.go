package codegen

import (
	"slices"
	"strings"
)

// renderDB writes the handles that the methods hang on.
func (g *generator) renderDB() *goFile {
	f := g.file(g.opts.OutputDBFileName)
	f.use(waist)
	f.printf(`// This code was written for the waist that GenV1 stands for. Where it does not
// compile, the library is of another version: run "go generate ./..." or
// "lido generate" to write it anew.
const _ = lido.GenV1

`)
	if g.opts.EmitMethodsWithDBArgument {
		f.printf(`
// ReadQueries are the queries that cannot change the database.
type ReadQueries struct{}

// Queries are all queries. On a database each call is a transaction of its own.
type Queries struct {
	ReadQueries
}

// New returns the queries.
func New() *Queries { return &Queries{} }
`)
	} else {
		f.use("errors")
		f.printf(`
// ReadQueries are the queries that cannot change the database.
type ReadQueries struct {
	r lido.Reader
}

// Queries are all queries. Outside a transaction each call is a transaction of
// its own.
type Queries struct {
	ReadQueries
	w lido.Writer
}

// New returns the queries on w: a database, or a transaction.
func New(w lido.Writer) *Queries {
	return &Queries{ReadQueries: ReadQueries{r: w}, w: w}
}

// WithTx returns the queries inside tx.
func (q *Queries) WithTx(tx lido.Tx) *Queries { return New(tx) }

var errNoTransaction = errors.New("Savepoint outside a transaction: call it on the Queries that a Write closure is given")

// Savepoint runs fn in a nested transaction: kept when fn returns nil, undone
// when it returns an error or panics. It fails outside a transaction.
func (q *Queries) Savepoint(ctx context.Context, fn func(ctx context.Context, q *Queries) error) error {
	tx, ok := q.w.(lido.Tx)
	if !ok {
		return errNoTransaction
	}
	return tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error {
		return fn(ctx, New(tx))
	})
}
`)
	}
	if g.opts.Compat {
		f.printf(`
// DBTX is what the queries run on, under the name that sqlc gives it.
type DBTX = lido.Writer
`)
	}
	if g.opts.EmitPreparedQueries {
		f.printf(`
// Prepare is New: each statement is prepared when it first runs, and kept.
func Prepare(ctx context.Context, db lido.Writer) (*Queries, error) { return New(db), nil }

// Close does nothing: the database owns the prepared statements.
func (q *Queries) Close() error { return nil }
`)
	}
	if g.writesInOne() || !g.opts.EmitMethodsWithDBArgument {
		f.use("context")
	}
	if g.writesInOne() {
		f.printf(`
// inTransaction runs fn in one transaction of its own: of w where that is a
// database, in a savepoint where it is a transaction.
func inTransaction(ctx context.Context, w lido.Writer, fn func(ctx context.Context, tx lido.Tx) error) error {
	switch w := w.(type) {
	case lido.Tx:
		return w.Savepoint(ctx, fn)
	case lido.Database:
		return w.Write(ctx, fn)
	}
	return fmt.Errorf("%%T can begin no transaction: it is neither a lido.Database nor a lido.Tx", w)
}
`)
		f.use("fmt")
	}
	if *g.opts.EmitStore {
		f.printf("%s", strings.ReplaceAll(`
// Store runs the queries on a database. It is safe for concurrent use.
type Store struct {
	Queries
	db lido.Database
}

// NewStore returns the queries on db.
func NewStore(db lido.Database) *Store {
	return &Store{Queries: *New(db), db: db}
}

// Read runs fn on one consistent snapshot of the database.
func (s *Store) Read(ctx context.Context, fn func(ctx context.Context, q *ReadQueries) error) error {
	return s.db.Read(ctx, func(ctx context.Context, r lido.Reader) error {
		return fn(ctx, &ReadQueries{r: r})
	})
}

// Write runs fn in one atomic transaction: committed when fn returns nil,
// rolled back when it returns an error or panics. fn does nothing that a
// rollback cannot undo, because some engines run it more than once.
func (s *Store) Write(ctx context.Context, fn func(ctx context.Context, q *Queries) error) error {
	return s.db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		return fn(ctx, New(tx))
	})
}

// Batch is Write with a commit that may be shared with others who write at the
// same time, and so costs less under load. In return fn may run more than once,
// even where Write runs it once: when what shares its transaction fails, or when
// it takes long. It should be short, and set variables rather than add to them.
func (s *Store) Batch(ctx context.Context, fn func(ctx context.Context, q *Queries) error) error {
	return lido.Batch(ctx, s.db, func(ctx context.Context, tx lido.Tx) error {
		return fn(ctx, New(tx))
	})
}
`, "Store", g.opts.StoreName))
	}
	for _, q := range g.queries {
		if q.Cmd == ":execresult" {
			f.use("database/sql")
			f.printf(`
// execResult is what an :execresult query returns.
type execResult struct {
	lastInsertID, changes int64
}

var _ sql.Result = execResult{}

func (r execResult) LastInsertId() (int64, error) { return r.lastInsertID, nil }

func (r execResult) RowsAffected() (int64, error) { return r.changes, nil }
`)
			break
		}
	}
	if g.needsScan() {
		f.use("database/sql", "fmt")
		f.printf(`
// scanColumn reads a column into a type that database/sql knows how to fill.
// NULL is a mistake, unless T has a Scan method that takes it.
func scanColumn[T any](stmt lido.Stmt, i int) T {
	var v sql.Null[T]
	if scanner, ok := any(&v.V).(sql.Scanner); ok {
		lido.ColumnScan(stmt, i, scanner)
	} else if lido.ColumnScan(stmt, i, &v); !v.Valid {
		stmt.Fail(fmt.Errorf("column %%d: NULL does not fit into a %%T", i, v.V))
	}
	return v.V
}
`)
	}
	return f
}

// writesInOne reports whether some method needs a transaction of its own.
func (g *generator) writesInOne() bool {
	return slices.ContainsFunc(g.queries, func(q *query) bool { return q.takesList() && !q.facts.readOnly })
}

// renderQuerier writes the interfaces behind which fakes can stand. Iterators
// stay out of them.
func (g *generator) renderQuerier() *goFile {
	f := g.file(g.opts.OutputQuerierFileName)
	f.use("context")
	part := func(readOnly bool) {
		for _, q := range g.queries {
			if q.facts.readOnly != readOnly {
				continue
			}
			m := f.method(q)
			if q.Cmd == ":execresult" {
				f.use("database/sql")
			}
			m.doc()
			f.printf("%s(ctx context.Context%s) %s\n", q.Name, m.params, q.results(m.returns))
		}
	}
	f.printf("// ReadQuerier is what [ReadQueries] can do, iterators aside.\ntype ReadQuerier interface {\n")
	part(true)
	f.printf("}\n\n// Querier is what [Queries] can do, iterators aside.\ntype Querier interface {\nReadQuerier\n")
	part(false)
	f.printf("}\n\n")
	if *g.opts.EmitStore {
		f.printf("// Storer is what [%s] can do, iterators aside.\ntype Storer interface {\nQuerier\n"+
			"Read(ctx context.Context, fn func(ctx context.Context, q *ReadQueries) error) error\n"+
			"Write(ctx context.Context, fn func(ctx context.Context, q *Queries) error) error\n"+
			"Batch(ctx context.Context, fn func(ctx context.Context, q *Queries) error) error\n}\n\n", g.opts.StoreName)
	}
	f.printf("var (\n_ ReadQuerier = (*ReadQueries)(nil)\n_ Querier = (*Queries)(nil)\n")
	if *g.opts.EmitStore {
		f.printf("_ Storer = (*%s)(nil)\n", g.opts.StoreName)
	}
	f.printf(")\n")
	return f
}

// needsScan reports whether some result has a type that only database/sql's
// rules can fill.
func (g *generator) needsScan() bool {
	needs := func(typ string) bool {
		_, plain := plainTypes[typ]
		_, null := nullTypes[typ]
		_, pointer := plainTypes[strings.TrimPrefix(typ, "*")]
		return !plain && !null && !pointer
	}
	for _, q := range g.queries {
		if q.ret.def == nil {
			if !q.ret.empty() && needs(q.ret.typ) {
				return true
			}
			continue
		}
		for _, f := range q.ret.def.fields {
			if f.model == nil && needs(f.typ) {
				return true
			}
			if f.model != nil {
				for _, mf := range f.model.fields {
					if needs(mf.typ) {
						return true
					}
				}
			}
		}
	}
	return false
}
