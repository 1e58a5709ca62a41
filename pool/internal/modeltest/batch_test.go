package modeltest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lidodb/lido"
)

// plan is what a Batch closure does. It may run more than once, at any moment
// at which somebody else leads its group, so it takes no orders: it runs
// through, and tells what it met the last time.
type plan struct {
	first, second statement
	inner         *statement // in a savepoint
	undone        bool       // the savepoint is
	end           ending
}

func (p plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %s", p.first, p.second)
	if p.inner != nil {
		fmt.Fprintf(&b, "; savepoint %s", *p.inner)
		if p.undone {
			b.WriteString(" undone")
		}
	}
	fmt.Fprintf(&b, "; %s", endingNames[p.end])
	return b.String()
}

// explodes reports that a statement of it panics.
func (p plan) explodes() bool {
	return p.first.op == opExplode || p.second.op == opExplode || p.inner != nil && p.inner.op == opExplode
}

// attempt is what one run of a plan met.
type attempt struct {
	before  state
	results []result
	readErr error
	left    bool
}

// run does it, and notes in a what it meets.
func (p plan) run(ctx context.Context, tx lido.Tx, a *attempt) error {
	*a = attempt{}
	e := query(ctx, tx, 0)
	if e.err != nil {
		a.readErr = e.err
		return e.err
	}
	a.before = *e.dump
	a.results = append(a.results, perform(ctx, tx, p.first, false), perform(ctx, tx, p.second, false))
	if p.inner != nil {
		err := tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error {
			a.results = append(a.results, perform(ctx, tx, *p.inner, false))
			if p.undone {
				return errBoom
			}
			return nil
		})
		if err != nil && !errors.Is(err, errBoom) {
			return err
		}
	}
	a.left = true
	switch p.end {
	case endError:
		return errBoom
	case endPanic, endPanics:
		panic(errBoom)
	case endExit:
		vanish()
	}
	return nil
}

// batch starts a Batch with the plan.
func (c *call) batch(p plan) {
	var last attempt
	db, ctx := c.w.db, c.ctx
	c.on = c.nothing
	c.effect = func(before state, e event) (state, error) { return p.effect(c, before, e, last) }
	c.start(func() event {
		return event{err: db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error { return p.run(ctx, tx, &last) })}
	})
}

// effect holds the last run, and what Batch has answered, against the model.
func (p plan) effect(c *call, before state, e event, last attempt) (state, error) {
	gave := e.panicked != nil || e.exited
	if gave && last.left && p.end >= endPanic {
		return before, nil
	}
	if e.err != nil && !gave {
		if errors.Is(e.err, errBoom) && p.end == endError && last.left {
			return before, nil
		}
		if c.refusal(e.err) == nil {
			return before, nil
		}
	}
	if c.w.exploding && e.err != nil {
		return before, nil
	}
	if c.dead {
		return before, errors.New("its context had ended, and it ran")
	}
	// What it saw was what had been committed, and its group's doing, which by
	// now is committed.
	if last.readErr == nil && !last.before.equal(before) {
		return before, fmt.Errorf("it read %v, want %v", last.before, before)
	}
	after, lost := before.clone(), false
	sts := []statement{p.first, p.second}
	if p.inner != nil {
		sts = append(sts, *p.inner)
	}
	for i, st := range sts {
		if lost || i >= len(last.results) {
			break
		}
		at := after.clone()
		want := st.apply(&at)
		if got := last.results[i]; !errors.Is(got.err, want.err) || want.err == nil && (got.changes != want.changes || got.rows != want.rows) {
			return before, fmt.Errorf("%s: %+v, want %+v", st, got, want)
		}
		lost = want.lost
		if i < 2 || !p.undone {
			after = at
		}
	}
	orphans := after.orphans()
	switch {
	case lost && e.err == nil:
		return before, errors.New("success, though the transaction was lost")
	case e.err == nil && orphans:
		return before, errors.New("success, though a foreign key is broken")
	case e.err == nil && p.end != endNil:
		return before, errors.New("success, though it failed")
	case e.err == nil:
		return after, nil
	case lost, orphans && errors.Is(e.err, lido.ErrForeignKey):
		return before, nil
	}
	return before, fmt.Errorf("unexpected error: %w", e.err)
}
