package codegen

import (
	"slices"
	"strings"
)

// batchType is the name of what a :batch method returns.
func (q *query) batchType() string { return q.Name + "BatchResults" }

// itemCanLinger reports whether an item that fails can leave changes behind
// that only a savepoint undoes. A statement that fails is undone by the engine,
// unless FAIL is asked for, in it or in the schema; one that returns rows has
// made its changes by the time a row turns out to be unreadable.
//
// https://www.sqlite.org/lang_conflict.html
func (g *generator) itemCanLinger(q *query) bool {
	return q.unchecked || q.returnsRows() || g.engine.failKeeps || slices.ContainsFunc(q.src.body, func(t token) bool {
		return t.isWord(q.src.file.text, "FAIL")
	})
}

// batch writes a :batch method, and the type it returns.
func (m *method) batch() {
	name := m.q.batchType()
	result := "struct{}"
	switch m.q.Cmd {
	case ":batchone":
		result = m.returns
	case ":batchmany":
		result = "[]" + m.returns
	}
	m.printf("// %s are the outcomes of [%s.%s], one for each\n"+
		"// item. They hold nothing that Close would have to give back: the batch has run.\n", name, m.receiver, m.q.Name)
	if !m.q.facts.readOnly {
		m.printf("// An item that failed left nothing behind, and the others as they are.\n")
	}
	m.printf("type %s struct {\nbatch batchResults[%s]\n}\n\n", name, result)
	m.head()
	run, tx := "writeBatch", "tx lido.Tx"
	if m.q.facts.readOnly {
		run, tx = "readBatch", "r lido.Reader"
	}
	own := ""
	if !m.q.facts.readOnly {
		own = ", false"
		if m.g.itemCanLinger(m.q) {
			own = ", true"
		}
	}
	results := "(" + result + ", error)"
	if m.q.Cmd == ":batchexec" {
		results = "(none struct{}, err error)"
	}
	m.printf("return &%s{batch: %s(ctx, %s%s%s, func(ctx context.Context, %s, arg %s) %s {\n", name, run, m.handle, own, m.args, tx, m.item, results)
	m.handle, _, _ = strings.Cut(tx, " ")
	switch m.q.Cmd {
	case ":batchone":
		m.oneBody()
	case ":batchmany":
		m.manyBody()
	default:
		m.open("return none, " + m.failed())
		m.runOut("return none, " + m.failed())
		m.printf("return none, nil\n")
	}
	m.printf("})}\n}\n\n")

	switch m.q.Cmd {
	case ":batchone":
		m.printf("// QueryRow calls f with the row or the error of each item, in their order.\n")
		m.printf("func (b *%s) QueryRow(f func(int, %s, error)) { b.batch.each(f) }\n\n", name, result)
	case ":batchmany":
		m.printf("// Query calls f with the rows or the error of each item, in their order.\n")
		m.printf("func (b *%s) Query(f func(int, %s, error)) { b.batch.each(f) }\n\n", name, result)
	default:
		m.printf("// Exec calls f with the error of each item, in their order.\n")
		m.printf("func (b *%s) Exec(f func(int, error)) {\nb.batch.each(func(i int, _ struct{}, err error) {\nif f != nil {\nf(i, err)\n}\n})\n}\n\n", name)
	}
	m.printf("// Close ends the results. It returns what kept the batch from being committed,\n// or else the error of the first item that failed.\n")
	m.printf("func (b *%s) Close() error { return b.batch.close() }\n\n", name)
}

// renderBatch writes what the :batch methods share.
func (g *generator) renderBatch() *goFile {
	f := g.file(g.opts.OutputBatchFileName)
	f.use("context", "errors", waist)
	f.printf(`// ErrBatchAlreadyClosed is the error of every item once the results are closed
// or have been gone through.
var ErrBatchAlreadyClosed = errors.New("batch already closed")

// batchResults are the outcomes of a batch, which has run, and is committed,
// when its method returns. If the transaction itself fails, nothing of the batch
// is applied and every item has its error. Whoever wants all items or none calls
// the method inside Write and there returns the error of Close.
type batchResults[T any] struct {
	items  []T
	errs   []error
	err    error // of the transaction
	closed bool
}

func (b *batchResults[T]) each(f func(int, T, error)) {
	for i, err := range b.errs {
		var item T
		if b.closed {
			err = ErrBatchAlreadyClosed
		} else if err == nil {
			item = b.items[i]
		}
		if f != nil {
			f(i, item, err)
		}
	}
	b.closed = true
}

func (b *batchResults[T]) close() error {
	b.closed = true
	if b.err != nil {
		return b.err
	}
	for _, err := range b.errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// settle gives the error of the transaction to the items that have none.
func (b *batchResults[T]) settle(err error) {
	b.err = err
	for i := range b.errs {
		if err != nil && b.errs[i] == nil {
			b.errs[i] = err
		}
	}
}

func newBatch[T any](n int) batchResults[T] {
	return batchResults[T]{items: make([]T, n), errs: make([]error, n)}
}
`)
	if g.writesInOne() {
		f.printf(`
// writeBatch runs the items in one transaction, each in a savepoint of its own
// if own is set.
func writeBatch[A, T any](ctx context.Context, w lido.Writer, own bool, args []A, run func(ctx context.Context, tx lido.Tx, arg A) (T, error)) batchResults[T] {
	b := newBatch[T](len(args))
	if len(args) == 0 {
		return b
	}
	b.settle(inTransaction(ctx, w, func(ctx context.Context, tx lido.Tx) error {
		for i, arg := range args {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if !own {
				b.items[i], b.errs[i] = run(ctx, tx, arg)
				continue
			}
			b.errs[i] = tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) (err error) {
				b.items[i], err = run(ctx, tx, arg)
				return err
			})
		}
		return ctx.Err()
	}))
	return b
}
`)
	}
	if slices.ContainsFunc(g.queries, func(q *query) bool { return q.isBatch() && q.facts.readOnly }) {
		f.printf(`
// readBatch runs the items on one snapshot.
func readBatch[A, T any](ctx context.Context, r lido.Reader, args []A, run func(ctx context.Context, r lido.Reader, arg A) (T, error)) batchResults[T] {
	b := newBatch[T](len(args))
	if len(args) == 0 {
		return b
	}
	all := func(ctx context.Context, r lido.Reader) error {
		for i, arg := range args {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			b.items[i], b.errs[i] = run(ctx, r, arg)
		}
		return nil
	}
	if db, ok := r.(lido.Database); ok {
		b.settle(db.Read(ctx, all))
	} else {
		b.settle(all(ctx, r))
	}
	return b
}
`)
	}
	return f
}
