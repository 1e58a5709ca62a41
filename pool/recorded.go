package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/convert"
	"github.com/lidodb/lido/internal/seal"
	"github.com/lidodb/lido/sqlite"
)

// recorded is a write outside a transaction. Bind only notes the values; the
// first Step hands it to the group of writes that wait for the writer, where it
// is run to its end, and its rows are kept. So no caller holds the writer
// between calls, one that waits for it can leave at any time, and a statement
// can be run again when the engine has thrown its group away.
type recorded struct {
	db     *DB
	ctx    context.Context
	query  *lido.Query
	params []value

	err      error // the first mistake of Bind or Column, or why it failed
	reported bool  // Step has returned err
	state    recordedState

	rows    []value // of all rows, one after the other
	columns int
	head    *sqlite.Columns // nil before it has run
	row     int             // the current one, counted from 1
	changes int64
	rowid   int64

	before struct{ rowid, changes int64 } // what Recall was told
	once   bool                           // the connection is not to keep the statement

	panicked any // what came out of it on somebody else's goroutine
}

type recordedState int

const (
	recording recordedState = iota
	ran
	recordedClosed
)

// PrepareWrite notes a query that changes the database, as a transaction of
// its own. It waits for nothing; the first Step does, as ctx allows, and
// returns when the statement is committed. Rows of a RETURNING clause are kept
// in memory.
//
// lido.ErrCommitUnknown says that an I/O error struck while it ran, and
// lido.ErrCommitted that it was committed and a row cannot be read as the Go type
// wanted; any other error says that nothing was applied.
func (db *DB) PrepareWrite(ctx context.Context, q *lido.Query) (lido.Stmt, error) {
	if err := db.refuse(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", q, err)
	}
	return &recorded{db: db, ctx: ctx, query: q}, nil
}

// value is a parameter or a column that was copied.
type value struct {
	kind lido.Type // 0 where nothing was bound
	n    int64
	f    float64
	text string // of a column that is a number too
	blob []byte
}

func (s *recorded) bind(i int, v value) {
	switch {
	case s.state != recording:
		s.fail(fmt.Errorf("parameter %d: bound after the statement ran; Reset comes first", i))
		return
	case i < 1 || i > maxParams:
		s.Fail(fmt.Errorf("parameter %d: the first is 1, the last %d", i, maxParams))
		return
	}
	for len(s.params) < i {
		s.params = append(s.params, value{})
	}
	s.params[i-1] = v
}

// https://www.sqlite.org/limits.html#max_variable_number
const maxParams = 32766

// BindNull and its kin note parameter i; text and blobs are copied.
func (s *recorded) BindNull(i int)               { s.bind(i, value{kind: lido.Null}) }
func (s *recorded) BindInt64(i int, v int64)     { s.bind(i, value{kind: lido.Integer, n: v}) }
func (s *recorded) BindFloat64(i int, v float64) { s.bind(i, value{kind: lido.Float, f: v}) }
func (s *recorded) BindText(i int, v string)     { s.bind(i, value{kind: lido.Text, text: v}) }
func (s *recorded) BindBlob(i int, v []byte) {
	if v == nil {
		s.BindNull(i)
		return
	}
	s.bind(i, value{kind: lido.Blob, blob: append([]byte{}, v...)})
}

// Step runs the statement the first time, and goes through its rows.
func (s *recorded) Step() (row bool, err error) {
	switch {
	case s.state == recordedClosed:
		return false, fmt.Errorf("%s: step: %w", s.query, lido.ErrClosed)
	case s.err != nil:
		s.reported = true
		return false, s.err
	}
	if s.state == recording {
		s.state = ran
		if err := s.run(); err != nil {
			s.err, s.reported = err, true
			return false, err
		}
	}
	if s.row*s.columns < len(s.rows) {
		s.row++
		return true, nil
	}
	s.row = 0
	s.rows = nil
	return false, nil
}

// run hands the statement over and counts what comes of it.
func (s *recorded) run() (err error) {
	s.db.statements.Add(1)
	s.db.writes.Add(1)
	defer s.db.countRollback(&err)
	defer s.db.spread(s.ctx)
	err = errUnfinished
	if s.db.trace.query != nil {
		err = s.runTraced()
	} else {
		err = s.commit()
	}
	return err
}

// commit runs the statement and returns when it is committed.
func (s *recorded) commit() error {
	mode := s.db.modeOf(s.ctx)
	m := &member{work: s, ctx: s.ctx, query: s.query, level: mode.level}
	// What the engine has not been asked about may be something that a
	// transaction cannot hold, like VACUUM.
	if mode.alone || len(s.query.Writes) == 0 {
		return s.db.runAlone(m)
	}
	err := s.db.join(m)
	if s.panicked != nil {
		panic(s.panicked)
	}
	return err
}

