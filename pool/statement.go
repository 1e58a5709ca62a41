package pool

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/seal"
	"github.com/lidodb/lido/internal/seeded"
	"github.com/lidodb/lido/sqlite"
)

// stmt is a statement that runs on a connection as it is stepped: one that
// holds a reader of its own, or one inside a transaction. It stands between
// the caller and the connection's statement, which is reused after Close: what
// a caller does to a stmt it has closed reaches nothing.
type stmt struct {
	*sqlite.Stmt
	own atomic.Pointer[Resource[*sqlite.Conn]] // released by Close, once
	tx  *tx                                    // whose transaction it is in

	trace *QueryTrace // nil without a tracer

	prev, next *stmt // the transaction's open statements
}

// closedStmt takes the place of the engine's statement after Close.
var closedStmt = new(sqlite.Stmt)

// PrepareRead readies a read-only query on a reader, for which it waits as ctx
// allows. The reader is held until Close.
//
// The statement sees everything that was committed before its first Step.
func (db *DB) PrepareRead(ctx context.Context, q *lido.Query) (lido.Stmt, error) {
	if !q.ReadOnly {
		return nil, readOnlyError(q)
	}
	s := new(stmt)
	if err := db.prepareRead(ctx, q, false, s); err != nil {
		return nil, err
	}
	return s, nil
}

func (db *DB) prepareRead(ctx context.Context, q *lido.Query, once bool, s *stmt) error {
	if db.trace.query == nil {
		return db.prepareReadOn(ctx, q, once, s)
	}
	t := db.startQuery(ctx, q)
	if err := db.prepareReadOn(t.ctx, q, once, s); err != nil {
		t.End(err)
		return err
	}
	s.trace = t
	return nil
}

func (db *DB) prepareReadOn(ctx context.Context, q *lido.Query, once bool, s *stmt) error {
	r, err := db.acquire(ctx, db.readers, q)
	if err != nil {
		return err
	}
	inner, err := prepare(ctx, r.Value(), q.SQL, once)
	if err != nil {
		r.Release()
		return db.named(q, err)
	}
	if !inner.ReadOnly() {
		_ = inner.Close()
		r.Release()
		return readOnlyError(q)
	}
	inner.Query = q.Name
	db.singleReads.Add(1)
	*s = stmt{Stmt: inner}
	s.own.Store(r)
	return nil
}

// ReadStmt is a statement of PrepareRead in memory of its caller, who can use it
// again after Close: package stdlib has one for each of its handles. It must not
// be copied. Until it is prepared only Open may be called.
type ReadStmt struct{ stmt }

// Open reports whether the statement was prepared and not closed since.
func (s *ReadStmt) Open() bool { return s.Stmt != nil && s.Stmt != closedStmt }

// PrepareReadIn is PrepareRead into s, which must not be open. With once the
// connection does not keep the statement; see [sqlite.Conn.PrepareOnce].
func (db *DB) PrepareReadIn(ctx context.Context, q *lido.Query, once bool, s *ReadStmt) error {
	if s.Open() {
		panic("pool: PrepareReadIn of a statement that is open")
	}
	if !q.ReadOnly {
		return readOnlyError(q)
	}
	return db.prepareRead(ctx, q, once, &s.stmt)
}

func prepare(ctx context.Context, c *sqlite.Conn, sql string, once bool) (*sqlite.Stmt, error) {
	if once {
		return c.PrepareOnce(ctx, sql)
	}
	return c.Prepare(ctx, sql)
}

// asTraced is asStmt for a statement whose trace has begun.
func asTraced(t *QueryTrace, s *stmt, err error) (lido.Stmt, error) {
	if err != nil {
		t.End(err)
		return nil, err
	}
	s.trace = t
	return s, nil
}

// Step runs the statement up to its next row.
func (s *stmt) Step() (row bool, err error) {
	if s.tx != nil {
		row, err = s.stepInTx()
	} else {
		row, err = s.Stmt.Step()
	}
	if s.trace != nil {
		s.trace.stepped(s.Stmt, row, err)
	}
	return row, err
}

func (s *stmt) stepInTx() (row bool, err error) {
	t := s.tx
	if err := t.enter(); err != nil {
		return false, err
	}
	defer t.fate.use.Leave()
	if row, err = s.Stmt.Step(); err != nil {
		t.note(err)
	}
	return row, err
}

// Reset readies the statement to run again.
func (s *stmt) Reset() error {
	if t := s.tx; t != nil {
		if !t.fate.use.Enter() {
			return t.refused()
		}
		defer t.fate.use.Leave()
	}
	return s.Stmt.Reset()
}

// Close gives back what the statement holds. Beside a call of another goroutine
// it fails, and the statement stays open.
func (s *stmt) Close() error {
	if s.tx == nil {
		return s.closeOwn()
	}
	err := s.enterAndClose()
	if s.trace != nil && s.Stmt == closedStmt {
		s.endTrace(err)
	}
	return err
}

// closeOwn closes a statement outside a transaction. Of several calls the one that
// takes the reader gives it back.
func (s *stmt) closeOwn() error {
	own := s.own.Swap(nil)
	if own == nil {
		return nil
	}
	err := s.Stmt.Close()
	if errors.Is(err, lido.ErrConcurrentUse) && s.Stmt.Open() {
		s.own.Store(own)
		return err
	}
	s.Stmt = closedStmt
	if seeded.ReleasedTwice {
		s.own.Store(own)
	}
	own.Release()
	s.endTrace(err)
	return err
}

// enterAndClose closes a statement in a transaction, unless that is over, which
// has closed it or is about to.
func (s *stmt) enterAndClose() error {
	t := s.tx
	if s.Stmt == closedStmt {
		return nil
	}
	if !t.fate.use.Enter() {
		if t.fate.use.Over() {
			return nil
		}
		return t.refused()
	}
	defer t.fate.use.Leave()
	return s.closeInTx()
}

// endTrace tells the tracer, which may do what it likes: nothing is entered.
func (s *stmt) endTrace(err error) {
	if s.trace != nil {
		s.trace.End(err)
		s.trace = nil
	}
}

// closeInTx is for a caller that has entered the transaction.
func (s *stmt) closeInTx() error {
	if s.Stmt == closedStmt {
		return nil
	}
	err := s.Stmt.Close()
	if err != nil {
		s.tx.note(err)
	}
	s.Stmt = closedStmt
	s.tx.forget(s)
	return err
}

// Seal marks an implementation of lido.Stmt.
func (*stmt) Seal(seal.Stmt) {}

func readOnlyError(q *lido.Query) error {
	return fmt.Errorf("%s changes the database, this handle only reads: %w", q, lido.ErrReadOnly)
}

// named puts the query's name into the engine's refusal to prepare it.
func named(q *lido.Query, err error) error {
	if e, ok := err.(*lido.Error); ok {
		e.Query = q.Name
		return e
	}
	return fmt.Errorf("%s: %w", q, err)
}
