package modeltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// kind is what a call does to the pool.
type kind int

const (
	kindWrite     kind = iota // a Write closure
	kindRead                  // a Read closure
	kindSingle                // a write statement by itself
	kindQuery                 // a read statement by itself
	kindIterator              // a read statement, row by row
	kindWriter                // AcquireWriter
	kindReader                // AcquireReader
	kindSQLTx                 // a *sql.Tx that writes
	kindSQLReadTx             // a *sql.Tx that reads
	kindSQLExec               // (*sql.DB).Exec
	kindBatch                 // a Batch closure, which runs through
	kindCheckpoint
	kindClose
	kinds
)

var kindNames = [kinds]string{"Write", "Read", "single", "query", "iterator", "AcquireWriter", "AcquireReader",
	"sql.Tx", "read-only sql.Tx", "sql.Exec", "Batch", "checkpoint", "Close"}

// writes and reads say from which pool the call takes a connection.
func (k kind) writes() bool {
	switch k {
	case kindWrite, kindSingle, kindWriter, kindSQLTx, kindSQLExec, kindBatch, kindCheckpoint:
		return true
	}
	return false
}

// grouped says whether the call joins a group.
func (k kind) grouped() bool { return k == kindSingle || k == kindBatch }

func (k kind) reads() bool { return !k.writes() && k != kindClose }

// eventKind is what a call tells the test.
type eventKind int

const (
	waiting  eventKind = iota // it has told nothing: it is in a queue, or waits for a lock
	entered                   // it has what it asked for, and waits for orders
	answered                  // it has done what it was told
	paused                    // it waits inside a statement
	ended
)

// event is one answer of a call.
type event struct {
	kind     eventKind
	err      error
	result   result
	dump     *state
	panicked any
	exited   bool
}

func (e event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", [...]string{"waiting", "entered", "answered", "paused", "ended"}[e.kind])
	if e.err != nil {
		fmt.Fprintf(&b, ", error %v", e.err)
	}
	if e.dump != nil {
		fmt.Fprintf(&b, ", read %v", *e.dump)
	}
	if e.result != (result{}) {
		fmt.Fprintf(&b, ", result %+v", e.result)
	}
	if e.panicked != nil {
		fmt.Fprintf(&b, ", panic %v", e.panicked)
	}
	return b.String()
}

var (
	errBoom = errors.New("boom")
	// errGone is the end of a call that panicked or ended its goroutine.
	errGone = errors.New("gone")
)

// call is one call on the way: a goroutine, and what the model knows of it.
type call struct {
	w      *world
	slot   int
	number int64
	kind   kind
	what   string // what it was started with
	ctx    context.Context
	cancel context.CancelFunc
	since  time.Time
	dead   bool // ctx had ended before it began
	late   bool // ctx had ended when the last order was given
	orders chan order

	// on takes the next event; effect says what an event does to what is
	// committed. Both are for one event only.
	on     func(e event) error
	effect func(st state, e event) (state, error)

	phase eventKind
	holds bool // a connection
	token int64

	// A transaction: what it sees, one on top of the other.
	levels []state
	lost   bool // the engine has thrown it away
	unsure bool // it may have
	// What a read may see.
	snapshots []state
	begun     bool // inside a transaction, on a borrowed connection
	stepped   int
	seen      state // by an iterator so far
	open      int   // from which level on a statement is left open on its row
	explodes  bool  // what it does now ends in a panic
}

func (c *call) String() string {
	s := fmt.Sprintf("%d:%s", c.number, kindNames[c.kind])
	if c.what != "" {
		s += " " + c.what
	}
	return s
}

// gone reports that the caller has given up.
func (c *call) gone() bool { return c.ctx.Err() != nil }

// holding reports that the call has a connection. database/sql ends a
// transaction whose context has ended by itself.
func (c *call) holding() bool {
	return c.holds && !(c.gone() && c.ready() && (c.kind == kindSQLTx || c.kind == kindSQLReadTx))
}

// scope is what a call has in its hands.
type scope struct {
	ctx   context.Context
	tx    lido.Tx
	r     lido.Reader
	conn  *pool.Conn
	sqlTx *sql.Tx
	rows  lido.Stmt
}

