package stdlib

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// conn is what database/sql takes for a connection. It holds one of the pool
// only for a transaction, a session or open rows.
//
// database/sql calls it from one goroutine at a time.
type conn struct {
	connector *connector

	held *pool.Conn // by tx or by the session
	tx   *tx        // the transaction of BeginTx
	rows int        // streaming from held

	begun bool  // SQL has begun a transaction
	lost  error // why the engine has rolled back what SQL began, until SQL ends it

	// last is the outcome of the last change, which last_insert_rowid() and
	// changes() ask for, whichever connection that change and they run on.
	last result
	plan *plan // of the last text

	reader pool.ReadStmt // for one of the queries whose rows are open
}

var (
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ Conn                      = (*conn)(nil)
)

// lease is a connection of the pool for one call.
type lease struct {
	*pool.Conn
	own    bool // to be given back when the call ends
	reader bool // borrowed from the readers
}

// lease borrows the connection for statements that cannot go to the pool as
// they are: several at once, those that leave something on their connection,
// and everything inside a transaction or a session.
func (c *conn) lease(ctx context.Context) (lease, error) {
	if c.held != nil {
		return lease{Conn: c.held}, nil
	}
	if c.connector.readOnly {
		r, err := c.connector.db.AcquireReader(ctx)
		return lease{Conn: r, own: true, reader: true}, err
	}
	w, err := c.connector.db.AcquireWriter(ctx)
	if err != nil {
		return lease{}, err
	}
	w.RecallChanges(c.last.rowid, c.last.changes)
	return lease{Conn: w, own: true}, nil
}

// settle ends a call. What the call has left on the connection decides whether
// it is given back or becomes this conn's session.
func (c *conn) settle(l lease) {
	marked := l.InTransaction() || l.Tainted() != ""
	switch {
	case l.own && marked && !l.reader && l.Broken() == nil:
		c.held = l.Conn
	case l.own:
		if c.begun && !l.reader && c.lost == nil {
			c.lost = errTransactionEnded
		}
		c.begun = false
		giveBack(l.Conn, nil)
	case c.tx != nil:
		if !l.InTransaction() && c.tx.lost == nil {
			c.tx.lost = errTransactionEnded
		}
	case !marked && c.rows == 0:
		c.endSession()
	}
}

// forget ends the session together with what is remembered of it.
func (c *conn) forget() {
	c.endSession()
	if c.tx == nil {
		c.begun, c.lost = false, nil
	}
}

// endSession gives back what a session holds.
func (c *conn) endSession() {
	if c.held == nil || c.tx != nil {
		return
	}
	held := c.held
	c.held = nil
	giveBack(held, held.Rollback())
}

// giveBack ends the use of a connection. One that was changed on purpose is
// closed here: the pool would close it too, but log it as a mistake.
func giveBack(held *pool.Conn, err error) {
	if err != nil || held.Tainted() != "" && held.Broken() == nil {
		held.Destroy(err)
		return
	}
	held.Release()
}

// refused is asked before each statement.
func (c *conn) refused(s statement) error {
	if c.tx == nil {
		return c.lostBySQL()
	}
	if c.tx.lost != nil {
		return fmt.Errorf("stdlib: the transaction was rolled back by the engine after an earlier error: %w",
			errors.Join(lido.ErrClosed, c.tx.lost))
	}
	if s.class == classBegin || s.class == classEnd {
		return fmt.Errorf("stdlib: %q inside a transaction of database/sql; use its Commit and Rollback, or SAVEPOINT to nest", s.text)
	}
	return nil
}

// lostBySQL refuses what would run in autocommit though its author believes it
// to be in the transaction that SQL has begun.
func (c *conn) lostBySQL() error {
	if c.lost == nil {
		return nil
	}
	return fmt.Errorf("stdlib: the transaction begun by SQL was rolled back by the engine after an earlier error; end it with ROLLBACK: %w",
		errors.Join(lido.ErrClosed, c.lost))
}

// acknowledge takes from stmts the COMMIT or ROLLBACK by which SQL learns that
// its transaction is lost. The engine has none to end.
func (c *conn) acknowledge(ctx context.Context, stmts []statement) ([]statement, error) {
	if c.tx != nil || c.lost == nil {
		return stmts, nil
	}
	if len(stmts) > 0 && stmts[0].class == classEnd {
		lost := c.lost
		c.connector.note(ctx, stmts[0].text)
		c.begun, c.lost = false, nil
		if !rollsBack(stmts[0].text) {
			return nil, fmt.Errorf("stdlib: nothing was committed: the transaction begun by SQL was rolled back by the engine after an earlier error: %w",
				errors.Join(lido.ErrClosed, lost))
		}
		return stmts[1:], nil
	}
	return nil, c.lostBySQL()
}

