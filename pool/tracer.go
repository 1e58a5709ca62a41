package pool

import (
	"context"
	"errors"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// Tracer is told of every typed query: Config.Tracer. Those who know pgx will
// recognise it. A tracer may also be a [TransactionTracer], an [AcquireTracer]
// and a [CheckpointTracer]; Open looks which of them it is. So a tracer pays
// only for the events that it wants, and new ones break nobody. Write down what
// yours is meant to be, or a method with a slip in it is never called:
//
//	var _ pool.TransactionTracer = (*myTracer)(nil)
//
// Start and End run on the caller's goroutine, often while a connection is held,
// and the writer's are in the way of every other write: they must be quick, and
// neither use the database nor panic. They are called concurrently. The context
// that Start returns must be made from the one it was given; it is what End
// gets, what the events in between get, and, in a transaction, what the closure
// gets.
//
// Arguments of queries are never told. Errors are, and their messages may quote
// the data that they are about.
//
// Package slogtrace is a tracer to copy from.
type Tracer interface {
	// TraceQueryStart is called before a query waits for a connection.
	TraceQueryStart(ctx context.Context, data TraceQueryStartData) context.Context
	// TraceQueryEnd is called when a query's statement is closed, and for a
	// single write when its commit has been answered.
	TraceQueryEnd(ctx context.Context, data TraceQueryEndData)
}

// TraceQueryStartData says which query begins.
type TraceQueryStartData struct {
	// Query has only SQL when the query was not generated, but came through
	// package stdlib for instance. It must not be changed.
	Query *lido.Query
}

// TraceQueryEndData says how a query went.
type TraceQueryEndData struct {
	Query *lido.Query
	// Rows is how many rows were returned, Changes how many were inserted,
	// updated or deleted; over all runs, if the statement was reset and run
	// again.
	Rows, Changes int64
	// Duration includes the wait for a connection and for the group of writes
	// that shared a commit, and what the caller did between rows.
	Duration time.Duration
	// Err is the last error of the query, or nil. That there was no row is none.
	Err error
}

// TransactionTracer is told of Read, Write and Batch closures, and of the
// transactions that single writes and Batch closures share.
type TransactionTracer interface {
	// TraceTransactionStart is called before the wait for a connection. For a
	// transaction that is shared ctx is that of one of its members.
	TraceTransactionStart(ctx context.Context, data TraceTransactionStartData) context.Context
	TraceTransactionEnd(ctx context.Context, data TraceTransactionEndData)
}

// TraceTransactionStartData says what begins.
type TraceTransactionStartData struct {
	ReadOnly bool
	// Group says that it is shared by single writes, which have query events of
	// their own as well, and Batch closures, which have transaction events.
	Group bool
}

// TraceTransactionEndData says how a transaction ended.
type TraceTransactionEndData struct {
	ReadOnly, Group bool
	// Outcome is Committed also for a Read whose closure returned nil.
	Outcome sqlite.Outcome
	// Members is how many of them were in it at the end.
	Members int
	// Duration includes Wait, which is how long it took to get a connection and
	// to begin.
	Duration, Wait time.Duration
	// Err is what Read, Write or Batch returned.
	Err error
}

// AcquireTracer is told of each connection that is lent by one of the pools,
// "reader" or "writer", and given back. For a Pool of something else it is
// Options.Tracer.
type AcquireTracer interface {
	TraceAcquireStart(ctx context.Context, data TraceAcquireStartData) context.Context
	TraceAcquireEnd(ctx context.Context, data TraceAcquireEndData)
	// TraceRelease is called before the resource is looked at, and goes to the
	// next. No context belongs to it.
	TraceRelease(data TraceReleaseData)
}

// TraceAcquireStartData says from which pool is to be borrowed.
type TraceAcquireStartData struct{ Pool string }

// TraceAcquireEndData says how long an acquire took, and how it failed.
type TraceAcquireEndData struct {
	Pool     string
	Duration time.Duration
	Err      error
}

// TraceReleaseData says how long the borrower had the resource. Destroyed says
// that the borrower called Destroy.
type TraceReleaseData struct {
	Pool      string
	Held      time.Duration
	Destroyed bool
}

// CheckpointTracer is told of each checkpoint, those of the checkpointer under a
// context of its own. What the engine
// moves at a commit, by Config.WALAutocheckpointPages, is part of that commit.
type CheckpointTracer interface {
	TraceCheckpointStart(ctx context.Context, data TraceCheckpointStartData) context.Context
	TraceCheckpointEnd(ctx context.Context, data TraceCheckpointEndData)
}

// TraceCheckpointStartData says how far the checkpoint is to go.
type TraceCheckpointStartData struct{ Mode sqlite.CheckpointMode }

// TraceCheckpointEndData says what came of it. Duration includes the wait for
// the connection it runs on.
type TraceCheckpointEndData struct {
	Mode     sqlite.CheckpointMode
	Result   sqlite.CheckpointResult
	Duration time.Duration
	Err      error
}

// tracers are what Config.Tracer is; nil where it is not.
type tracers struct {
	query       Tracer
	transaction TransactionTracer
	acquire     AcquireTracer
	checkpoint  CheckpointTracer
}

func tracersOf(t Tracer) (all tracers) {
	all.query = t
	all.transaction, _ = t.(TransactionTracer)
	all.acquire, _ = t.(AcquireTracer)
	all.checkpoint, _ = t.(CheckpointTracer)
	return all
}

// QueryTrace is a query that TraceQuery began. A nil one does nothing, so it
// need not be asked whether anybody listens.
type QueryTrace struct {
	tracer  Tracer
	ctx     context.Context
	start   time.Time
	query   *lido.Query
	rows    int64
	changes int64
	err     error
}

// TraceQuery tells Config.Tracer that a query begins which the caller runs by
// hand on a connection it has borrowed; sql should have no values in it. The
// caller goes on with the context, and calls Row, Changed and End. Without a
// tracer it returns ctx, nil.
func (db *DB) TraceQuery(ctx context.Context, sql string) (context.Context, *QueryTrace) {
	if db.trace.query == nil {
		return ctx, nil
	}
	t := db.startQuery(ctx, &lido.Query{SQL: sql})
	return t.ctx, t
}

// startQuery must only be called with a tracer.
func (db *DB) startQuery(ctx context.Context, q *lido.Query) *QueryTrace {
	t := &QueryTrace{tracer: db.trace.query, query: q, start: time.Now()}
	t.ctx = t.tracer.TraceQueryStart(ctx, TraceQueryStartData{Query: q})
	return t
}

// Row counts a row that was returned.
func (t *QueryTrace) Row() {
	if t != nil {
		t.rows++
	}
}

// Changed adds to the rows that were changed.
func (t *QueryTrace) Changed(n int64) {
	if t != nil {
		t.changes += n
	}
}

// End tells the tracer that the query has ended. Ending again does nothing.
func (t *QueryTrace) End(err error) {
	if t == nil || t.tracer == nil {
		return
	}
	if err == nil {
		err = t.err
	}
	tracer := t.tracer
	t.tracer = nil
	tracer.TraceQueryEnd(t.ctx, TraceQueryEndData{Query: t.query, Rows: t.rows, Changes: t.changes, Duration: time.Since(t.start), Err: err})
}

// stepped notes what a Step answered.
func (t *QueryTrace) stepped(s *sqlite.Stmt, row bool, err error) {
	switch {
	case err != nil:
		t.err = err
	case row:
		t.rows++
	default:
		t.changes += s.Changes()
	}
}

// TransactionTrace is a transaction that TraceTransaction began. A nil one does
// nothing.
type TransactionTrace struct {
	tracer  TransactionTracer
	ctx     context.Context
	start   time.Time
	wait    time.Duration
	what    TraceTransactionStartData
	members int
}

// TraceTransaction tells Config.Tracer, if it is a TransactionTracer, that a
// transaction begins which the caller runs by hand on a connection it has
// borrowed, or is about to. The caller goes on with the context, and calls Begun
// and End. Without such a tracer it returns ctx, nil.
func (db *DB) TraceTransaction(ctx context.Context, what TraceTransactionStartData) (context.Context, *TransactionTrace) {
	tracer := db.trace.transaction
	if tracer == nil {
		return ctx, nil
	}
	t := &TransactionTrace{tracer: tracer, what: what, start: time.Now()}
	t.ctx = tracer.TraceTransactionStart(ctx, what)
	return t.ctx, t
}

// Begun notes that the wait for the connection and for BEGIN is over.
func (t *TransactionTrace) Begun() {
	if t != nil {
		t.wait = time.Since(t.start)
	}
}

// End tells the tracer that the transaction has ended. Ending again does
// nothing.
func (t *TransactionTrace) End(outcome sqlite.Outcome, err error) {
	if t == nil || t.tracer == nil {
		return
	}
	tracer, took := t.tracer, time.Since(t.start)
	t.tracer = nil
	if t.wait == 0 {
		t.wait = took
	}
	tracer.TraceTransactionEnd(t.ctx, TraceTransactionEndData{ReadOnly: t.what.ReadOnly, Group: t.what.Group, Outcome: outcome,
		Members: t.members, Duration: took, Wait: t.wait, Err: err})
}

// errUnfinished is the error of a closure that has not returned.
var errUnfinished = errors.New("pool: the closure panicked, or ended its goroutine")

// end is End with the outcome that err tells.
func (t *TransactionTrace) end(err *error) {
	if t == nil {
		return
	}
	outcome := sqlite.RolledBack
	switch {
	case *err == nil:
		outcome = sqlite.Committed
	case errors.Is(*err, lido.ErrCommitUnknown):
		outcome = sqlite.CommitUnknown
	}
	t.End(outcome, *err)
}

// endGroup is end for a transaction that single writes and Batch closures share.
func (t *TransactionTrace) endGroup(members int, err error) {
	if t != nil {
		t.members = members
		t.end(&err)
	}
}

// runTraced runs the write under its query's trace.
func (s *recorded) runTraced() (err error) {
	t := s.db.startQuery(s.ctx, s.query)
	caller := s.ctx
	s.ctx = t.ctx
	t.err = errUnfinished
	defer func() {
		s.ctx = caller
		t.End(err)
	}()
	err = s.commit()
	if t.err = err; err == nil {
		t.changes = s.changes
		if s.columns > 0 {
			t.rows = int64(len(s.rows) / s.columns)
		}
	}
	return err
}

// acquireTraced is acquireFor under a trace.
func (p *Pool[R]) acquireTraced(ctx context.Context, q *lido.Query) (*Resource[R], error) {
	start := p.now()
	ctx = p.opt.Tracer.TraceAcquireStart(ctx, TraceAcquireStartData{Pool: p.opt.Name})
	r, err := p.acquire(ctx, q)
	told := false
	defer func() {
		if !told && err == nil { // the tracer panicked, and nobody gets r
			r.Release()
		}
	}()
	p.opt.Tracer.TraceAcquireEnd(ctx, TraceAcquireEndData{Pool: p.opt.Name, Duration: time.Duration(p.now() - start), Err: err})
	told = true
	return r, err
}

// traceRelease tells of a resource that was held since then.
func (p *Pool[R]) traceRelease(since int64, destroyed bool) {
	p.opt.Tracer.TraceRelease(TraceReleaseData{Pool: p.opt.Name, Held: time.Duration(p.now() - since), Destroyed: destroyed})
}

// checkpointTraced runs a checkpoint, under a trace if there is one.
func (db *DB) checkpointTraced(ctx context.Context, mode sqlite.CheckpointMode, run func(ctx context.Context) (sqlite.CheckpointResult, error)) (res sqlite.CheckpointResult, err error) {
	if db.trace.checkpoint == nil {
		return run(ctx)
	}
	start := time.Now()
	ctx = db.trace.checkpoint.TraceCheckpointStart(ctx, TraceCheckpointStartData{Mode: mode})
	res, err = run(ctx)
	db.trace.checkpoint.TraceCheckpointEnd(ctx, TraceCheckpointEndData{Mode: mode, Result: res, Duration: time.Since(start), Err: err})
	return res, err
}