// single runs the statement by itself, as the engine commits it by itself.
func (s *recorded) single(r *Resource[*sqlite.Conn]) error {
	c := r.Value()
	c.RecallChanges(s.before.rowid, s.before.changes)
	err := s.runOn(s.ctx, c, 0)
	if err == nil {
		s.db.committed()
		return nil
	}
	if c.Broken() != nil {
		// The fault may have struck the commit.
		return fmt.Errorf("%w: %w", lido.ErrCommitUnknown, err)
	}
	return err
}

// shared runs the statement in the transaction of a group. A panic out of it
// (a collation's, say) is for the statement's own caller.
func (s *recorded) shared(r *Resource[*sqlite.Conn], _ bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked, err = p, errPanicked
		}
	}()
	c := r.Value()
	r.SetHolder(s.query)
	c.RecallChanges(s.before.rowid, s.before.changes)
	err = s.runOn(s.ctx, c, groupRows)
	if errors.Is(err, lido.ErrInterrupted) && s.ctx.Err() == nil && !s.db.isClosing() {
		return errBeyond // nobody else stopped it
	}
	return err
}

// runOn runs the statement on c to its end. More than maxRows rows are
// errBeyond, unless maxRows is 0.
func (s *recorded) runOn(ctx context.Context, c *sqlite.Conn, maxRows int) error {
	s.rows, s.head, s.columns = s.rows[:0], nil, 0
	inner, err := prepare(ctx, c, s.query.SQL, s.once)
	if err != nil {
		return s.db.named(s.query, err)
	}
	inner.Query = s.query.Name
	for i, v := range s.params {
		v.bindTo(inner, i+1)
	}
	if maxRows > 0 || !inner.KeepsOnFailure() {
		return s.drain(inner, maxRows)
	}
	// By itself the engine would commit the half of it.
	if err := c.Begin(ctx, sqlite.Immediate); err != nil {
		return and(err, inner.Close())
	}
	if err = s.drain(inner, maxRows); err == nil {
		err = c.Commit()
	}
	if err != nil {
		err = and(err, c.Rollback())
	}
	return err
}

// drain steps inner to its end and closes it.
func (s *recorded) drain(inner *sqlite.Stmt, maxRows int) error {
	for {
		row, err := inner.Step()
		if err != nil {
			return and(err, inner.Close())
		}
		if s.head == nil { // not before: a step may compile the statement anew
			s.head = inner.Columns()
			s.columns = len(s.head.Names)
		}
		if !row {
			break
		}
		if maxRows > 0 && len(s.rows) >= maxRows*s.columns {
			return and(errBeyond, inner.Close())
		}
		for i := range s.columns {
			s.rows = append(s.rows, copyColumn(inner, i))
		}
	}
	s.changes, s.rowid = inner.Changes(), inner.LastInsertID()
	return inner.Close()
}

func (v *value) bindTo(s *sqlite.Stmt, i int) {
	switch v.kind {
	case lido.Null:
		s.BindNull(i)
	case lido.Integer:
		s.BindInt64(i, v.n)
	case lido.Float:
		s.BindFloat64(i, v.f)
	case lido.Text:
		s.BindText(i, v.text)
	case lido.Blob:
		s.BindBlob(i, v.blob)
	}
}

func copyColumn(s *sqlite.Stmt, i int) value {
	v := value{kind: s.ColumnType(i)}
	switch v.kind {
	case lido.Integer:
		v.n = s.ColumnInt64(i)
		v.text = s.ColumnText(i)
	case lido.Float:
		v.f = s.ColumnFloat64(i)
		v.text = s.ColumnText(i) // the engine's own spelling of the number
	case lido.Text:
		v.text = s.ColumnText(i)
	case lido.Blob:
		v.blob = s.ColumnBlob(i, nil)
	}
	return v
}

// current returns column i of the current row.
func (s *recorded) current(i int) *value {
	if s.row == 0 {
		s.Fail(fmt.Errorf("no row to read: %w", lido.ErrClosed))
		return &value{kind: lido.Null}
	}
	if i < 0 || i >= s.columns {
		s.Fail(convert.Refusal(i, s.columns, "", lido.Null, ""))
		return &value{kind: lido.Null}
	}
	return &s.rows[(s.row-1)*s.columns+i]
}

func (s *recorded) unreadable(i int, v *value, as string) {
	if s.err == nil { // or there may be no such column
		s.Fail(convert.Refusal(i, s.columns, s.head.Names[i], v.kind, as))
	}
}

