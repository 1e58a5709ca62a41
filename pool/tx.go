package pool

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/internal/inuse"
	"github.com/lidodb/lido/internal/seeded"
	"github.com/lidodb/lido/sqlite"
)

// tx is a transaction while its closure runs: of Read, on a reader, or of
// Write, on the writer. Savepoints make one inside another.
type tx struct {
	db       *DB
	res      *Resource[*sqlite.Conn]
	conn     *sqlite.Conn
	readOnly bool
	shared   bool  // with others, who are not to be undone
	depth    int   // of savepoints
	prepared int64 // statements, since they were last counted

	// ended is atomic because a handle that escapes its closure is most likely
	// used by another goroutine.
	ended  atomic.Bool
	fate   *fate  // savepoints share it
	open   *stmt  // statements that were not closed yet
	spare  []stmt // allocated together, each handed out once
	spared int    // how many were allocated the last time
}

// fate is what has become of a transaction.
type fate struct {
	// use is entered by each call in the transaction, and over when the closure has
	// returned. What follows, and the fields of tx, belong to the call that has entered it;
	// misuse is set by a call that could not.
	use    inuse.Flag
	misuse atomic.Pointer[error]
	nested int // savepoints that are open

	poisoned error // why the engine threw it away

	// A member of a group has no more time than until, if that is not zero.
	// late says that a call in it was refused or stopped for that, or that the
	// closure was interrupted and the group is lost.
	until time.Time
	late  bool
}

// What holds a connection beside the statements, for reports that name it.
var (
	readClosure  = &lido.Query{Name: "Read closure"}
	writeClosure = &lido.Query{Name: "Write closure"}
	batchClosure = &lido.Query{Name: "Batch closure"}
	rawReader    = &lido.Query{Name: "borrowed reader"}
	rawWriter    = &lido.Query{Name: "borrowed writer"}
)

// How many statement handles a transaction allocates at a time: few at first, and
// twice as many each time.
const (
	minSpareStmts = 8
	maxSpareStmts = 128
)

var (
	_ lido.Reader = readTx{}
	_ lido.Tx     = (*tx)(nil)
)

// readTx is what a Read closure gets. It has no PrepareWrite.
type readTx struct{ tx *tx }

// PrepareRead readies a query on the snapshot.
func (r readTx) PrepareRead(ctx context.Context, q *lido.Query) (lido.Stmt, error) {
	return r.tx.PrepareRead(ctx, q)
}

// Read runs fn on one consistent snapshot, on a reader. It waits for a reader
// as ctx allows and holds it until fn returns.
//
// https://www.sqlite.org/isolation.html
func (db *DB) Read(ctx context.Context, fn func(ctx context.Context, r lido.Reader) error) (err error) {
	ctx, trace := db.TraceTransaction(ctx, TraceTransactionStartData{ReadOnly: true})
	defer trace.end(&err)
	r, err := db.acquire(ctx, db.readers, nil)
	if err != nil {
		return err
	}
	r.SetHolder(readClosure)
	defer r.Release()
	t := &tx{db: db, res: r, conn: r.Value(), fate: new(fate), readOnly: true}
	if err := t.conn.Begin(ctx, sqlite.Deferred); err != nil {
		return fmt.Errorf("pool: begin read: %w", err)
	}
	defer t.end()
	// BEGIN alone pins nothing; the first read does.
	if seeded.UnpinnedSnapshot {
		// does not happen
	} else if _, err := t.conn.QueryInt64(ctx, "PRAGMA schema_version"); err != nil {
		return fmt.Errorf("pool: begin read: %w", err)
	}
	db.reads.Add(1)
	trace.Begun()
	t.conn.LenderGuards(true)
	err = errUnfinished
	if err = fn(context.WithValue(ctx, closureKey{db}, t), readTx{t}); err != nil {
		return err
	}
	return t.finish()
}

