package pool

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lidodb/lido/internal/callers"
	"github.com/lidodb/lido/sqlite"
)

// Commit is a transaction that was committed through this DB.
type Commit struct {
	// Tables are those in which it inserted, updated or deleted rows, and those
	// it created, altered or dropped: sorted, each once, spelled as in the
	// schema. All who are told share the slice; it must not be changed.
	Tables []string
	// Schema reports a change of the schema.
	Schema bool
	// Unknown reports that the commit failed and yet may have happened, as
	// lido.ErrCommitUnknown says. What is derived from the tables must be
	// thought of as out of date.
	Unknown bool
}

// Wrote reports whether one of tables is among c.Tables, in whatever case.
func (c Commit) Wrote(tables ...string) bool {
	return slices.ContainsFunc(c.Tables, func(t string) bool {
		return slices.ContainsFunc(tables, func(table string) bool { return strings.EqualFold(t, table) })
	})
}

// OnCommit calls fn after each transaction that changed a table, until stop: for
// caches, and for whoever waits for rows. It sees every way of writing: single
// writes, Write, Batch, connections borrowed by hand, package stdlib. Writes
// that share a commit are told of as the one transaction that they were.
//
// The engine itself says which tables a statement writes, with those that
// triggers and foreign-key actions write. Too many may be told of, never too
// few: a statement that failed in a transaction which went on counts for all of
// its tables. What changed no row, and what was undone with a savepoint, is not
// told of, nor are temporary tables and VACUUM. Full-text and other virtual
// tables appear under their own names only. Commits of other processes are not
// seen; sqlite.Conn.DataVersion tells that there were some.
//
// fn runs once the commit is as durable as Config.Synchronous makes it, and
// before the write returns to its caller: who has written and then reads meets
// a cache that fn has cleared. Calls come one at a time and in the order of the
// commits, on the goroutine of one of the writers. The writer has been given
// back by then, so somebody else's transaction may be under way, and find a
// commit of which fn has not been told yet. What is committed on a connection
// that was borrowed by hand is told of when that is given back.
//
// fn may use the database, with ctx or another context, and may close it. It is
// told of its own commits too, after it has returned, so it must not answer each
// with a further one. What it has others do, and waits for, these do with ctx:
// a write of theirs would else wait for this call of fn to return. A write that
// waits for the calls before its own leaves when its context ends, and after
// 5 s, which is logged: fn should be quick, and hand to a goroutine what takes
// longer. A panic in fn is logged to Config.Logger and goes no further; fn must
// not end its goroutine.
//
// stop may be called anywhere, also in fn, and again. A call of fn that has
// begun by then goes on. Nobody who listens costs nothing.
func (db *DB) OnCommit(fn func(ctx context.Context, c Commit)) (stop func()) {
	if fn == nil {
		panic("pool: OnCommit: no function")
	}
	me := &listener{fn}
	db.listenMu.Lock()
	defer db.listenMu.Unlock()
	db.setListeners(append(slices.Clone(db.listening()), me))
	return func() {
		db.listenMu.Lock()
		defer db.listenMu.Unlock()
		db.setListeners(slices.DeleteFunc(slices.Clone(db.listening()), func(l *listener) bool { return l == me }))
	}
}

// listener is one call of OnCommit. Functions cannot be compared, this can.
type listener struct {
	fn func(ctx context.Context, c Commit)
}

// listening returns those who are told of commits. The slice does not change.
func (db *DB) listening() []*listener {
	if l := db.listeners.Load(); l != nil {
		return *l
	}
	return nil
}

func (db *DB) setListeners(l []*listener) { db.listeners.Store(&l) }

// transactionEnded is told of each transaction that wrote, by the writer's
// connection, while the writer is held and the engine is on the stack above.
func (db *DB) transactionEnded(e sqlite.Ending) {
	if db.byHand {
		db.writes.Add(1)
		if e.Outcome == sqlite.Committed {
			db.committed()
		} else {
			db.rollbacks.Add(1)
		}
	}
	if len(db.listening()) == 0 || e.Outcome == sqlite.RolledBack || len(e.Tables) == 0 && !e.Schema {
		return
	}
	db.news.add(Commit{Tables: slices.Sorted(slices.Values(e.Tables)), Schema: e.Schema, Unknown: e.Outcome == sqlite.CommitUnknown})
}

