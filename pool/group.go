package pool

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/internal/seeded"
	"github.com/lidodb/lido/sqlite"
)

// Group commit: writes that wait for the writer at the same time share one
// transaction, and so one commit. Each runs in a savepoint of its own: one that
// fails is undone alone and the others go on; all are answered after COMMIT.
//
// Nobody waits in order to form a group. The first to come leads: it queues for
// the writer like anybody, and what has come after it by then goes with it. A
// write that finds nobody else runs by itself, at no extra cost. After one group
// the writer is given back, and whoever leads the next queues for it anew.
//
// The engine may throw the whole transaction away (a disk that is full, INSERT
// OR ROLLBACK, a statement over its time). Then nobody is told success: those
// whose work went with it are run again, without the one at fault.

// Bounds of a group. A member beyond one of them runs in a transaction of its
// own, where only its context bounds it.
const (
	groupMembers    = 256                    // as many share one commit
	groupTime       = 20 * time.Millisecond  // how long members are still let in
	groupMemberTime = 100 * time.Millisecond // how long one member may run
	groupRows       = 1000                   // how many rows of RETURNING are kept for one member
	groupTries      = 3                      // how often one member goes down with a group
)

var (
	errBeyond   = errors.New("pool: a member is beyond the bounds of a group")
	errPanicked = errors.New("pool: a member of the group panicked")
)

// group is the queue of single writes and Batch closures.
type group struct {
	mu      sync.Mutex
	queue   []*member // the oldest first; guarded by mu
	last    int64     // the number of the youngest that ever came; guarded by mu
	leading bool      // somebody takes care of the queue; guarded by mu
	crowded bool      // the last transaction was shared; owned by the leader

	time, memberTime time.Duration // groupTime and groupMemberTime; longer in tests

	// explain adds to the error of a member that left the queue why it is long.
	explain func(error) error

	// Statistics.
	shared, members, largest, beyond, aborted, again atomic.Int64
	waits, waitTime                                  atomic.Int64
}

// member is one write in the queue.
type member struct {
	work
	ctx   context.Context
	query *lido.Query // of a statement
	level Synchronous
	tries int // how often it went down with a group

	number   int64         // its place in the order of arrival; guarded by group.mu
	wake     chan struct{} // told once when it is to lead, or when it is done
	turn     chan func()   // what it is to do on its own goroutine; nil if nothing
	promoted bool          // it is to lead; guarded by group.mu

	// Owned by the leader until wake is told.
	done bool
	err  error
}

// work is what a member does.
type work interface {
	// single does it in a transaction of its own, on its caller's goroutine.
	single(r *Resource[*sqlite.Conn]) error
	// shared does it in the transaction of a group; leading says that this is its
	// caller's goroutine. errBeyond says that it is to be done by itself.
	shared(r *Resource[*sqlite.Conn], leading bool) error
}

// name is for errors.
func (m *member) name() string {
	if m.query != nil {
		return m.query.String()
	}
	return "pool: batch"
}

// join has m run in a group, or by itself where it is beyond the bounds of one.
// It returns when m is committed or undone.
func (db *DB) join(m *member) error {
	if db.waitsForItself() {
		return fmt.Errorf("%s: %w", m.name(), lido.ErrNested)
	}
	if lead := db.group.enter(m); lead || db.group.await(m) {
		db.lead(m)
	}
	if m.err == errBeyond {
		return db.runAlone(m)
	}
	return m.err
}

// runAlone runs m in a transaction of its own, for which it queues like anybody.
func (db *DB) runAlone(m *member) error {
	r, err := db.acquire(m.ctx, db.writer, m.query)
	if err != nil {
		return err
	}
	defer r.Release()
	return db.single(r, m)
}

func (db *DB) single(r *Resource[*sqlite.Conn], m *member) error {
	if err := r.Value().SetSynchronous(m.ctx, m.level.pragma()); err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	return m.single(r)
}

// enter queues m and reports whether it is to lead.
func (g *group) enter(m *member) (lead bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last++
	m.number = g.last
	g.queue = append(g.queue, m)
	if !g.leading {
		g.leading, m.promoted = true, true
		return true
	}
	m.wake = make(chan struct{}, 1)
	return false
}