// Write runs fn in one transaction on the writer: BEGIN IMMEDIATE, then COMMIT
// if fn returns nil, and ROLLBACK if it returns an error, panics or ends the
// goroutine. It waits for the writer, and for other processes, as ctx allows.
// It runs fn once and shares the transaction with nobody; where that matters
// less than the price of a commit of its own, see [DB.Batch].
//
// If ctx has ended by the time fn returns, the transaction is rolled back and
// the context's error returned. A commit that has begun is seen through.
//
// When the engine threw the transaction away in the middle (an interrupted
// write does that, as does a full disk), every later call in fn fails, and
// Write returns an error even if fn does not. lido.ErrCommitUnknown says that
// an I/O error struck the commit itself; the package documentation says what to
// do then. Any other error says that nothing was applied.
//
// https://www.sqlite.org/lang_transaction.html
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, tx lido.Tx) error) (err error) {
	ctx, trace := db.TraceTransaction(ctx, TraceTransactionStartData{})
	defer trace.end(&err)
	r, err := db.acquire(ctx, db.writer, nil)
	if err != nil {
		return err
	}
	r.SetHolder(writeClosure)
	defer db.spread(ctx)
	defer r.Release()
	if err := db.setLevel(ctx, r.Value()); err != nil {
		return err
	}
	t, err := db.beginWrite(ctx, r)
	if err != nil {
		return err
	}
	db.writes.Add(1)
	defer db.countRollback(&err)
	trace.Begun()
	err = errUnfinished
	return t.run(ctx, fn)
}

// beginWrite opens a transaction that nobody shares.
func (db *DB) beginWrite(ctx context.Context, r *Resource[*sqlite.Conn]) (*tx, error) {
	c := r.Value()
	if err := c.Begin(ctx, sqlite.Immediate); err != nil {
		return nil, fmt.Errorf("pool: begin write: %w", err)
	}
	c.ForgetChanges()
	return &tx{db: db, res: r, conn: c, fate: new(fate)}, nil
}

// run runs fn and ends the transaction as fn's answer says.
func (t *tx) run(ctx context.Context, fn func(ctx context.Context, tx lido.Tx) error) error {
	defer t.end()
	t.db.enterClosure()
	defer t.db.leaveClosure()
	t.conn.LenderGuards(true)
	if err := fn(context.WithValue(ctx, closureKey{t.db}, t), t); err != nil {
		if seeded.SecondRun && fn(context.WithValue(ctx, closureKey{t.db}, t), t) == nil {
			return t.commit(ctx)
		}
		return and(err, t.rollback())
	}
	return t.commit(ctx)
}

// countRollback counts a write that came to *err.
func (db *DB) countRollback(err *error) {
	if *err != nil {
		db.rollbacks.Add(1)
	}
}

// commit ends a transaction whose closure succeeded.
func (t *tx) commit(ctx context.Context) error {
	if err := t.finish(); err != nil {
		return and(err, t.rollback())
	}
	t.closeOpen()
	switch {
	case t.intact() != nil:
		return t.intact()
	case ctx.Err() != nil && !seeded.CommitAfterCancel:
		return and(ended.Err(ctx), t.rollback())
	}
	if seeded.EarlyAcknowledgement {
		return nil
	}
	if err := t.conn.Commit(); err != nil {
		return and(commitError(t.conn, err), t.rollback())
	}
	t.db.committed()
	return nil
}

// commitError says whether a failed commit is known not to have happened.
// After an I/O error the engine rolls back, but the commit's frames may already
// be in the WAL, where the next recovery would find them.
func commitError(c *sqlite.Conn, err error) error {
	if c.Broken() != nil {
		return fmt.Errorf("pool: commit: %w: %w", lido.ErrCommitUnknown, err)
	}
	return fmt.Errorf("pool: commit: nothing was applied: %w", err)
}

// and joins what went wrong while cleaning up to err, which stays itself when
// nothing did: callers compare it.
func and(err, cleanup error) error {
	if cleanup == nil {
		return err
	}
	return errors.Join(err, cleanup)
}