// order is what a call is told to do. When leave is true the closure returns,
// with err.
type order func(s scope) (e event, leave bool)

// start begins a call; body runs on its goroutine.
func (c *call) start(body func() event) {
	go func() {
		e := event{kind: ended, exited: true}
		defer func() {
			e.kind = ended
			if p := recover(); p != nil {
				e = event{kind: ended, panicked: p}
			}
			if e.panicked != nil || e.exited {
				e.err = errGone
			}
			c.w.tell(c, e)
		}()
		result := body()
		e = result
	}()
}

// obey tells that the call has what it asked for, and then follows orders.
func (c *call) obey(s scope) error {
	c.w.tell(c, event{kind: entered})
	return c.follow(s)
}

func (c *call) follow(s scope) error {
	for o := range c.orders {
		e, leave := o(s)
		if leave {
			return e.err
		}
		e.kind = answered
		c.w.tell(c, e)
	}
	return errors.New("abandoned")
}

// tell gives an order; on takes the answer, effect what it does to what is
// committed.
func (c *call) tell(o order, effect func(st state, e event) (state, error), on func(e event) error) {
	c.on, c.effect, c.late = on, effect, c.gone()
	c.phase = waiting
	c.orders <- o
}

// perform runs one write on w. With leave it is stepped once and left open.
func perform(ctx context.Context, w lido.Writer, st statement, leave bool) (r result) {
	s, err := w.PrepareWrite(ctx, opQueries[st.op])
	if err != nil {
		return result{err: err}
	}
	st.bind(s)
	return drain(s, leave)
}

type stepper interface {
	rows
	Changes() int64
	Close() error
}

// drain steps s to its end and keeps its rows.
func drain(s stepper, leave bool) (r result) {
	if leave {
		_, err := s.Step()
		return result{err: err}
	}
	for {
		row, err := s.Step()
		if err != nil {
			r.err = err
			_ = s.Close()
			return r
		}
		if !row {
			r.changes = s.Changes()
			r.err = s.Close()
			// Once more does nothing.
			if err := s.Close(); r.err == nil {
				r.err = err
			}
			return r
		}
		if r.rows != "" {
			r.rows += " "
		}
		r.rows += fmt.Sprint(s.ColumnInt64(0))
	}
}

// query reads everything through r.
func query(ctx context.Context, r lido.Reader, token int64) event {
	q := dumpQuery
	if token != 0 {
		q = slowDumpQuery
	}
	s, err := r.PrepareRead(ctx, q)
	if err != nil {
		return event{err: err}
	}
	if token != 0 {
		s.BindInt64(1, token)
	}
	st, err := readState(s)
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	_ = s.Close() // a second time does nothing
	if err != nil {
		return event{err: err}
	}
	return event{dump: &st}
}

// onConn runs one write on a connection, outside the typed calls.
func onConn(ctx context.Context, c *sqlite.Conn, st statement) result {
	s, err := c.Prepare(ctx, opQueries[st.op].SQL)
	if err != nil {
		return result{err: err}
	}
	st.bind(s)
	return drain(s, false)
}

// onSQL runs one write through database/sql.
func onSQL(ctx context.Context, x interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, st statement) result {
	var a args
	st.bind(&a)
	res, err := x.ExecContext(ctx, opQueries[st.op].SQL, a...)
	if err != nil {
		return result{err: err}
	}
	n, err := res.RowsAffected()
	return result{changes: n, err: err}
}

// querySQL reads everything through database/sql.
func querySQL(ctx context.Context, x interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) event {
	rows, err := x.QueryContext(ctx, dumpQuery.SQL)
	if err != nil {
		return event{err: err}
	}
	defer rows.Close()
	st := newState()
	for rows.Next() {
		var table, k int64
		var v string
		if err := rows.Scan(&table, &k, &v); err != nil {
			return event{err: err}
		}
		if err := st.addRow(table, k, v); err != nil {
			return event{err: err}
		}
	}
	if err := rows.Err(); err != nil {
		return event{err: err}
	}
	return event{dump: &st}
}

// vanish ends the goroutine of a call.
func vanish() { runtime.Goexit() }