// await returns when m has its answer, or is to lead. It leaves the queue if
// its context ends there.
func (g *group) await(m *member) (lead bool) {
	start := time.Now()
	defer func() {
		g.waitTime.Add(int64(time.Since(start)))
		g.waits.Add(1)
	}()
	gone := m.ctx.Done()
	for {
		select {
		case <-m.wake:
			return !m.done
		case do := <-m.turn:
			do()
		case <-gone:
			if g.leave(m) {
				m.err = fmt.Errorf("%s: wait for writer: %w", m.name(), ended.Err(m.ctx))
				m.err = g.explain(m.err)
				return false
			}
			gone = nil // it is running, or it is to lead and pass that on
		}
	}
}

// leave takes m out of the queue, unless it is running or to lead.
func (g *group) leave(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !m.promoted && (seeded.GhostInTheQueue || g.remove(m))
}

func (g *group) remove(m *member) bool {
	i := slices.Index(g.queue, m)
	if i < 0 {
		return false
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	return true
}

// drop takes the leader out of the queue.
func (g *group) drop(leader *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(leader)
}

// next takes the oldest member, if it has the leader's level and came no later
// than newest.
func (g *group) next(leader *member, newest int64) *member {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 || g.queue[0].level != leader.level || g.queue[0].number > newest {
		return nil
	}
	m := g.queue[0]
	g.queue = slices.Delete(g.queue, 0, 1)
	return m
}

// youngest returns the number of the last member that came, and whether the
// leader, who is the first, and the next may share a transaction.
func (g *group) youngest(leader *member) (number int64, company bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last, len(g.queue) > 1 && g.queue[1].level == leader.level
}

// waiting takes all who came no later than newest, but for the leader.
func (g *group) waiting(leader *member, newest int64) (ms []*member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = slices.DeleteFunc(g.queue, func(m *member) bool {
		if m == leader || m.number > newest {
			return false
		}
		ms = append(ms, m)
		return true
	})
	return ms
}

// refuse answers all who came no later than newest, but for the leader: what it
// has waited for they have waited for.
func (g *group) refuse(leader *member, newest int64, err error) {
	for _, m := range g.waiting(leader, newest) {
		m.finish(err)
	}
}

// putBack queues members before all others, in their order.
func (g *group) putBack(ms ...*member) {
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
	if !m.promoted { // the leader answers itself
		m.wake <- struct{}{}
	}
}

// lead runs groups until m has its answer, and then passes the lead on.
func (db *DB) lead(m *member) {
	defer func() {
		db.group.drop(m) // where it still is when a tracer panics
		db.group.passOn()
	}()
	for !m.done {
		r, err := db.acquire(m.ctx, db.writer, m.query)
		if err == nil {
			err = db.serve(r, m)
		} else if errors.Is(err, lido.ErrBusy) && m.ctx.Err() == nil {
			db.group.refuse(m, math.MaxInt64, err)
		}
		if err != nil {
			db.group.drop(m)
			m.finish(err)
		}
	}
}

// serve runs one group, or the leader by itself, on the writer. An error is for
// the leader, who is still in the queue.
func (db *DB) serve(r *Resource[*sqlite.Conn], leader *member) error {
	g, c := &db.group, r.Value()
	s := session{db: db, conn: c, res: r, leader: leader}
	defer s.end()
	last, company := g.youngest(leader)
	if !company && g.crowded {
		// Those whom the last group has answered may be about to write again, and
		// only wait for a processor.
		runtime.Gosched()
		last, company = g.youngest(leader)
	}
	g.crowded = company
	if !company {
		g.drop(leader)
		leader.finish(db.single(r, leader))
		return nil
	}
	if err := c.SetSynchronous(leader.ctx, leader.level.pragma()); err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	_, s.trace = db.TraceTransaction(leader.ctx, TraceTransactionStartData{Group: true})
	// The others can still leave while this waits for another process.
	if err := c.Begin(leader.ctx, sqlite.Immediate); err != nil {
		s.trace.End(sqlite.RolledBack, err)
		err = fmt.Errorf("pool: begin write: %w", err)
		if errors.Is(err, lido.ErrBusy) && leader.ctx.Err() == nil {
			g.refuse(leader, last, err)
		}
		return err
	}
	s.trace.Begun()
	last, _ = g.youngest(leader)
	start := time.Now()
	for len(s.kept) < groupMembers && time.Since(start) < g.time {
		newest := last
		if db.writer.waiting.Load() == 0 {
			newest = math.MaxInt64
		}
		m := g.next(leader, newest)
		if m == nil || !s.take(m) {
			break
		}
	}
	s.commit()
	return nil
}

func (db *DB) isClosing() bool {
	select {
	case <-db.done:
		return true
	default:
		return false
	}
}
