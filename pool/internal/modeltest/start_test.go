package modeltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// terms are how a call is started.
type terms struct {
	dead    bool          // with a context that has ended
	timeout time.Duration // 0: none
	st      statement
	alone   bool // pool.Alone
	leave   bool // not closed
	pausing bool
	mode    sqlite.CheckpointMode
	plan    plan
}

// start begins a call in a slot that is free.
func (w *world) start(slot int, k kind, t terms) {
	if w.calls[slot] != nil {
		return
	}
	if k == kindClose && (w.closing != nil || w.shut && w.held()) {
		return
	}
	w.started++
	c := &call{w: w, slot: slot, number: w.started, kind: k, orders: make(chan order), dead: t.dead, since: time.Now()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	switch {
	case t.dead:
		c.cancel()
	case t.timeout > 0 && k != kindClose:
		c.ctx, c.cancel = context.WithTimeout(context.Background(), t.timeout)
	}
	if t.pausing {
		c.token = w.newPause(c)
		t.st.pauses = c.token
	}
	switch k {
	case kindSingle, kindSQLExec:
		c.what, c.explodes = t.st.String(), t.st.op == opExplode
	case kindBatch:
		c.what, c.explodes = t.plan.String(), t.plan.explodes()
	case kindQuery:
		if t.pausing {
			c.what = "pausing"
		}
	}
	text := fmt.Sprintf("slot %d: start %s", slot, c)
	if t.dead {
		text += ", context ended"
	}
	if t.timeout > 0 {
		text += fmt.Sprintf(", timeout %v", t.timeout)
	}
	w.note("%s", text)
	w.calls[slot] = c
	c.on = c.refusedOr(nil)
	db, ctx := w.db, c.ctx
	switch k {
	case kindWrite:
		c.on = c.refusedOr(func() error { c.levels = []state{w.committed.clone()}; return nil })
		c.start(func() event {
			return event{err: db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return c.obey(scope{ctx: ctx, tx: tx, r: tx}) })}
		})
	case kindRead:
		c.on = c.refusedOr(c.see)
		c.start(func() event {
			return event{err: db.Read(ctx, func(ctx context.Context, r lido.Reader) error { return c.obey(scope{ctx: ctx, r: r}) })}
		})
	case kindSingle:
		if t.alone {
			ctx = pool.Alone(ctx)
		}
		c.effect, c.on = c.single(t.st, !t.leave), c.nothing
		c.start(func() event { r := perform(ctx, db, t.st, t.leave); return event{err: r.err, result: r} })
	case kindSQLExec:
		c.effect, c.on = c.single(t.st, true), c.nothing
		c.start(func() event { r := onSQL(ctx, w.sql, t.st); return event{err: r.err, result: r} })
	case kindBatch:
		c.batch(t.plan)
	case kindQuery:
		c.on = c.readAnything
		c.start(func() event { return query(ctx, db, c.token) })
	case kindIterator:
		c.on = c.refusedOr(func() error { c.seen = newState(); return nil })
		c.start(func() event {
			s, err := db.PrepareRead(ctx, dumpQuery)
			if err != nil {
				return event{err: err}
			}
			defer s.Close()
			return event{err: c.obey(scope{ctx: ctx, rows: s})}
		})
	case kindWriter, kindReader:
		acquire := db.AcquireWriter
		if k == kindReader {
			acquire = db.AcquireReader
		}
		c.start(func() event {
			conn, err := acquire(ctx)
			if err != nil {
				return event{err: err}
			}
			defer conn.Release()
			if err := clean(conn.Conn, k == kindReader); err != nil {
				return event{err: errors.Join(errUnclean, err)}
			}
			return event{err: c.obey(scope{ctx: ctx, conn: conn})}
		})
	case kindSQLTx, kindSQLReadTx:
		c.on = c.refusedOr(func() error { c.levels = []state{w.committed.clone()}; return c.see() })
		c.start(func() event {
			tx, err := w.sql.BeginTx(ctx, &sql.TxOptions{ReadOnly: k == kindSQLReadTx})
			if err != nil {
				return event{err: err}
			}
			defer func() { _ = tx.Rollback() }()
			return event{err: c.obey(scope{ctx: ctx, sqlTx: tx})}
		})
	case kindCheckpoint:
		c.start(func() event { _, err := db.Checkpoint(ctx, t.mode); return event{err: err} })
	case kindClose:
		w.closing, w.hard = c, w.hard || t.dead
		c.on = c.closed
		c.start(func() event { return event{err: db.Close(ctx)} })
	}
	w.settle()
	if w.closing == c {
		w.nobodyWaits()
	}
}

var errUnclean = errors.New("the connection is not clean")

// clean looks at a connection that was just borrowed.
func clean(c *sqlite.Conn, readOnly bool) error {
	ctx := context.Background()
	switch {
	case c.InTransaction():
		return errors.New("in a transaction")
	case c.Tainted() != "":
		return errors.New("changed by " + c.Tainted())
	case c.OpenStatements():
		return errors.New("with an open statement")
	}
	for pragma, want := range map[string]string{"foreign_keys": "1", "query_only": fmt.Sprint(count(readOnly))} {
		if got, err := c.QueryText(ctx, "PRAGMA "+pragma); got != want || err != nil {
			return fmt.Errorf("PRAGMA %s is %q, %v", pragma, got, err)
		}
	}
	if n, err := c.QueryInt64(ctx, "SELECT count(*) FROM sqlite_temp_schema"); n != 0 || err != nil {
		return fmt.Errorf("%d temporary tables, %v", n, err)
	}
	return nil
}

