package modeltest

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// A step is drawn once and then done to each world, which leaves out what it
// cannot do: a call may be in a queue in one and not in another.

// limits are what a test leaves out.
type limits struct {
	// agree leaves out what may rightly differ from one setup to another.
	agree bool
	// fragile lets panics go through the engine. Each costs a connection whose
	// memory and descriptor are given up, as the engine must not be entered.
	fragile bool
}

// often has the operations as often as they are to come. Parts are few, for a
// transaction with one whose item is missing cannot be committed.
var often = []operation{opPut, opPut, opPut, opAdd, opAdd, opAddReturning, opAddReturning, opAddTwo, opAddTwoFail,
	opAddRollback, opAddRollback, opRemove, opRemove, opPart, opUnpart, opBump, opBump, opNull, opEmpty, opSlow, opSlow}

// statement draws a write.
func (l limits) statement(rng *rand.Rand) statement {
	values := []string{"a", "b", "c", "d"}
	st := statement{
		op: often[rng.IntN(len(often))],
		k:  1 + rng.Int64N(4), k2: 1 + rng.Int64N(4),
		v: values[rng.IntN(len(values))], v2: values[rng.IntN(len(values))],
	}
	if l.fragile && rng.IntN(12) == 0 {
		st.op = opExplode
	}
	return st
}

// step draws one step and returns what it does to a world.
func (l limits) step(rng *rand.Rand) func(w *world) {
	slot := rng.IntN(slots)
	switch n := rng.IntN(100); {
	case n < 28:
		return l.begin(rng, slot)
	case n < 31:
		// A crowd, of which a group can be made.
		var all []func(w *world)
		for slot := range slots {
			k := []kind{kindSingle, kindSingle, kindBatch}[rng.IntN(3)]
			all = append(all, l.call(rng, slot, k))
		}
		return func(w *world) {
			for _, begin := range all {
				begin(w)
			}
		}
	case n < 80:
		how := l.advance(rng)
		return func(w *world) {
			if c := w.calls[slot]; c != nil {
				how(c)
			}
		}
	case n < 86:
		return func(w *world) { w.cancel(slot, l) }
	case n < 92:
		return l.rival(rng)
	case n < 95:
		d := []time.Duration{time.Millisecond, 30 * time.Millisecond, 120 * time.Millisecond, 3 * time.Second, 90 * time.Second, 4 * time.Minute}[rng.IntN(6)]
		if l.agree {
			d = 3 * time.Second
		}
		return func(w *world) { w.note("%v pass", d); w.sleep(d) }
	default:
		// A look from outside is the step of which the rest is made.
		return func(w *world) { w.note("look"); w.settle() }
	}
}

// begin draws a call to start.
func (l limits) begin(rng *rand.Rand, slot int) func(w *world) {
	kinds := []kind{kindWrite, kindWrite, kindWrite, kindWrite, kindRead, kindRead, kindSingle, kindSingle, kindSingle, kindBatch, kindBatch,
		kindQuery, kindQuery, kindIterator, kindIterator, kindWriter, kindWriter, kindReader, kindSQLTx, kindSQLReadTx, kindSQLExec, kindCheckpoint}
	k := kinds[rng.IntN(len(kinds))]
	if rng.IntN(40) == 0 {
		k = kindClose
	}
	return l.call(rng, slot, k)
}

// call draws how a call of that kind is started.
func (l limits) call(rng *rand.Rand, slot int, k kind) func(w *world) {
	t := terms{
		dead:    rng.IntN(25) == 0,
		st:      l.statement(rng),
		alone:   rng.IntN(8) == 0,
		leave:   rng.IntN(8) == 0,
		pausing: rng.IntN(3) == 0,
		mode:    []sqlite.CheckpointMode{sqlite.Passive, sqlite.Full, sqlite.Truncate}[rng.IntN(3)],
	}
	if rng.IntN(8) == 0 && !l.agree {
		t.timeout = []time.Duration{20 * time.Millisecond, time.Second}[rng.IntN(2)]
	}
	t.plan = plan{first: l.statement(rng), second: l.statement(rng), undone: rng.IntN(2) == 0,
		end: []ending{endNil, endNil, endNil, endNil, endError, endPanic, endExit}[rng.IntN(7)]}
	if rng.IntN(2) == 0 {
		inner := l.statement(rng)
		t.plan.inner = &inner
	}
	if k == kindClose {
		t.dead = rng.IntN(3) == 0
	}
	if k != kindSingle && k != kindQuery || k == kindSingle && t.st.op != opSlow {
		t.pausing = false
	}
	if k == kindSQLExec && (t.st.op == opAddReturning || t.st.op == opBump || t.st.op == opSlow) {
		t.st.op = opPut
	}
	return func(w *world) {
		if l.agree {
			// Readers have slots of their own, for with fewer connections they
			// take longer; who waits for the writer is of one kind, for a group
			// takes its members out of turn; and none pauses in a group, which
			// holds up the others.
			if (slot < 2) != k.reads() && k != kindClose || k.writes() && w.rivalTx != nil {
				return
			}
			for _, c := range w.calls {
				if c != nil && c.kind.writes() && k.writes() && (c.phase == waiting && !(c.kind == k && k.grouped()) || t.pausing) {
					return
				}
			}
			if k == kindClose && !w.hurryReaders() {
				return
			}
		}
		w.start(slot, k, t)
	}
}

