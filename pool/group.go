package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/sqlite"
)

// Group commit: writes that wait for the writer at the same time share one
// transaction, and so one commit. Each runs in a savepoint of its own: one that
// fails is undone alone and the others go on; all are answered after COMMIT.
//
// Nobody waits in order to form a group. The first to come leads: it takes the
// writer, and what has queued up by then goes with it. A write that finds
// nobody else runs by itself, at no extra cost.
//
// The engine may throw the whole transaction away (a disk that is full, INSERT
// OR ROLLBACK, a statement over its time). Then nobody is told success: those
// whose work went with it are run again, without the one at fault.

// Bounds of a group. A member beyond one of them runs in a transaction of its
// own, where only its context bounds it.
const (
	groupMembers  = 256                    // as many share one commit
	groupTime     = 20 * time.Millisecond  // how long members are still let in
	groupStmtTime = 100 * time.Millisecond // how long one member may run
	groupRows     = 1000                   // how many rows of RETURNING are kept for one member
)

var errLeaderPanicked = errors.New("pool: the goroutine that ran the group panicked; nothing was applied")

var errGroupLost = errors.New("pool: the engine rolled the group back; its writes run again")

var errTooManyRows = errors.New("more rows than a group keeps")

// group is the queue of single writes.
type group struct {
	mu      sync.Mutex
	queue   []*member // the oldest first; guarded by mu
	leading bool      // somebody takes care of the queue; guarded by mu
}

// member is one write in the queue.
type member struct {
	rec      *recorded
	wake     chan struct{} // told once when it is to lead, or when it is done
	promoted bool          // it is to lead; guarded by group.mu
	alone    bool          // it must not share a transaction

	// Owned by the leader until wake is told.
	done bool
	err  error
}

type aloneKey struct{}

// Alone returns a context under which a single write does not share its
// transaction with others, whatever Config.NoGroupCommit says.
func Alone(ctx context.Context) context.Context { return context.WithValue(ctx, aloneKey{}, true) }

// runRecorded runs a single write and returns when it is committed.
func (db *DB) runRecorded(s *recorded) error {
	m := &member{rec: s, alone: db.cfg.NoGroupCommit || len(s.query.Writes) == 0 || s.ctx.Value(aloneKey{}) != nil}
	if lead := db.group.enter(m); !lead {
		select {
		case <-m.wake:
		case <-s.ctx.Done():
			if db.group.leave(m) {
				return fmt.Errorf("%s: wait for writer: %w", s.query, ended.Err(s.ctx))
			}
			<-m.wake // it is running, or it is to lead and pass that on
		}
		if m.done {
			return m.err
		}
	}
	db.lead(m)
	return m.err
}

// enter queues m and reports whether it is to lead.
func (g *group) enter(m *member) (lead bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = append(g.queue, m)
	if !g.leading {
		g.leading, m.promoted = true, true
		return true
	}
	m.wake = make(chan struct{}, 1)
	return false
}

// leave takes m out of the queue, unless it is running or to lead.
func (g *group) leave(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.promoted {
		return false
	}
	return g.remove(m)
}

func (g *group) remove(m *member) bool {
	i := slices.Index(g.queue, m)
	if i < 0 {
		return false
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	return true
}

// next takes the oldest member. With shared it takes only one that may share a
// transaction.
func (g *group) next(shared bool) *member {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 || (shared && g.queue[0].alone) {
		return nil
	}
	m := g.queue[0]
	g.queue = slices.Delete(g.queue, 0, 1)
	return m
}

// others reports whether the next two may share a transaction.
func (g *group) others() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue) > 1 && !g.queue[0].alone && !g.queue[1].alone
}

// again puts members back to the front, in their order.
func (g *group) again(ms ...*member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = slices.Insert(g.queue, 0, ms...)
}

// passOn makes the oldest member the leader, if there is one.
func (g *group) passOn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		g.leading = false
		return
	}
	g.queue[0].promoted = true
	g.queue[0].wake <- struct{}{}
}

// finish answers m. Its caller may go on at once.
func (m *member) finish(err error) {
	m.done, m.err = true, err
	if m.wake != nil && !m.promoted { // the leader answers itself
		m.wake <- struct{}{}
	}
}

// lead runs groups until m has its answer, and then passes the lead on.
func (db *DB) lead(m *member) {
	g := &db.group
	defer g.passOn()
	for !m.done {
		r, err := db.acquire(m.rec.ctx, db.writer, m.rec.query)
		if err != nil {
			g.mu.Lock()
			g.remove(m)
			g.mu.Unlock()
			m.finish(err)
			return
		}
		db.serve(r, m)
	}
}