// ExpectedRows returns how many rows there are. lido.Append asks for it.
func (s *recorded) ExpectedRows() int {
	if s.columns == 0 {
		return 0
	}
	return len(s.rows) / s.columns
}

// ColumnType returns the storage class of column i.
func (s *recorded) ColumnType(i int) lido.Type { return s.current(i).kind }

// ColumnInt64 reads an integer.
func (s *recorded) ColumnInt64(i int) int64 {
	v := s.current(i)
	n, ok := v.n, v.kind == lido.Integer
	switch v.kind {
	case lido.Float:
		n, ok = convert.FloatToInt64(v.f)
	case lido.Text:
		n, ok = convert.TextToInt64(v.text)
	}
	if !ok {
		s.unreadable(i, v, "an integer")
	}
	return n
}

// ColumnFloat64 reads a number.
func (s *recorded) ColumnFloat64(i int) float64 {
	v := s.current(i)
	f, ok, as := v.f, v.kind == lido.Float, "a number"
	switch v.kind {
	case lido.Integer:
		f, ok = convert.Int64ToFloat64(v.n)
		as = convert.Exactly
	case lido.Text:
		f, ok = convert.TextToFloat64(v.text)
	}
	if !ok {
		s.unreadable(i, v, as)
	}
	return f
}

// ColumnText returns the value as a string; numbers become their text.
func (s *recorded) ColumnText(i int) string {
	v := s.current(i)
	switch v.kind {
	case lido.Integer, lido.Float, lido.Text:
		return v.text
	case lido.Blob:
		return string(v.blob)
	}
	s.unreadable(i, v, "text")
	return ""
}

// ColumnBlob appends the bytes of the value to dst.
func (s *recorded) ColumnBlob(i int, dst []byte) []byte {
	v := s.current(i)
	if v.kind == lido.Null {
		return nil
	}
	if dst == nil {
		dst = []byte{}
	}
	if v.kind == lido.Blob {
		return append(dst, v.blob...)
	}
	return append(dst, v.text...)
}

// Changes returns how many rows the statement changed.
func (s *recorded) Changes() int64 { return s.changes }

// LastInsertID returns the last rowid the statement inserted.
func (s *recorded) LastInsertID() int64 { return s.rowid }

// Columns returns the columns of the rows, once a Step has run the statement;
// package stdlib asks for them.
func (s *recorded) Columns() *sqlite.Columns {
	if s.head == nil {
		return new(sqlite.Columns)
	}
	return s.head
}

// ColumnName returns the name of column i, once a Step has run the statement;
// errors of package lido ask for it.
func (s *recorded) ColumnName(i int) string {
	if names := s.Columns().Names; i >= 0 && i < len(names) {
		return names[i]
	}
	return ""
}

// Recall makes last_insert_rowid() and changes() answer in the statement what
// its caller's last one came to, and not zero; package stdlib tells it.
func (s *recorded) Recall(rowid, changes int64) { s.before.rowid, s.before.changes = rowid, changes }

// Once says that the text may never come again; package stdlib tells it. See
// [sqlite.Conn.PrepareOnce].
func (s *recorded) Once() { s.once = true }

// Fail keeps err as the first mistake, if there is none yet. Once the statement
// ran, which is committed then, the mistake is one of reading what it returned.
func (s *recorded) Fail(err error) {
	if s.state == ran {
		err = fmt.Errorf("%w; %w", err, lido.ErrCommitted)
	}
	s.fail(err)
}

func (s *recorded) fail(err error) {
	if s.err == nil && s.state != recordedClosed {
		s.err = fmt.Errorf("%s: %w", s.query, err)
	}
}

// Reset readies the statement to run again, as a transaction of its own again.
func (s *recorded) Reset() error {
	if s.state == recordedClosed {
		return fmt.Errorf("%s: reset: %w", s.query, lido.ErrClosed)
	}
	err := s.unreported()
	*s = recorded{db: s.db, ctx: s.ctx, query: s.query, params: s.params[:0], once: s.once}
	return err
}

// unreported returns the mistake that no Step has returned.
func (s *recorded) unreported() error {
	if s.reported {
		return nil
	}
	return s.err
}

// Close forgets the rows. It returns a mistake of Column that no Step has
// returned.
func (s *recorded) Close() error {
	if s.state == recordedClosed {
		return nil
	}
	err := s.unreported()
	*s = recorded{query: s.query, state: recordedClosed}
	return err
}

// Seal marks an implementation of lido.Stmt.
func (*recorded) Seal(seal.Stmt) {}