// advance draws what a call is told to do next.
func (l limits) advance(rng *rand.Rand) func(c *call) {
	st := l.statement(rng)
	n := rng.IntN(100)
	leave, pausing := rng.IntN(4) == 0, rng.IntN(2) == 0
	how := []ending{endNil, endNil, endNil, endNil, endError, endPanic, endPanics, endExit}[rng.IntN(8)]
	which := []int{0, 0, 1, 1, 2, 3, 3, 3, 4}[rng.IntN(9)]
	return func(c *call) {
		switch {
		case c.phase == paused:
			c.resume()
			return
		case !c.ready():
			return
		}
		explode := l.fragile && n >= 98
		switch c.kind {
		case kindWrite:
			switch {
			case explode:
				c.explode()
			case n < 50:
				c.exec(st, leave && st.op == opAddReturning, pausing)
			case n < 62:
				c.read(pausing)
			case n < 76 && len(c.levels) < 4:
				c.savepoint()
			case n < 78:
				c.nested()
			case len(c.levels) > 1 && leave:
				c.leave(endError)
			default:
				c.leave(how)
			}
		case kindRead:
			switch {
			case explode:
				c.explode()
			case n < 60:
				c.read(pausing)
			case n < 65:
				c.nested()
			default:
				c.leave(how)
			}
		case kindIterator:
			if n < 75 {
				c.step()
			} else {
				c.leave(how)
			}
		case kindWriter, kindReader:
			switch {
			case n < 30 && c.kind == kindWriter:
				c.exec(st, false, false)
			case n < 45:
				c.read(false)
			case n < 60:
				c.control("begin")
			case n < 68:
				c.control("commit")
			case n < 71:
				c.control("rollback")
			case n < 92:
				c.spoil(which)
			default:
				c.giveBack(n >= 97)
			}
		case kindSQLTx, kindSQLReadTx:
			switch {
			case n < 50 && c.kind == kindSQLTx:
				c.exec(st, false, false)
			case n < 65:
				c.read(false)
			default:
				c.endSQL(n < 88)
			}
		}
	}
}

// resume lets a paused statement go on.
func (c *call) resume() {
	c.w.note("slot %d: %s: resume", c.slot, c)
	c.phase = waiting
	c.w.resume(c.token)
	c.w.settle()
}

// cancel ends the context of a call. If it is in a queue it must go.
func (w *world) cancel(slot int, l limits) {
	c := w.calls[slot]
	if c == nil || c.kind == kindClose || l.agree && c.phase == paused {
		return
	}
	w.note("slot %d: cancel %s", slot, c)
	queued := c.phase == waiting && !w.stuckInGroup()
	c.cancel()
	w.settle()
	if queued && c.phase == waiting {
		w.fail("%s was cancelled, and waits on", c)
	}
}

// stuckInGroup reports that a member of a group pauses.
func (w *world) stuckInGroup() bool {
	for _, c := range w.calls {
		if c != nil && c.phase == paused && c.kind == kindSingle {
			return true
		}
	}
	return false
}

// rival draws what the other process does.
func (l limits) rival(rng *rand.Rand) func(w *world) {
	st := l.statement(rng)
	n := rng.IntN(3)
	return func(w *world) {
		if l.agree {
			for _, c := range w.calls {
				if c != nil && c.kind.writes() {
					return
				}
			}
		}
		switch {
		case w.rivalTx == nil:
			w.rivalBegins(st)
		case st.op == opExplode:
		default:
			w.rivalEnds(n > 0)
		}
	}
}

// rivalBegins takes the write lock and writes, if nobody has the lock.
func (w *world) rivalBegins(st statement) {
	ctx := context.Background()
	w.note("rival: begin, %s", st)
	err := w.rival.Begin(ctx, sqlite.Immediate)
	if errors.Is(err, lido.ErrBusy) {
		w.settle()
		return
	}
	w.must(err)
	tx := w.committed.clone()
	w.rivalTx = &tx
	if st.op != opExplode {
		want := st.apply(&tx)
		got := onConn(ctx, w.rival, st)
		if !errors.Is(got.err, want.err) {
			w.fail("rival: %v, want %v", got.err, want.err)
		}
		if want.lost {
			w.rivalTx = nil
		}
	}
	w.settle()
}

func (w *world) rivalEnds(commit bool) {
	tx := *w.rivalTx
	w.rivalTx = nil
	if !commit || tx.orphans() {
		w.note("rival: rollback")
		w.must(w.rival.Rollback())
	} else {
		w.note("rival: commit")
		w.must(w.rival.Commit())
		w.committed = tx
	}
	w.settle()
}

// hurryReaders ends the calls that read, unless there are others.
func (w *world) hurryReaders() bool {
	for _, c := range w.calls {
		if c != nil && !c.kind.reads() {
			return false
		}
	}
	for range 3 * slots {
		for _, c := range w.calls {
			if c != nil {
				w.hurry(c)
			}
		}
	}
	return true
}

// hurry brings a call to its end.
func (w *world) hurry(c *call) {
	switch {
	case c.phase == paused:
		c.resume()
	case !c.ready():
		w.sleep(3 * time.Second)
	default:
		switch c.kind {
		case kindWriter, kindReader:
			c.giveBack(false)
		case kindSQLTx, kindSQLReadTx:
			c.endSQL(false)
		default:
			c.leave(endNil)
		}
	}
}
