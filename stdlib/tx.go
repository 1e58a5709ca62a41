package stdlib

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

var (
	errTransactionEnded = errors.New("the transaction is no longer open")
	errBegunBySQL       = errors.New("stdlib: a transaction that was begun by SQL is open on this connection; end it by SQL")
)

// tx is a transaction of BeginTx. It holds a connection of the pool.
type tx struct {
	conn     *conn
	readOnly bool
	borrowed bool  // on the session's connection, which stays with the session
	keysOff  bool  // foreign keys were turned off for it
	lost     error // why the engine has rolled the transaction back
	trace    *pool.TransactionTrace
}

// BeginTx waits for the writer, or for a reader if the transaction is read-only,
// as long as ctx allows.
//
// https://www.sqlite.org/isolation.html
func (c *conn) BeginTx(ctx context.Context, opt driver.TxOptions) (driver.Tx, error) {
	switch level := sql.IsolationLevel(opt.Isolation); level {
	case sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead,
		sql.LevelSnapshot, sql.LevelSerializable:
		// A level says what must not happen. Of all that the standard names
		// nothing does: SQLite's transactions are serializable.
	default:
		return nil, fmt.Errorf("stdlib: isolation level %s is not one that SQLite knows; its transactions are serializable, so leave the level at the default", level)
	}
	if err := c.lostBySQL(); err != nil {
		return nil, err
	}
	t := &tx{conn: c, readOnly: opt.ReadOnly || c.connector.readOnly, borrowed: c.held != nil}
	if t.borrowed && c.held.InTransaction() {
		return nil, errBegunBySQL
	}
	ctx, t.trace = c.connector.db.TraceTransaction(ctx, pool.TraceTransactionStartData{ReadOnly: t.readOnly})
	if !t.borrowed {
		acquire := c.connector.db.AcquireWriter
		if t.readOnly {
			acquire = c.connector.db.AcquireReader
		}
		held, err := acquire(ctx)
		if err != nil {
			t.trace.End(sqlite.RolledBack, err)
			return nil, err
		}
		held.RecallChanges(c.last.rowid, c.last.changes)
		c.held = held
	}
	if err := t.begin(ctx); err != nil {
		err = errors.Join(err, c.held.Rollback())
		t.release()
		t.trace.End(sqlite.RolledBack, err)
		return nil, err
	}
	t.trace.Begun()
	c.tx = t
	return t, nil
}

func (t *tx) begin(ctx context.Context) error {
	c := t.conn
	if t.readOnly {
		c.connector.note(ctx, "BEGIN")
		if err := c.held.Begin(ctx, sqlite.Deferred); err != nil {
			return err
		}
		// Only a read pins the snapshot; this one looks at a single page.
		_, err := c.held.QueryInt64(ctx, "SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)")
		return err
	}
	if c.connector.schemaChanges {
		var err error
		if t.keysOff, err = foreignKeysOff(ctx, c.held.Conn); err != nil {
			return err
		}
	}
	c.connector.note(ctx, "BEGIN IMMEDIATE")
	return c.held.Begin(ctx, sqlite.Immediate)
}

// Commit commits, and gives the connection back whatever the outcome.
func (t *tx) Commit() (err error) {
	c := t.conn
	if c.tx != t {
		return sql.ErrTxDone
	}
	defer func() {
		t.release()
		outcome := sqlite.Committed
		switch {
		case errors.Is(err, lido.ErrCommitUnknown):
			outcome = sqlite.CommitUnknown
		case err != nil:
			outcome = sqlite.RolledBack
		}
		t.trace.End(outcome, err)
	}()
	if t.lost != nil || !c.held.InTransaction() {
		return fmt.Errorf("stdlib: nothing was committed: the transaction was rolled back by the engine after an earlier error: %w",
			errors.Join(lido.ErrClosed, t.lost))
	}
	ctx := context.Background()
	if c.connector.schemaChanges && !t.readOnly {
		if err := checkForeignKeys(ctx, c.held.Conn, c.connector.db.OpenConn); err != nil {
			return err
		}
	}
	c.connector.note(ctx, "COMMIT")
	if err := c.held.Commit(); err != nil {
		if c.held.Broken() != nil {
			// The frames may be in the WAL, where the next recovery finds them.
			err = fmt.Errorf("%w: %w", lido.ErrCommitUnknown, err)
		}
		return errors.Join(err, c.held.Rollback())
	}
	return nil
}

// Rollback undoes the transaction and gives the connection back.
func (t *tx) Rollback() (err error) {
	c := t.conn
	if c.tx != t {
		return sql.ErrTxDone
	}
	defer func() {
		t.release()
		t.trace.End(sqlite.RolledBack, err)
	}()
	c.connector.note(context.Background(), "ROLLBACK")
	return c.held.Rollback()
}

// release ends the transaction's hold. A connection that could not be brought
// back to what it was is closed.
func (t *tx) release() {
	c := t.conn
	c.tx = nil
	err := c.held.Rollback()
	if t.keysOff {
		err = errors.Join(err, foreignKeysOn(c.held.Conn))
	}
	if t.borrowed && err == nil {
		return
	}
	held := c.held
	c.held = nil
	giveBack(held, err)
}
