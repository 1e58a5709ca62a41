package sqlite

import (
	"context"
	"runtime/debug"

	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/internal/seeded"
)

// BeginMode says which locks BEGIN takes.
//
// https://www.sqlite.org/lang_transaction.html
type BeginMode int

const (
	// Deferred takes no lock. The first read pins the snapshot.
	Deferred BeginMode = iota
	// Immediate takes the write lock at once, and waits for it.
	Immediate
)

// Begin opens a transaction. With Immediate it waits for another connection's
// write lock as BusyTimeout and ctx allow; it is not interrupted otherwise.
func (c *Conn) Begin(ctx context.Context, mode BeginMode) error {
	if seeded.MissingBegin && mode == Immediate {
		return nil
	}
	sql := "BEGIN"
	if mode == Immediate {
		sql = "BEGIN IMMEDIATE"
	}
	return c.control(ctx, &c.begin[mode], sql)
}

// Commit commits the open transaction. It looks at no context: once begun, a
// commit is seen through. Statements that are still open must be closed first.
//
// A commit that fails may leave the transaction open; InTransaction tells.
func (c *Conn) Commit() error { return c.control(context.Background(), &c.commit, "COMMIT") }

// Rollback undoes the open transaction, if there is one.
func (c *Conn) Rollback() error {
	if c.faulted || !c.InTransaction() || seeded.SkippedRollback {
		return nil
	}
	return c.control(context.Background(), &c.rollback, "ROLLBACK")
}

// Control runs one statement of transaction control (SAVEPOINT, RELEASE,
// ROLLBACK TO) in the way of Begin and Commit: never interrupted half way. The
// statement is kept prepared, so there should be few different texts.
func (c *Conn) Control(ctx context.Context, sql string) error {
	if !c.take() {
		return c.usedTwice(sql)
	}
	defer c.give()
	s := c.controls[sql]
	err := c.controlHere(ctx, &s, sql)
	if s != nil && c.controls[sql] == nil {
		if c.controls == nil {
			c.controls = make(map[string]*Stmt)
		}
		c.controls[sql] = s
	}
	return err
}

func (c *Conn) control(ctx context.Context, kept **Stmt, sql string) error {
	if !c.take() {
		return c.usedTwice(sql)
	}
	defer c.give()
	return c.controlHere(ctx, kept, sql)
}

// controlHere runs sql from a statement that is kept in *kept. While the progress
// handler is armed the engine answers COMMIT and its kin with INTERRUPT and
// leaves the transaction open, so it is off here.
func (c *Conn) controlHere(ctx context.Context, kept **Stmt, sql string) (err error) {
	if err := c.alive(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ended.Err(ctx)
	}
	defer c.guard(debug.SetPanicOnFault(true), &err)
	c.ctx = endable(ctx)
	c.uninterruptible = true
	authorizer := c.authorizer
	c.authorizer = nil
	defer func() { c.ctx, c.uninterruptible, c.authorizer = nil, false, authorizer }()

	if *kept == nil {
		s, err := c.compile(ctx, sql, lib.SQLITE_PREPARE_PERSISTENT)
		if err != nil {
			return err
		}
		*kept = s
	}
	stmt := (*kept).stmt
	rc := lib.Xsqlite3_step(c.tls, stmt)
	if rc != lib.SQLITE_DONE {
		err = c.fail(ctx, rc, "")
	}
	lib.Xsqlite3_reset(c.tls, stmt)
	if c.onEnding != nil {
		c.ranTo(&(*kept).effects, err, db(c).FnTotalChange)
	}
	return err
}
