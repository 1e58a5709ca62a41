package pool

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

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
// commits, on the goroutine of one of the writers, while that one holds the
// connection that writes. So fn must be quick, and must not use the database,
// nor wait for somebody who does: with ctx every call on it is lido.ErrNested,
// with another context a write would wait for ever. What takes longer fn hands
// to a goroutine. A panic in fn is logged to Config.Logger and goes no further;
// fn must not end its goroutine.
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
// connection, while the writer is held.
func (db *DB) transactionEnded(e sqlite.Ending) {
	if db.byHand {
		db.writes.Add(1)
		if e.Outcome == sqlite.Committed {
			db.committed()
		} else {
			db.rollbacks.Add(1)
		}
	}
	listeners := db.listening()
	if len(listeners) == 0 || e.Outcome == sqlite.RolledBack || len(e.Tables) == 0 && !e.Schema {
		return
	}
	c := Commit{Tables: slices.Sorted(slices.Values(e.Tables)), Schema: e.Schema, Unknown: e.Outcome == sqlite.CommitUnknown}
	ctx := context.WithValue(context.Background(), closureKey{db}, c)
	for _, l := range listeners {
		db.tell(ctx, l, c)
	}
}

// tell calls one listener. The commit has happened, and the engine is on the
// stack above: a panic must neither reach its caller nor go through it.
func (db *DB) tell(ctx context.Context, l *listener, c Commit) {
	defer func() {
		if p := recover(); p != nil {
			db.cfg.Logger.Error("a function of OnCommit panicked", "path", db.path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	l.fn(ctx, c)
}