// prepare readies s with its arguments. For transaction control, which runs at
// once, there is no statement to return.
func (c *conn) prepare(ctx context.Context, l *lease, s statement, args *arguments) (*sqlite.Stmt, error) {
	if err := c.refused(s); err != nil {
		return nil, err
	}
	if s.class.control() {
		if err := args.check(); err != nil {
			return nil, err
		}
		if s.class != classBegin { // must work on behalf of a caller who has given up
			ctx = context.WithoutCancel(ctx)
		}
		c.connector.note(ctx, s.text)
		err := l.Control(ctx, s.text)
		return nil, c.unsure(l, c.tx == nil && s.commits(), false, err)
	}
	var st *sqlite.Stmt
	var err error
	if s.once {
		st, err = l.PrepareOnce(ctx, s.text)
	} else {
		st, err = l.Prepare(ctx, s.text)
	}
	if err != nil {
		return nil, err
	}
	err = args.bind(st, s.params)
	if err == nil && c.tx != nil && c.tx.readOnly && !st.ReadOnly() {
		err = fmt.Errorf("stdlib: %w", lido.ErrReadOnly)
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	c.connector.note(ctx, s.text)
	return st, nil
}

// observe is told how each statement went. It notes a transaction that the
// engine has ended, so that nothing runs after it that belongs into it.
func (c *conn) observe(l *lease, s statement, err error) {
	open := l.InTransaction()
	lost := &c.lost
	if c.tx != nil {
		lost = &c.tx.lost
	} else {
		// What SQL ends itself is over, not lost.
		ended := s.class == classEnd || s.class == classSavepoint && err == nil
		begun := c.begun
		c.begun = open
		if !begun || ended {
			return
		}
	}
	if open || *lost != nil {
		return
	}
	if *lost = err; err == nil {
		*lost = errTransactionEnded
	}
}

// unsure marks the error of a statement that commits by itself, or commits what
// SQL has begun, when the fault may have struck the commit.
func (c *conn) unsure(l *lease, autocommit, readOnly bool, err error) error {
	if err == nil || !autocommit || readOnly || l.Broken() == nil {
		return err
	}
	return fmt.Errorf("stdlib: %w: %w", lido.ErrCommitUnknown, err)
}

// run takes one statement to its end. Its outcome goes to res, unless it only
// reads.
func (c *conn) run(ctx context.Context, l *lease, s statement, args *arguments, res *result) (err error) {
	ctx, trace := c.connector.db.TraceQuery(ctx, s.text)
	defer func() {
		c.observe(l, s, err)
		trace.End(err)
	}()
	autocommit := !l.InTransaction()
	st, err := c.prepare(ctx, l, s, args)
	if err != nil {
		return err
	}
	if st == nil {
		*res = c.last // COMMIT has no outcome of its own
		return nil
	}
	for {
		row, err := st.Step()
		if err != nil {
			return errors.Join(c.unsure(l, autocommit, st.ReadOnly(), err), st.Close())
		}
		if !row {
			break
		}
		trace.Row()
	}
	if !st.ReadOnly() {
		*res = c.outcome(st)
		trace.Changed(res.changes)
	}
	return st.Close()
}

// outcome is what a statement that has run to its end has come to.
func (c *conn) outcome(st *sqlite.Stmt) result {
	if st.ReadOnly() {
		return result{}
	}
	c.last = result{rowid: st.LastInsertID(), changes: st.Changes()}
	return c.last
}

// planOf cuts a text into statements, or finds that done. again is that of
// plans.get.
func (c *conn) planOf(text string, again bool) *plan {
	if c.plan == nil || c.plan.once || c.plan.text != text {
		c.plan = c.connector.plans.get(text, again)
	}
	return c.plan
}

// free reports that a statement may run on any connection: there is neither a
// transaction nor a session that it belongs to.
func (c *conn) free() bool { return c.held == nil && c.lost == nil }

// ExecContext runs every statement of query.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.exec(ctx, c.planOf(query, false), args)
}