func (db *DB) committed() {
	db.commits.Add(1)
	db.lastCommit.Store(time.Now().UnixNano())
}

func (t *tx) rollback() error {
	_ = t.finish() // the caller has its error already
	t.closeOpen()
	if err := t.conn.Rollback(); err != nil {
		return fmt.Errorf("pool: rollback: %w", err)
	}
	return nil
}

// end closes what the closure left open. It runs in every case, a panic too.
func (t *tx) end() {
	_ = t.finish() // said already, unless the closure panicked
	t.ended.Store(true)
	t.closeOpen()
	t.db.statements.Add(t.prepared)
	switch {
	case !t.conn.InTransaction():
	case t.readOnly:
		// Ending a read keeps nothing and loses nothing either way.
		_ = t.conn.Commit()
	case !t.shared:
		_ = t.rollback() // the closure panicked
	}
}

// over says why a transaction is over, if it is.
func (t *tx) over() error {
	if t.ended.Load() {
		return errClosureReturned
	}
	if misuse := t.fate.misuse.Load(); misuse != nil {
		return t.refusedFor(*misuse)
	}
	if err := t.lost(); err != nil {
		return err
	}
	if f := t.fate; !f.until.IsZero() && time.Now().After(f.until) {
		f.late = true
		return errLate
	}
	return nil
}

// lost says what a transaction that the engine threw away has come to.
func (t *tx) lost() error {
	if misuse := t.fate.misuse.Load(); misuse != nil {
		return *misuse
	}
	if t.fate.poisoned == nil {
		return nil
	}
	return fmt.Errorf("pool: the engine rolled the whole transaction back, nothing of it was applied: %w", t.fate.poisoned)
}

// intact is lost, and asks the engine as well.
func (t *tx) intact() error {
	if t.fate.poisoned == nil && !t.conn.InTransaction() {
		t.fate.poisoned = errTransactionLost
	}
	return t.lost()
}

var (
	errTransactionLost = errors.New("a statement ended the transaction")
	errLate            = fmt.Errorf("pool: it ran for longer than a group allows, and runs again by itself: %w", lido.ErrInterrupted)
)

// note looks whether an error has ended the transaction. The engine then is in
// autocommit, where each further statement would be kept for itself.
//
// https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
func (t *tx) note(err error) {
	if t.ended.Load() {
		return
	}
	f, lost := t.fate, !t.conn.InTransaction()
	if errors.Is(err, lido.ErrConcurrentUse) {
		f.misuse.CompareAndSwap(nil, &err)
	}
	if f.poisoned == nil && lost && !seeded.EscapedAutocommit {
		f.poisoned = err
	}
	if !f.until.IsZero() && errors.Is(err, lido.ErrInterrupted) && (lost || time.Now().After(f.until)) {
		f.late = true
	}
}

// PrepareRead readies a read-only query in the transaction.
func (t *tx) PrepareRead(ctx context.Context, q *lido.Query) (lido.Stmt, error) {
	if !q.ReadOnly {
		return nil, readOnlyError(q)
	}
	if t.db.trace.query != nil {
		trace := t.db.startQuery(ctx, q)
		s, err := t.prepareRead(trace.ctx, q)
		return asTraced(trace, s, err)
	}
	return asStmt(t.prepareRead(ctx, q))
}

func (t *tx) prepareRead(ctx context.Context, q *lido.Query) (*stmt, error) {
	s, err := t.prepare(ctx, q)
	if err == nil && !s.ReadOnly() {
		// The query says one thing, the engine another: the generator was not
		// asked, or was lied to. In a Write nothing else would stop it.
		_ = s.Close()
		return nil, readOnlyError(q)
	}
	return s, err
}