// newsPatience is how long a write waits while others are told of commits.
const newsPatience = 5 * time.Second

// news are the commits of which listeners are to be told. Writers add to them
// while they have the connection, so they are in order, and see to it that they
// are told of when they have given it back: each returns when its own was.
type news struct {
	last, told atomic.Int64 // how many there ever were; of how many listeners were told
	patience   time.Duration

	mu      sync.Mutex
	queue   []Commit      // not told of yet, the oldest first; guarded by mu
	telling bool          // somebody tells; guarded by mu
	by      uintptr       // on that goroutine; guarded by mu
	waiting int           // how many wait for that one, and would go on with it; guarded by mu
	moved   chan struct{} // closed when one was told of; guarded by mu
	late    pace          // of lines about writes that gave up; guarded by mu
}

func (n *news) add(c Commit) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, c)
	n.last.Add(1)
}

// spread returns when listeners have been told of all that has been committed
// so far. It must not be called with the writer in hand: who listens may want it.
func (db *DB) spread(ctx context.Context) {
	if newest := db.news.last.Load(); db.news.told.Load() < newest {
		db.spreadTo(ctx, newest)
	}
}

func (db *DB) spreadTo(ctx context.Context, newest int64) {
	n := &db.news
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.told.Load() < newest {
		if !n.telling {
			db.tellAll(newest)
			continue
		}
		if ctx.Value(listenerKey{db}) != nil || n.by == callers.Goroutine() {
			return // who tells will come to it
		}
		if !db.awaitNews(ctx) && n.telling {
			break
		}
	}
	if !n.telling && n.waiting == 0 {
		db.tellAll(newest) // what nobody waits for
	}
}

// awaitNews waits until a commit was told of, with n.mu held before and after.
// It reports false if it gave up.
func (db *DB) awaitNews(ctx context.Context) bool {
	n := &db.news
	if n.moved == nil {
		n.moved = make(chan struct{})
	}
	moved := n.moved
	n.waiting++
	n.mu.Unlock()
	timer := time.NewTimer(n.patience)
	defer timer.Stop()
	told, late := false, false
	select {
	case <-moved:
		told = true
	case <-ctx.Done():
	case <-timer.C:
		late = true
	}
	n.mu.Lock()
	n.waiting--
	if late && n.late.due(time.Now()) {
		n.mu.Unlock()
		db.cfg.Logger.Warn("a write returned before all functions of OnCommit were told of it: one of them takes long, or waits for somebody who writes with another context than its own", "path", db.path)
		n.mu.Lock()
	}
	return told
}

// tellAll tells of the commits up to newest, and of those after it until
// somebody waits who can. n.mu is held before and after.
func (db *DB) tellAll(newest int64) {
	n := &db.news
	turned := func() {
		if n.moved != nil {
			close(n.moved)
			n.moved = nil
		}
	}
	n.telling, n.by = true, callers.Goroutine()
	defer func() {
		n.telling, n.by = false, 0
		turned()
	}()
	for len(n.queue) > 0 && (n.told.Load() < newest || n.waiting == 0) {
		c := n.queue[0]
		if n.queue = n.queue[1:]; len(n.queue) == 0 {
			n.queue = nil
		}
		n.mu.Unlock()
		func() {
			defer func() { // also when a listener ends the goroutine
				n.mu.Lock()
				n.told.Add(1)
				turned()
			}()
			ctx := context.WithValue(context.Background(), listenerKey{db}, c)
			for _, l := range db.listening() {
				db.tell(ctx, l, c)
			}
		}()
	}
}

// listenerKey marks the context that listeners get.
type listenerKey struct{ db *DB }

// tell calls one listener. The commit has happened, so a panic must not reach
// its caller.
func (db *DB) tell(ctx context.Context, l *listener, c Commit) {
	defer func() {
		if p := recover(); p != nil {
			db.cfg.Logger.Error("a function of OnCommit panicked", "path", db.path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	l.fn(ctx, c)
}