func (c *conn) exec(ctx context.Context, p *plan, list []driver.NamedValue) (_ driver.Result, err error) {
	if c.free() && p.changes() && !p.list[0].returning && !c.connector.readOnly {
		return c.change(ctx, p, list)
	}
	if c.free() && p.reads() && !c.connector.readsOnWriter {
		rows, err := c.read(ctx, p, list)
		if err == nil {
			return result{}, rows.drain()
		}
		if !errors.Is(err, lido.ErrReadOnly) {
			return nil, err
		}
		p.writes.Store(true)
	}
	args := arguments{plan: p, list: list}
	stmts, err := c.acknowledge(ctx, p.list)
	if err != nil {
		return nil, err
	}
	if len(stmts) == 0 {
		return result{}, args.check()
	}
	l, err := c.lease(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { c.settle(l) }()
	var res result
	for _, s := range stmts {
		if err := c.run(ctx, &l, s, &args, &res); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// QueryContext runs every statement of query and returns the rows of the last.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, c.planOf(query, false), args)
}

func (c *conn) query(ctx context.Context, p *plan, list []driver.NamedValue) (_ driver.Rows, err error) {
	if c.free() && p.reads() && !c.connector.readsOnWriter {
		rows, err := c.read(ctx, p, list)
		if err == nil {
			return rows, nil
		}
		if !errors.Is(err, lido.ErrReadOnly) {
			return nil, err
		}
		// It looked like a query, but the engine would write.
		p.writes.Store(true)
	}
	if c.free() && p.changes() && !c.connector.readOnly {
		rows, err := c.changeRows(ctx, p, list)
		if err != nil {
			return nil, err // not a nil *rows in an interface
		}
		return rows, nil
	}
	return c.queryHere(ctx, p, list)
}

// queryHere runs the statements on a connection that is borrowed for them, or
// on the one that is held.
func (c *conn) queryHere(ctx context.Context, p *plan, list []driver.NamedValue) (_ driver.Rows, err error) {
	args := arguments{plan: p, list: list}
	stmts, err := c.acknowledge(ctx, p.list)
	if err != nil {
		return nil, err
	}
	if len(stmts) == 0 {
		return &buffered{}, args.check()
	}
	l, err := c.lease(ctx)
	if err != nil {
		return nil, err
	}
	streams := false
	defer func() {
		if !streams {
			c.settle(l)
		}
	}()
	last := len(stmts) - 1
	for _, s := range stmts[:last] {
		if err := c.run(ctx, &l, s, &args, new(result)); err != nil {
			return nil, err
		}
	}
	ctx, trace := c.connector.db.TraceQuery(ctx, stmts[last].text)
	defer func() {
		c.observe(&l, stmts[last], err)
		if !streams {
			trace.End(err)
		}
	}()
	autocommit := !l.InTransaction()
	st, err := c.prepare(ctx, &l, stmts[last], &args)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return &buffered{}, nil
	}
	// The first step, at once: it makes the snapshot that of the call, and a
	// schema that has changed may give the statement other columns.
	row, err := st.Step()
	if err != nil {
		return nil, errors.Join(c.unsure(&l, autocommit, st.ReadOnly(), err), st.Close())
	}
	// A query streams from a reader, and inside a transaction. What writes has
	// run when Query returns, and what has the writer for itself gives it back.
	if st.ReadOnly() && (l.reader || !l.own) {
		streams = true
		if !l.own {
			c.rows++
		}
		return c.stream(st, row, borrowed{conn: c, lease: l, trace: trace}), nil
	}
	all := &buffered{head: c.head(st.Columns(), row)}
	for row {
		trace.Row()
		values := make([]driver.Value, len(all.columns.Names))
		all.read(st, values, nil)
		all.rows = append(all.rows, values)
		if row, err = st.Step(); err != nil {
			return nil, errors.Join(c.unsure(&l, autocommit, st.ReadOnly(), err), st.Close())
		}
	}
	trace.Changed(c.outcome(st).changes)
	return all, st.Close()
}

// Prepare, Begin and the like are database/sql's interfaces from before
// contexts; it prefers the ones above.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// Ping reads the header of the file on a reader.
func (c *conn) Ping(ctx context.Context) error {
	on := c.held
	if on == nil {
		r, err := c.connector.db.AcquireReader(ctx)
		if err != nil {
			return err
		}
		defer r.Release()
		on = r
	}
	_, err := on.QueryInt64(ctx, "PRAGMA schema_version")
	return err
}

// IsValid is called when a *sql.Conn is closed, and after each call through a
// *sql.DB: that is where a session ends.
func (c *conn) IsValid() bool {
	c.forget()
	return true
}

// ResetSession is called before the conn is used again.
func (c *conn) ResetSession(context.Context) error {
	c.forget()
	return nil
}

// Close gives back whatever is held.
func (c *conn) Close() error {
	if c.tx != nil {
		return c.tx.Rollback()
	}
	c.forget()
	return nil
}