// asStmt keeps a nil *stmt from becoming a lido.Stmt that is not nil.
func asStmt(s *stmt, err error) (lido.Stmt, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// PrepareWrite readies a query in the transaction. What it changes is undone
// with the transaction.
func (t *tx) PrepareWrite(ctx context.Context, q *lido.Query) (lido.Stmt, error) {
	if t.db.trace.query != nil {
		trace := t.db.startQuery(ctx, q)
		s, err := t.prepare(trace.ctx, q)
		return asTraced(trace, s, err)
	}
	return asStmt(t.prepare(ctx, q))
}

func (t *tx) prepare(ctx context.Context, q *lido.Query) (*stmt, error) {
	if err := t.enter(); err != nil {
		return nil, fmt.Errorf("%s: %w", q, err)
	}
	defer t.fate.use.Leave()
	inner, err := t.conn.Prepare(ctx, q.SQL)
	if err != nil {
		t.note(err)
		return nil, t.db.named(q, err)
	}
	inner.Query = q.Name
	t.prepared++
	if len(t.spare) == 0 {
		t.spared = min(max(2*t.spared, minSpareStmts), maxSpareStmts)
		t.spare = make([]stmt, t.spared)
	}
	s := &t.spare[0]
	t.spare = t.spare[1:]
	s.Stmt, s.tx, s.next = inner, t, t.open
	if t.open != nil {
		t.open.prev = s
	}
	t.open = s
	return s, nil
}

// forget takes a closed statement off the list.
func (t *tx) forget(s *stmt) {
	if s.prev != nil {
		s.prev.next = s.next
	} else if t.open == s {
		t.open = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}

// closeOpen closes what was left open: neither COMMIT nor RELEASE works beside
// a statement that is still writing, and the handles must not outlive the
// transaction. The caller has entered the transaction or finished it.
func (t *tx) closeOpen() {
	for s := t.open; s != nil; s = t.open {
		s.endTrace(s.closeInTx())
	}
}

// Savepoint runs fn in a nested transaction.
func (t *tx) Savepoint(ctx context.Context, fn func(ctx context.Context, tx lido.Tx) error) error {
	name := "lido_" + strconv.Itoa(t.depth+1)
	inner, err := t.beginSavepoint(ctx, name)
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !t.await() {
			return // the closure has returned, and the transaction with it
		}
		defer t.fate.use.Leave()
		t.fate.nested--
		inner.ended.Store(true)
		inner.closeOpen()
		t.prepared += inner.prepared
		if !kept && t.conn.InTransaction() && !seeded.LeakedSavepoint {
			// A failure here leaves the changes in: the transaction must not commit.
			undo := context.WithoutCancel(ctx)
			err := t.conn.Control(undo, "ROLLBACK TO "+name)
			if err == nil {
				err = t.conn.Control(undo, "RELEASE "+name)
			}
			if err != nil && t.fate.poisoned == nil {
				t.fate.poisoned = err
			}
		}
	}()
	if err := fn(context.WithValue(ctx, closureKey{t.db}, inner), inner); err != nil {
		return err
	}
	if !t.await() {
		return errClosureReturned
	}
	defer t.fate.use.Leave()
	inner.closeOpen()
	if err := inner.intact(); err != nil {
		return err
	}
	if err := t.conn.Control(context.WithoutCancel(ctx), "RELEASE "+name); err != nil {
		return fmt.Errorf("pool: release savepoint: %w", err)
	}
	kept = true
	return nil
}

func (t *tx) beginSavepoint(ctx context.Context, name string) (*tx, error) {
	if err := t.enter(); err != nil {
		return nil, err
	}
	defer t.fate.use.Leave()
	if err := t.intact(); err != nil {
		return nil, err
	}
	if err := t.conn.Control(ctx, "SAVEPOINT "+name); err != nil {
		return nil, fmt.Errorf("pool: savepoint: %w", err)
	}
	t.fate.nested++
	return &tx{db: t.db, res: t.res, conn: t.conn, shared: t.shared, depth: t.depth + 1, fate: t.fate}, nil
}
