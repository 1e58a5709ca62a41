package pool

import (
	"context"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/sqlite"
)

// Batch runs fn in a transaction that it may share with other calls of Batch
// and with single writes that wait for the writer at the same time, and so with
// the price of its commit. It returns when that is committed.
//
// fn fails or succeeds alone, as in [DB.Write]: what it did is undone when it
// returns an error or panics, and the others' work is kept. Unlike in Write, fn
// may run more than once: when the engine threw away the transaction that was
// shared, or when fn took longer than a group allows (100 ms) and is run again
// by itself. Each time it finds nothing of the time before in the database; what
// it leaves elsewhere (a variable it appends to, a message it sends) it must be
// able to do again.
//
// fn runs on the goroutine that called Batch, in a context that ends with ctx.
// While it runs the others wait, so it should be short and wait for nothing
// outside the database: the time limit stops statements, but nobody can stop Go
// code that blocks. In particular it must not wait for another write to return.
//
// An error says that nothing of fn was applied, unless it is
// lido.ErrCommitUnknown. lido.ErrGroupAborted says that this was not fn's own
// doing: the commit that it shared failed, or ctx ended before it could run
// again. A write under way when ctx ends is only interrupted when it is first
// in its transaction, as that would undo the others' work; otherwise it has the
// time limit to end in, and is then undone.
//
// Under [Alone], and with Config.NoGroupCommit, Batch is Write.
func (db *DB) Batch(ctx context.Context, fn func(ctx context.Context, tx lido.Tx) error) (err error) {
	mode := db.modeOf(ctx)
	if mode.alone {
		return db.Write(ctx, fn)
	}
	if err := db.refuse(ctx); err != nil {
		return err
	}
	ctx, trace := db.TraceTransaction(ctx, TraceTransactionStartData{})
	defer trace.end(&err)
	db.writes.Add(1)
	defer db.countRollback(&err)
	defer db.spread(ctx)
	err = errUnfinished
	b := &batch{db: db, ctx: ctx, fn: fn, trace: trace, turn: make(chan func()), ran: make(chan struct{})}
	return db.join(&member{work: b, ctx: ctx, level: mode.level, turn: b.turn})
}

// batch is a closure that joins a group.
type batch struct {
	db    *DB
	ctx   context.Context
	fn    func(ctx context.Context, tx lido.Tx) error
	trace *TransactionTrace
	turn  chan func()   // what its caller is to run
	ran   chan struct{} // told when that is over
	err   error         // what it came to
}

// single is Write.
func (b *batch) single(r *Resource[*sqlite.Conn]) error {
	r.SetHolder(batchClosure)
	t, err := b.db.beginWrite(b.ctx, r)
	if err != nil {
		return err
	}
	b.trace.Begun()
	return t.run(b.ctx, b.fn)
}

// shared runs the closure inside the transaction of a group: on the goroutine
// that called Batch, which waits for that unless it is the leader itself. So a
// panic, or runtime.Goexit, is its own caller's and nobody else's.
func (b *batch) shared(r *Resource[*sqlite.Conn], leading bool) error {
	if leading {
		b.run(r)
		return b.err
	}
	b.turn <- func() {
		defer func() { b.ran <- struct{}{} }()
		b.run(r)
	}
	<-b.ran
	return b.err
}

func (b *batch) run(r *Resource[*sqlite.Conn]) {
	c := r.Value()
	t := &tx{db: b.db, res: r, conn: c, shared: true, fate: &fate{until: c.TimeLimit()}}
	b.err = errUnfinished
	defer t.end()
	b.db.enterClosure()
	defer b.db.leaveClosure()
	r.heldHere(batchClosure)
	b.trace.Begun()
	c.ForgetChanges()
	c.LenderGuards(true)
	err := b.fn(context.WithValue(b.ctx, closureKey{b.db}, t), t)
	misuse := t.finish()
	t.closeOpen()
	switch {
	case misuse != nil && err == nil:
		err = misuse
	case b.ctx.Err() != nil && err == nil:
		err = ended.Err(b.ctx)
	case t.fate.late && b.ctx.Err() == nil:
		err = errBeyond
	case err == nil:
		err = t.intact()
	}
	b.err = err
}