// serve runs one group, or one member by itself, on the writer.
func (db *DB) serve(r *Resource[*sqlite.Conn], leader *member) {
	g, c := &db.group, r.Value()
	var taken []*member
	defer func() {
		r.Release()
		if p := recover(); p != nil {
			// It goes on to the leader's caller; nobody else may wait for ever.
			for _, m := range taken {
				if !m.done {
					m.finish(errLeaderPanicked)
				}
			}
			panic(p)
		}
	}()
	if !g.others() {
		m := g.next(false)
		taken = append(taken, m)
		c.RecallChanges(m.rec.before.rowid, m.rec.before.changes)
		err := m.rec.runOn(m.rec.ctx, c, 0)
		switch {
		case err == nil:
			db.committed()
		case c.Broken() != nil:
			// The statement commits by itself, so the fault may have struck
			// the commit.
			err = fmt.Errorf("%w: %w", lido.ErrCommitUnknown, err)
		}
		m.finish(err)
		return
	}
	// The others can still leave while this waits for another process.
	_, trace := db.TraceTransaction(leader.rec.ctx, TraceTransactionStartData{Group: true})
	if err := c.Begin(leader.rec.ctx, sqlite.Immediate); err != nil {
		trace.End(sqlite.RolledBack, err)
		g.mu.Lock()
		g.remove(leader)
		g.mu.Unlock()
		leader.finish(fmt.Errorf("pool: begin write: %w", err))
		return
	}
	trace.Begun()
	defer trace.End(sqlite.RolledBack, errGroupLost)
	start := time.Now()
	var kept []*member
	for len(kept) < groupMembers && time.Since(start) < groupTime {
		m := g.next(true)
		if m == nil {
			break
		}
		taken = append(taken, m)
		switch err := db.runMember(c, m); {
		case err == nil:
			kept = append(kept, m)
		case m.alone: // it was too large for a group, and comes next
			g.again(m)
			if c.InTransaction() {
				db.endGroup(c, kept, trace)
				return
			}
			g.again(kept...)
			return
		default:
			m.finish(err)
			if !c.InTransaction() {
				g.again(kept...)
				return
			}
		}
	}
	db.endGroup(c, kept, trace)
}

// runMember runs one member in a savepoint. It sets m.alone if the member is to
// run again by itself.
func (db *DB) runMember(c *sqlite.Conn, m *member) error {
	if err := m.rec.ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", m.rec.query, ended.Err(m.rec.ctx))
	}
	ctx := context.Background()
	if err := c.Control(ctx, "SAVEPOINT lido_member"); err != nil {
		return fmt.Errorf("pool: savepoint: %w", err)
	}
	c.RecallChanges(m.rec.before.rowid, m.rec.before.changes)
	c.LimitTime(groupStmtTime)
	// Without the member's context: interrupting a write would throw away what
	// the others have done.
	err := m.rec.runOn(ctx, c, groupRows)
	c.LimitTime(0)
	if err == nil && c.DeferredForeignKeys() {
		err = &lido.Error{Query: m.rec.query.Name, Code: codeConstraint, Extended: codeForeignKey, Message: "FOREIGN KEY constraint failed", Offset: -1}
	}
	if err == nil {
		if err = c.Control(ctx, "RELEASE lido_member"); err == nil {
			return nil
		}
	}
	switch {
	case err == errTooManyRows:
		m.alone = true
	case !errors.Is(err, lido.ErrInterrupted) || db.isClosing():
	case m.rec.ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", ended.Err(m.rec.ctx), err)
	default: // over its time
		m.alone = true
	}
	if c.InTransaction() {
		undo := c.Control(ctx, "ROLLBACK TO lido_member")
		if undo == nil {
			undo = c.Control(ctx, "RELEASE lido_member")
		}
		if undo != nil {
			// What cannot be undone must not be committed.
			err = errors.Join(err, undo, c.Rollback())
		}
	}
	return err
}

// https://www.sqlite.org/rescode.html#constraint_foreignkey
const (
	codeConstraint = 19
	codeForeignKey = codeConstraint | 3<<8
)

// endGroup commits, and answers those whose work is in the transaction.
func (db *DB) endGroup(c *sqlite.Conn, kept []*member, trace *TransactionTrace) {
	if len(kept) == 0 {
		trace.End(sqlite.RolledBack, nil)
		_ = c.Rollback()
		return
	}
	err := c.Commit()
	if err != nil {
		err = and(commitError(c, err), c.Rollback())
	} else {
		db.commits.Add(int64(len(kept)) - 1)
		db.committed()
		if len(kept) > 1 {
			db.grouped.Add(int64(len(kept)))
			db.groups.Add(1)
		}
	}
	trace.endGroup(len(kept), err)
	for _, m := range kept {
		m.finish(err)
	}
}

func (db *DB) isClosing() bool {
	select {
	case <-db.done:
		return true
	default:
		return false
	}
}
