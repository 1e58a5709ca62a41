package modeltest

import (
	"context"
	"errors"
	"fmt"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// ready reports that the call waits for an order.
func (c *call) ready() bool { return c.phase == entered || c.phase == answered }

// inside takes the answer to a statement in a transaction of the typed calls or
// of database/sql.
func (c *call) inside(st statement, counted bool) func(e event) error {
	return func(e event) error {
		if e.kind == ended {
			return c.refusal(e.err)
		}
		return c.heard(st, e.result, counted)
	}
}

// heard holds what a statement in a transaction has answered against the model.
func (c *call) heard(st statement, r result, counted bool) error {
	top := &c.levels[len(c.levels)-1]
	if c.unsure && c.w.hard && errors.Is(r.err, lido.ErrInterrupted) {
		return nil // as everything is
	}
	if c.unsure {
		c.unsure, c.lost = false, errors.Is(r.err, lido.ErrInterrupted) || errors.Is(r.err, lido.ErrClosed)
	}
	switch {
	case c.lost:
		if r.err == nil {
			return errors.New("it ran, though its transaction is lost")
		}
		return nil
	case errors.Is(r.err, lido.ErrInterrupted) && (c.gone() || c.w.hard):
		c.unsure = true
		return nil
	case r.err != nil && c.gone() && errors.Is(r.err, c.ctx.Err()):
		return nil
	}
	want := st.apply(top)
	if !errors.Is(r.err, want.err) {
		return fmt.Errorf("%s: %v, want %v", st, r.err, want.err)
	}
	if want.err == nil && counted && (r.changes != want.changes || r.rows != want.rows) {
		return fmt.Errorf("%s: %+v, want %+v", st, r, want)
	}
	c.lost = want.lost
	return nil
}

// exec tells the call to run one write.
func (c *call) exec(st statement, leave, pausing bool) {
	w := c.w
	if pausing && c.kind == kindWrite {
		c.token = w.newPause(c)
		st.pauses = c.token
	}
	w.note("slot %d: %s: %s", c.slot, c, st)
	c.explodes = st.op == opExplode
	switch c.kind {
	case kindWrite:
		if leave && c.open == 0 {
			c.open = len(c.levels)
		}
		c.tell(func(s scope) (event, bool) { return event{result: perform(s.ctx, s.tx, st, leave)}, false }, nil, c.inside(st, !leave))
	case kindSQLTx:
		if st.op == opAddReturning || st.op == opBump || st.op == opSlow {
			st.op = opAdd
		}
		c.tell(func(s scope) (event, bool) { return event{result: onSQL(s.ctx, s.sqlTx, st)}, false }, nil, func(e event) error {
			if c.gone() && e.result.err != nil {
				return nil
			}
			return c.inside(st, true)(e)
		})
	case kindWriter:
		run := func(s scope) (event, bool) {
			r := onConn(s.ctx, s.conn.Conn, st)
			return event{err: r.err, result: r}, false
		}
		if c.begun {
			c.tell(run, nil, func(e event) error {
				if e.kind == ended {
					return c.refusal(e.err)
				}
				err := c.heard(st, e.result, true)
				if c.lost {
					// The borrower finds itself in autocommit; that is its affair.
					c.begun, c.lost = false, false
				}
				return err
			})
			break
		}
		effect := c.single(st, true)
		c.tell(run, effect, c.nothing)
	default:
		return
	}
	w.settle()
}

// read tells the call to read everything.
func (c *call) read(pausing bool) {
	w := c.w
	var token int64
	if pausing && (c.kind == kindWrite || c.kind == kindRead) {
		token = w.newPause(c)
		c.token = token
	}
	w.note("slot %d: %s: read", c.slot, c)
	check := func(e event) error {
		if e.kind == ended {
			return c.refusal(e.err)
		}
		switch {
		case e.err != nil && c.w.hard && errors.Is(e.err, lido.ErrInterrupted):
			return nil
		case e.err != nil && (c.lost || c.unsure):
			c.lost = true
			return nil
		case e.err != nil && c.gone():
			return nil
		case e.err != nil:
			return e.err
		case c.lost:
			return errors.New("it read, though its transaction is lost")
		}
		c.unsure = false
		if len(c.levels) > 0 && c.kind != kindSQLReadTx {
			if top := c.levels[len(c.levels)-1]; !e.dump.equal(top) {
				return fmt.Errorf("read %v, want %v", *e.dump, top)
			}
			return nil
		}
		if len(c.snapshots) == 0 || c.kind == kindReader && !c.begun {
			c.snapshots = nil
			_ = c.see()
		}
		return c.compare(e)
	}
	if c.kind == kindWriter && !c.begun {
		c.levels = []state{w.committed.clone()}
	}
	c.tell(func(s scope) (event, bool) {
		switch {
		case s.sqlTx != nil:
			return querySQL(s.ctx, s.sqlTx), false
		case s.conn != nil:
			q, err := s.conn.Prepare(s.ctx, dumpQuery.SQL)
			if err != nil {
				return event{err: err}, false
			}
			st, err := readState(q)
			err = errors.Join(err, q.Close())
			return event{err: err, dump: &st}, false
		}
		return query(s.ctx, s.r, token), false
	}, nil, check)
	w.settle()
}

// savepoint tells the call to open one.
func (c *call) savepoint() {
	w := c.w
	w.note("slot %d: %s: savepoint", c.slot, c)
	c.tell(func(s scope) (e event, leave bool) {
		defer func() {
			if p := recover(); p == errBoom {
				e.panicked = p
			} else if p != nil {
				panic(p)
			}
		}()
		err := s.tx.Savepoint(s.ctx, func(ctx context.Context, tx lido.Tx) error {
			return c.obey(scope{ctx: ctx, tx: tx, r: tx})
		})
		return event{err: err}, false
	}, nil, func(e event) error {
		switch {
		case e.kind == entered:
			if c.lost {
				return errors.New("savepoint in a transaction that is lost")
			}
			c.unsure = false
			c.levels = append(c.levels, c.levels[len(c.levels)-1].clone())
			return nil
		case e.err == nil:
			return errors.New("a savepoint that ran nothing returned nil")
		case c.lost || c.unsure:
			c.lost = c.lost || !c.w.hard
			return nil
		case c.open > 0 && errors.Is(e.err, lido.ErrBusy): // the engine opens none beside it
			return nil
		}
		return c.refusal(e.err)
	})
	w.settle()
}

// ending is how a closure ends.
type ending int

const (
	endNil ending = iota
	endError
	endPanic  // one that the closure around a savepoint recovers
	endPanics // one that nobody recovers
	endExit
	endings
)

var endingNames = [endings]string{"return nil", "return an error", "panic", "panic through", "Goexit"}

// leave tells the call to end its closure, or the innermost savepoint.
func (c *call) leave(how ending) {
	w := c.w
	w.note("slot %d: %s: %s", c.slot, c, endingNames[how])
	order := func(scope) (event, bool) {
		switch how {
		case endError:
			return event{err: errBoom}, true
		case endPanic:
			panic(errBoom)
		case endPanics:
			panic("through")
		case endExit:
			vanish()
		}
		return event{}, true
	}
	if len(c.levels) > 1 && how != endPanics && how != endExit {
		c.tell(order, nil, func(e event) error { return c.left(how, e) })
		w.settle()
		return
	}
	var effect func(before state, e event) (state, error)
	if c.kind == kindWrite {
		effect = func(before state, e event) (state, error) { return c.commit(how, before, e) }
	}
	c.tell(order, effect, func(e event) error {
		switch {
		case e.kind != ended:
			return errors.New("its closure runs again")
		case c.kind == kindWrite:
			return nil
		}
		return c.returned(how, e)
	})
	w.settle()
}

// returned is the end of a closure that changes nothing.
func (c *call) returned(how ending, e event) error {
	switch {
	case how == endNil && e.err == nil, how == endError && errors.Is(e.err, errBoom), how >= endPanic && e.err == errGone:
		return nil
	}
	return fmt.Errorf("%s: %v", endingNames[how], e)
}

// left is the end of a savepoint.
func (c *call) left(how ending, e event) error {
	n := len(c.levels) - 1
	inner := c.levels[n]
	c.levels = c.levels[:n]
	if c.open > n {
		c.open = 0
	}
	switch {
	case how == endPanic && e.panicked != nil:
		return nil
	case how == endError && errors.Is(e.err, errBoom):
		return nil
	case how != endNil:
		return fmt.Errorf("%s: %v", endingNames[how], e)
	case e.err != nil && (c.lost || c.unsure):
		c.lost = true
		return nil
	case e.err != nil:
		return e.err
	case c.lost:
		return errors.New("savepoint kept, though the transaction is lost")
	}
	c.unsure = false
	c.levels[n-1] = inner
	return nil
}

// commit is the end of a Write closure.
func (c *call) commit(how ending, before state, e event) (state, error) {
	if how != endNil {
		return before, c.returned(how, e)
	}
	after := c.levels[0]
	orphans := after.orphans()
	switch {
	case e.err == nil && c.lost:
		return before, errors.New("success, though the transaction is lost")
	case e.err == nil && c.late:
		return before, errors.New("success, though its context had ended")
	case e.err == nil && orphans:
		return before, errors.New("success, though a foreign key is broken")
	case e.err == nil:
		return after, nil
	case errors.Is(e.err, lido.ErrCommitUnknown):
		return before, e.err
	case c.lost || c.unsure:
		return before, nil
	case c.gone() && errors.Is(e.err, c.ctx.Err()):
		return before, nil
	case orphans && errors.Is(e.err, lido.ErrForeignKey):
		return before, nil
	}
	return before, fmt.Errorf("unexpected error: %w", e.err)
}

// explode runs a query in which a panic goes through the engine.
func (c *call) explode() {
	w := c.w
	w.note("slot %d: %s: explode", c.slot, c)
	c.explodes = true
	c.tell(func(s scope) (event, bool) {
		q, err := s.r.PrepareRead(s.ctx, explodeQuery)
		if err == nil {
			_, err = q.Step()
		}
		return event{err: errors.Join(errors.New("no panic"), err)}, false
	}, nil, func(e event) error {
		if e.kind != ended && !c.gone() && !w.hard && !c.lost && !c.unsure {
			return e.err
		}
		return nil
	})
	w.settle()
}

// nested makes calls from inside a closure that must be refused.
func (c *call) nested() {
	w := c.w
	w.note("slot %d: %s: nested calls", c.slot, c)
	c.tell(func(s scope) (event, bool) {
		for name, err := range map[string]error{
			"Write": w.db.Write(s.ctx, func(context.Context, lido.Tx) error { return nil }),
			"Read":  w.db.Read(s.ctx, func(context.Context, lido.Reader) error { return nil }),
			"write": perform(s.ctx, w.db, statement{op: opBump}, false).err,
			"query": query(s.ctx, w.db, 0).err,
		} {
			if !errors.Is(err, lido.ErrNested) {
				return event{err: fmt.Errorf("nested %s: %w", name, errors.Join(err, errors.New("not refused")))}, false
			}
		}
		if _, err := s.r.PrepareRead(s.ctx, opQueries[opBump]); !errors.Is(err, lido.ErrReadOnly) {
			return event{err: fmt.Errorf("a write as a read: %w", errors.Join(err, errors.New("not refused")))}, false
		}
		return event{}, false
	}, nil, func(e event) error { return e.err })
	w.settle()
}

// step tells an iterator to go to its next row.
func (c *call) step() {
	w := c.w
	w.note("slot %d: %s: step", c.slot, c)
	first := c.stepped == 0
	c.stepped++
	c.tell(func(s scope) (event, bool) {
		row, err := s.rows.Step()
		if err != nil || !row {
			return event{err: err, result: result{changes: -1}}, false
		}
		st := newState()
		err = st.addRow(s.rows.ColumnInt64(0), s.rows.ColumnInt64(1), s.rows.ColumnText(2))
		return event{err: err, dump: &st}, false
	}, nil, func(e event) error {
		if first {
			_ = c.see()
		}
		switch {
		case c.lost && e.err == nil:
			return errors.New("it went on after it had failed")
		case c.lost:
			return nil
		case e.err != nil:
			c.lost = true
			return c.refusal(e.err)
		case e.dump == nil:
			return c.compare(event{dump: &c.seen})
		}
		for k, v := range e.dump.items {
			c.seen.items[k] = v
		}
		for k, v := range e.dump.parts {
			c.seen.parts[k] = v
		}
		c.seen.n += e.dump.n
		return nil
	})
	w.settle()
}

// control tells a borrowed connection to begin, commit or roll back.
func (c *call) control(what string) {
	w := c.w
	w.note("slot %d: %s: %s", c.slot, c, what)
	var do func(s scope) error
	var effect func(before state, e event) (state, error)
	on := c.nothing
	begun := c.begun
	switch what {
	case "begin":
		mode := sqlite.Immediate
		if c.kind == kindReader {
			mode = sqlite.Deferred
		}
		do = func(s scope) error { return s.conn.Begin(s.ctx, mode) }
		on = func(e event) error {
			switch {
			case e.kind == ended:
				return c.refusal(e.err)
			case begun && e.err == nil:
				return errors.New("a transaction began inside another")
			case begun:
				return nil
			case e.err != nil:
				return c.refusal(e.err)
			}
			c.begun, c.lost = true, false
			c.levels, c.snapshots = []state{w.committed.clone()}, nil
			if c.kind == kindReader {
				c.levels = nil
			}
			return nil
		}
	case "commit":
		do = func(s scope) error { return s.conn.Commit() }
		if c.kind == kindWriter {
			effect = func(before state, e event) (state, error) {
				switch {
				case !begun || c.levels[0].orphans():
					if e.err == nil {
						return before, errors.New("success")
					}
					return before, nil
				case e.err != nil:
					return before, e.err
				}
				c.begun = false
				return c.levels[0], nil
			}
		} else {
			c.begun = false
		}
	case "rollback":
		do = func(s scope) error { return s.conn.Rollback() }
		on = func(e event) error { c.begun = false; return e.err }
	}
	c.tell(func(s scope) (event, bool) { return event{err: do(s)}, false }, effect, on)
	w.settle()
}

// spoils are what a borrower can do to a connection.
var spoils = []struct {
	name string
	do   func(s scope) error
}{
	{"a pragma", func(s scope) error { return s.conn.Exec(context.Background(), "PRAGMA foreign_keys = 0") }},
	{"a temporary table", func(s scope) error { return s.conn.Exec(context.Background(), "CREATE TEMP TABLE x(y)") }},
	{"an open statement", func(s scope) error {
		q, err := s.conn.Prepare(context.Background(), dumpQuery.SQL)
		if err == nil {
			_, err = q.Step()
		}
		return err
	}},
	{"an interrupt", func(s scope) error { s.conn.Interrupt(); return nil }},
	{"an authorizer", func(s scope) error {
		s.conn.SetAuthorizer(func(sqlite.Action, string, string, string, string) sqlite.Auth { return sqlite.AuthDeny })
		return nil
	}},
}

// spoil does one of them, and gives the connection back with the next order.
func (c *call) spoil(which int) {
	w := c.w
	w.note("slot %d: %s: %s is left behind", c.slot, c, spoils[which].name)
	c.tell(func(s scope) (event, bool) {
		err := spoils[which].do(s)
		_ = err // a transaction or an interrupt may forbid it
		return event{}, false
	}, nil, c.nothing)
	w.settle()
	c.giveBack(false)
}

// giveBack ends the use of a borrowed connection.
func (c *call) giveBack(destroy bool) {
	w := c.w
	what := "release"
	if destroy {
		what = "destroy"
	}
	w.note("slot %d: %s: %s", c.slot, c, what)
	c.tell(func(s scope) (event, bool) {
		if destroy {
			s.conn.Destroy(errBoom)
		}
		s.conn.Release() // once more does nothing
		return event{}, true
	}, nil, func(e event) error { return e.err })
	w.settle()
}

// endSQL ends a transaction of database/sql.
func (c *call) endSQL(commit bool) {
	w := c.w
	what := "rollback"
	if commit {
		what = "commit"
	}
	w.note("slot %d: %s: %s", c.slot, c, what)
	var effect func(before state, e event) (state, error)
	if c.kind == kindSQLTx {
		effect = func(before state, e event) (state, error) {
			if !commit {
				return before, nil
			}
			after := c.levels[0]
			switch {
			case e.err == nil && (c.lost || c.late || after.orphans()):
				return before, errors.New("success")
			case e.err == nil:
				return after, nil
			case c.lost || c.unsure || c.gone() || after.orphans() && errors.Is(e.err, lido.ErrForeignKey):
				return before, nil
			}
			return before, e.err
		}
	}
	c.tell(func(s scope) (event, bool) {
		if commit {
			return event{err: s.sqlTx.Commit()}, true
		}
		return event{err: s.sqlTx.Rollback()}, true
	}, effect, func(e event) error {
		if e.err != nil && c.kind == kindSQLReadTx && !c.gone() {
			return e.err
		}
		return nil
	})
	w.settle()
}