// nothing is for calls of which the effect says all.
func (c *call) nothing(event) error { return nil }

// see notes what a snapshot that was taken in this step may show.
func (c *call) see() error {
	for _, st := range c.w.visited {
		c.snapshots = append(c.snapshots, st.clone())
	}
	return nil
}

// refusal says why the pool may refuse, whatever the call is.
func (c *call) refusal(err error) error {
	w := c.w
	switch {
	case errors.Is(err, lido.ErrCommitUnknown) || errors.Is(err, errUnclean):
	case c.gone() && errors.Is(err, c.ctx.Err()):
		return nil
	case w.closed() && errors.Is(err, lido.ErrClosed):
		return nil
	case w.hard && errors.Is(err, lido.ErrInterrupted):
		return nil
	case w.closed() && c.kind.grouped() && errors.Is(err, lido.ErrInterrupted):
		return nil // over its time in a group, and there is no second run any more
	case (c.kind == kindQuery || c.kind == kindIterator) && time.Since(c.since) >= iteratorLifetime && errors.Is(err, lido.ErrInterrupted):
		return nil
	case c.kind.reads() && time.Since(c.since) >= iteratorLifetime && errors.Is(err, lido.ErrReadersExhausted):
		return nil
	case w.contended && errors.Is(err, lido.ErrBusy):
		return nil
	case w.exploding && err != nil:
		return nil
	}
	return fmt.Errorf("unexpected error: %w", err)
}

// refusedOr is for a call that either gets what it asked for or is refused.
func (c *call) refusedOr(then func() error) func(e event) error {
	return func(e event) error {
		switch {
		case e.kind == ended && e.err == nil && !c.dead:
			return nil
		case e.kind == ended && e.err != nil:
			return c.refusal(e.err)
		case c.dead:
			return errors.New("its context had ended, and it went on")
		}
		c.holds = true
		if then != nil {
			return then()
		}
		return nil
	}
}

// single is the effect of a statement that is a transaction of its own.
func (c *call) single(st statement, counted bool) func(before state, e event) (state, error) {
	return func(before state, e event) (state, error) {
		if e.panicked != nil || e.exited {
			return before, c.refusal(errGone)
		}
		after := before.clone()
		want := st.alone(&after)
		r := e.result
		if r.err == nil {
			switch {
			case c.dead:
				return before, errors.New("its context had ended, and it was applied")
			case want.err != nil:
				return before, fmt.Errorf("it succeeded; want %w", want.err)
			case counted && (r.changes != want.changes || r.rows != want.rows && c.kind != kindSQLExec):
				return before, fmt.Errorf("%+v, want %+v", r, want)
			}
			return after, nil
		}
		if want.err != nil && !c.dead && errors.Is(r.err, want.err) {
			if st.op == opAddTwoFail && c.kind == kindWriter {
				// The engine commits what OR FAIL keeps, if nobody begins a transaction.
				after = before.clone()
				st.apply(&after)
				return after, nil
			}
			return before, nil
		}
		return before, c.refusal(r.err)
	}
}

// readAnything is the answer of a query that sees one committed state.
func (c *call) readAnything(e event) error {
	if e.err != nil {
		return c.refusal(e.err)
	}
	if c.dead {
		return errors.New("its context had ended, and it read")
	}
	if len(c.snapshots) == 0 {
		_ = c.see()
	}
	return c.compare(e)
}

// compare holds what was read against what may be seen, which from then on is
// that alone.
func (c *call) compare(e event) error {
	for _, st := range c.snapshots {
		if e.dump.equal(st) {
			c.snapshots = []state{st}
			return nil
		}
	}
	return fmt.Errorf("read %v, want one of %v", *e.dump, c.snapshots)
}

// closed is the end of Close.
func (c *call) closed(e event) error {
	w := c.w
	w.closing = nil
	if e.err != nil {
		var held *pool.HeldError
		if errors.As(e.err, &held) && w.hard {
			w.shut = true
			return nil
		}
		return e.err
	}
	if w.held() {
		return errors.New("it has returned, and connections are held")
	}
	w.note("reopen")
	w.must(w.sql.Close())
	w.shut, w.hard = false, false
	w.open()
	synctest.Wait()
	return nil
}

// closed reports that Close has begun.
func (w *world) closed() bool { return w.closing != nil || w.shut }

// held reports that a call has a connection.
func (w *world) held() bool {
	for _, c := range w.calls {
		if c != nil && c.kind != kindClose && (c.holding() || c.phase == waiting) {
			return true
		}
	}
	return false
}

// nobodyWaits holds that Close has sent away who was in a queue.
func (w *world) nobodyWaits() {
	for _, c := range w.calls {
		if c != nil && c.phase == waiting && c.kind != kindClose && !w.stuck() {
			w.fail("%s waits for a pool that is being closed", c)
		}
	}
}

// stuck reports that a call may wait inside the engine: for the rival's lock,
// or behind a member of its group that pauses.
func (w *world) stuck() bool {
	for _, c := range w.calls {
		if c != nil && c.phase == paused && c.kind.writes() {
			return true
		}
	}
	return w.rivalTx != nil
}
