package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/internal/seeded"
)

// Stmt is a prepared statement that is handed out, from Prepare to Close. It
// has the methods of lido.Stmt; package pool adds what a lido.Stmt must know
// about its connection.
//
// After Close the same Stmt may serve another Prepare of the same text, so it
// must not be used any more. The zero Stmt is a closed one.
type Stmt struct {
	// Query names the statement in errors.
	Query string

	conn *Conn
	stmt uintptr // sqlite3_stmt*
	sql  string

	ctx      context.Context
	err      error                 // the first mistake of Bind or Column
	misused  atomic.Pointer[error] // a Bind or Column beside a call of another goroutine
	phase    phase
	reported bool // Step has returned err
	changed  int64
	total    int64 // total_changes before the first step
	rowid    int64
	rows     int // of this run
	expected int // as ExpectedRows

	// Short values are bound from this block, which lives as long as the
	// statement; longer ones get memory of their own, named in large.
	arena     uintptr
	arenaLeft int // bytes of it
	large     []int32

	// Values stay bound from one run to the next, because clearing them would
	// make the engine plan many statements anew. So that none is used twice,
	// bound holds the run in which each parameter was last set, and Step sets
	// what this run has not.
	run        uint32
	bound      []uint32
	boundCount int

	block     []byte // of Go's memory, where strings of this run are put together
	blockUsed int

	columns   *Columns // as of compilation columnsOf
	columnsOf uint32

	cached       bool
	newer, older *Stmt // the cache's list
	readOnly     bool
	// keepsOnFailure is what the method of that name returns.
	keepsOnFailure bool

	effects effects
	watched bool // its end may be that of a transaction
}

const arenaBytes = 512

// phase is where a statement stands.
type phase uint8

const (
	closed   phase = iota // not handed out
	ready                 // not stepped since Prepare or Reset
	running               // stepped, and neither at its end nor reset
	inEngine              // in Step: what Bind and Column would touch belongs to the engine
	finished              // stepped to its end
	dead                  // failed, or its connection was closed; Reset revives it
)

// Prepare readies the one statement in sql. A statement that was prepared
// before comes from the cache. ctx governs the waits and steps until Close.
//
// What the engine refuses comes back as *lido.Error, with the byte at which it
// stumbled in Offset. A second statement in sql is refused.
//
// https://www.sqlite.org/c3ref/prepare.html
//
// Beside a call of another goroutine it fails with lido.ErrConcurrentUse, as all
// methods do that enter the engine.
func (c *Conn) Prepare(ctx context.Context, sql string) (*Stmt, error) {
	if c.quiet {
		return c.prepare(ctx, sql, true)
	}
	return c.enterAndPrepare(ctx, sql, true)
}

// PrepareOnce is Prepare for a text that may never come again, as one that has
// values in it: the cache is asked for the statement, but does not keep it. To
// keep it costs a text that comes once a third of its time, and another
// statement its place.
func (c *Conn) PrepareOnce(ctx context.Context, sql string) (*Stmt, error) {
	return c.enterAndPrepare(ctx, sql, false)
}

func (c *Conn) enterAndPrepare(ctx context.Context, sql string, keep bool) (*Stmt, error) {
	if !c.take() {
		return nil, c.usedTwice("prepare")
	}
	defer c.give() // also if ctx is nil
	return c.prepare(ctx, sql, keep)
}

func (c *Conn) prepare(ctx context.Context, sql string, keep bool) (*Stmt, error) {
	// A statement that is at hand costs no wait; its first Step looks at ctx.
	if err := c.alive(); err != nil {
		return nil, err
	}
	var s *Stmt
	if c.authorizer == nil {
		s = c.cache.get(sql)
	}
	if s == nil || s.phase != closed {
		if err := c.enter(ctx); err != nil {
			return nil, err
		}
		keep = keep && s == nil && c.authorizer == nil
		var how uint32
		if keep {
			how = lib.SQLITE_PREPARE_PERSISTENT
		}
		c.sawControl = false
		fresh, err := c.compile(ctx, sql, how)
		if err != nil {
			return nil, err
		}
		// Whether control is denied is asked when a statement is compiled, so
		// that none may be at hand compiled.
		if keep && !c.sawControl {
			c.cache.add(fresh)
		}
		s = fresh
	}
	s.ctx = ctx
	s.phase = ready
	c.openCount++
	if !s.cached {
		c.loose = append(c.loose, s)
	}
	return s, nil
}

// compile prepares sql without the cache. how is PERSISTENT for a statement that
// is kept, whose memory is then not taken from what the engine has at hand for
// short use, or 0.
func (c *Conn) compile(ctx context.Context, sql string, how uint32) (s *Stmt, err error) {
	if err := checkText(sql); err != nil {
		return nil, err
	}
	defer c.guard(debug.SetPanicOnFault(true), &err)
	before := c.ctx
	c.ctx = endable(ctx)
	defer func() { c.ctx = before }()

	text := cString(c.tls, sql)
	if text == 0 {
		return nil, errors.New("sqlite: out of memory")
	}
	defer free(c.tls, text)
	out := c.tls.Alloc(16)
	defer c.tls.Free(16)
	s = &Stmt{conn: c, sql: sql}
	c.compiling = &s.effects
	rc := lib.Xsqlite3_prepare_v3(c.tls, c.db, text, int32(len(sql)+1), how, out, out+8)
	c.compiling = nil
	if rc != lib.SQLITE_OK {
		return nil, c.fail(ctx, rc, "")
	}
	s.stmt = uintptrAt(out)
	if s.stmt == 0 {
		return nil, errors.New("sqlite: prepare: no SQL statement in the text")
	}
	used := int(uintptrAt(out+8) - text)
	if rest := strings.TrimLeft(sql[min(used, len(sql)):], "; \t\r\n"); rest != "" && c.startsStatement(rest) {
		lib.Xsqlite3_finalize(c.tls, s.stmt)
		return nil, fmt.Errorf("sqlite: prepare: more than one statement; the second begins at byte %d", len(sql)-len(rest))
	}
	s.readOnly = lib.Xsqlite3_stmt_readonly(c.tls, s.stmt) != 0
	if s.watched = !s.readOnly || s.effects.control; s.watched {
		c.keepTables(&s.effects)
	}
	if !s.readOnly {
		p := (*lib.TVdbe)(pointer(s.stmt))
		s.keepsOnFailure = fails(p.FaOp, p.FnOp, nil)
	}
	s.bound = make([]uint32, s.ParamCount())
	s.run = 1
	return s, nil
}

// startsStatement tells a second statement from a trailing comment, as only
// the engine can.
func (c *Conn) startsStatement(rest string) bool {
	text := cString(c.tls, rest)
	defer free(c.tls, text)
	out := malloc(c.tls, 8)
	defer free(c.tls, out)
	rc := lib.Xsqlite3_prepare_v3(c.tls, c.db, text, -1, 0, out, 0)
	stmt := uintptrAt(out)
	lib.Xsqlite3_finalize(c.tls, stmt)
	return rc != lib.SQLITE_OK || stmt != 0
}

// SQL returns the text of the statement.
func (s *Stmt) SQL() string { return s.sql }

// ReadOnly reports whether the statement leaves the database file alone. It is
// true of BEGIN, ATTACH and some PRAGMAs too.
//
// https://www.sqlite.org/c3ref/stmt_readonly.html
func (s *Stmt) ReadOnly() bool { return s.readOnly }

// ParamCount returns the number of the highest parameter.
func (s *Stmt) ParamCount() int { return int(lib.Xsqlite3_bind_parameter_count(s.conn.tls, s.stmt)) }

// ParamName returns the name of parameter i, from 1, with its first character
// (:id, @id, $id, ?7), or nothing for a plain question mark.
func (s *Stmt) ParamName(i int) string {
	return libc.GoString(lib.Xsqlite3_bind_parameter_name(s.conn.tls, s.stmt, int32(i)))
}

// ParamIndex returns the number of the parameter with that name, or 0.
func (s *Stmt) ParamIndex(name string) int {
	text := cString(s.conn.tls, name)
	defer free(s.conn.tls, text)
	return int(lib.Xsqlite3_bind_parameter_index(s.conn.tls, s.stmt, text))
}

// Step runs the statement up to its next row and reports whether there is one.
//
// https://www.sqlite.org/c3ref/step.html
func (s *Stmt) Step() (row bool, err error) { return s.step(false) }

var errStepClosed = fmt.Errorf("sqlite: step: %w", lido.ErrClosed)

// step is Step, for a caller that may have entered the connection.
func (s *Stmt) step(entered bool) (row bool, err error) {
	c := s.conn
	if c == nil || s.ctx == nil {
		return false, errStepClosed
	}
	gone := s.ctx.Err() != nil
	entered = entered || c.quiet
	if !entered && !c.use.Enter() {
		return false, c.usedTwice("step")
	}
	if s.err != nil || s.phase != ready && s.phase != running || c.faulted || c.interrupted.Load() || s.misused.Load() != nil {
		if err, stop := s.unsteppable(); stop {
			c.leave(entered)
			return false, err
		}
	}
	if gone && (s.phase != running || s.readOnly) {
		c.leave(entered)
		return false, ended.Err(s.ctx)
	}
	if s.readOnly || !c.writesShielded {
		if gone {
			// A write that stands on a row has made all its changes. Left
			// there it would keep them, after an error; the engine undoes them.
			lib.Xsqlite3_interrupt(c.tls, c.db)
		}
		// A pointer is only written where it changes: while the collector
		// marks, each write of one costs, and a list is stepped often.
		if c.stepped.Get() != s {
			c.stepped.Set(s)
		}
		c.stepping = true
	}
	defer c.guard(debug.SetPanicOnFault(true), &err)
	first := s.phase == ready
	s.phase = inEngine
	if first {
		if s.boundCount < len(s.bound) {
			s.bindTheRest()
		}
		if !s.readOnly {
			s.total = db(c).FnTotalChange
		}
	}
	if s.watched {
		c.compiling = &s.effects // the engine may compile it anew
	}
	rc := c.step(s.stmt)
	c.stepping = false
	if s.watched {
		c.compiling = nil
	}
	switch rc {
	case lib.SQLITE_ROW:
		s.phase = running
		s.rows++
		c.leave(entered)
		return true, nil
	case lib.SQLITE_DONE:
		s.phase = finished
		s.expect()
		if !s.readOnly {
			s.changed = 0
			if db(c).FnTotalChange != s.total {
				s.changed = db(c).FnChange
			}
			s.rowid = db(c).FlastRowid
		}
		if s.watched && c.onEnding != nil {
			c.ranTo(&s.effects, nil, s.total)
		}
		c.leave(entered)
		return false, nil
	}
	err = c.fail(s.ctx, rc, s.Query)
	// A statement that failed would run anew at the next step.
	lib.Xsqlite3_reset(c.tls, s.stmt)
	s.phase = dead
	if s.watched && c.onEnding != nil {
		c.ranTo(&s.effects, err, s.total)
	}
	c.leave(entered)
	return false, err
}

// step runs stmt up to its next row or its end.
func (c *Conn) step(stmt uintptr) int32 {
	outer := c.inEngine
	c.inEngine = stmt
	rc := lib.Xsqlite3_step(c.tls, stmt)
	c.inEngine = outer
	return rc
}

// unsteppable says what Step returns instead of going into the engine, if it is
// not to.
func (s *Stmt) unsteppable() (err error, stop bool) {
	c := s.conn
	switch {
	case s.misused.Load() != nil:
		return *s.misused.Load(), true
	case s.err != nil:
		s.reported = true
		return s.err, true
	case s.phase == dead || s.phase == closed:
		return errStepClosed, true
	case s.phase == finished: // the engine would run it again
		return nil, true
	case c.faulted: // closed ends s as well
		return c.broken, true
	case s.phase != running || s.readOnly:
		return s.stop(), true
	}
	// A write that stands on a row goes on into the engine, which undoes it.
	return nil, false
}

// stop ends a statement on an interrupted connection, and with it the snapshot
// that it may be the last to keep.
func (s *Stmt) stop() error {
	if s.phase == running {
		lib.Xsqlite3_reset(s.conn.tls, s.stmt)
		s.phase = dead
	}
	return s.conn.errInterrupted(s.Query)
}

// db reads what sqlite3_changes64, sqlite3_total_changes64 and
// sqlite3_last_insert_rowid read, without a call for each.
func db(c *Conn) *lib.Tsqlite3 { return (*lib.Tsqlite3)(pointer(c.db)) }

// Changes returns how many rows the statement itself inserted, updated or
// deleted, not counting triggers and foreign-key actions. It is set once Step
// has reported that there are no more rows.
func (s *Stmt) Changes() int64 { return s.changed }

// LastInsertID returns the connection's last inserted rowid as it was when the
// statement ended.
func (s *Stmt) LastInsertID() int64 { return s.rowid }

// ExpectedRows returns how many rows the statement can be expected to have: as
// many as the last time it ran to its end, a few more if they become more from
// time to time, or 0. lido.Append asks for it.
func (s *Stmt) ExpectedRows() int { return s.expected }

// expect learns from the rows of this run.
func (s *Stmt) expect() {
	switch {
	case s.expected > 0 && s.rows > s.expected:
		s.expected = s.rows + s.rows/16
	case s.expected == 0 || s.rows < s.expected-s.expected/8:
		s.expected = s.rows
	}
}

// Fail keeps err as the first mistake, if there is none yet.
func (s *Stmt) Fail(err error) {
	if s.err == nil && s.phase != closed {
		if s.Query != "" {
			err = fmt.Errorf("%s: %w", s.Query, err)
		}
		s.err = err
	}
}

// Reset readies the statement to run again. All parameters are NULL again.
func (s *Stmt) Reset() error {
	c := s.conn
	if c == nil {
		return errResetClosed
	}
	if !c.take() {
		return c.usedTwice("reset")
	}
	defer c.give()
	if s.phase == closed || s.stmt == 0 {
		return errResetClosed
	}
	err := s.rewind()
	s.phase = ready
	return err
}

var errResetClosed = fmt.Errorf("sqlite: reset: %w", lido.ErrClosed)

// rewind resets the engine's statement and begins a new run; the caller sets the
// phase. It returns the mistake that no Step has returned, or else what
// resetting came to: a write outside a transaction that stands on a row commits
// there.
func (s *Stmt) rewind() (err error) {
	if !s.reported {
		err = s.err
	}
	s.err, s.reported = nil, false
	if misused := s.misused.Load(); misused != nil {
		s.misused.Store(nil)
		if err == nil {
			err = *misused
		}
	}
	s.block, s.blockUsed = nil, 0
	s.run++
	s.rows, s.boundCount = 0, 0
	if s.conn.faulted || s.stmt == 0 {
		return err
	}
	if s.phase == running && !s.readOnly {
		if resetErr := s.endWrite(); err == nil {
			err = resetErr
		}
		if s.conn.faulted {
			return err
		}
	} else if !seeded.StaleSnapshot || s.Query == "" {
		lib.Xsqlite3_reset(s.conn.tls, s.stmt)
	}
	for _, i := range s.large {
		lib.Xsqlite3_bind_null(s.conn.tls, s.stmt, i)
	}
	s.large = s.large[:0]
	if s.arena != 0 {
		s.arenaLeft = arenaBytes
	}
	return err
}

// endWrite resets a write that is under way. The commit that this may be reads
// and writes pages, and can fail.
func (s *Stmt) endWrite() (err error) {
	c := s.conn
	defer c.guard(debug.SetPanicOnFault(true), &err)
	if rc := lib.Xsqlite3_reset(c.tls, s.stmt); rc != lib.SQLITE_OK {
		err = c.fail(context.Background(), rc, s.Query)
	}
	if c.onEnding != nil {
		c.ranTo(&s.effects, err, s.total)
	}
	return err
}

// Close gives the statement back to the cache. It returns the first mistake of
// Bind or Column that no Step has returned. Closing again does nothing.
//
// A write outside a transaction that was not stepped to its end is committed
// here; the error says if that failed.
func (s *Stmt) Close() error {
	c := s.conn
	if c == nil {
		return nil
	}
	if !c.take() {
		return c.usedTwice("close a statement")
	}
	err := s.close() // which ends what it does even if the engine is lost
	c.give()
	return err
}

// Open reports whether the statement is handed out: Close was not called, or met
// a call of another goroutine.
func (s *Stmt) Open() bool { return s.phase != closed }

func (s *Stmt) close() error {
	if s.phase == closed {
		return nil
	}
	c := s.conn
	err := s.rewind()
	c.openCount--
	s.ctx, s.Query = nil, ""
	s.phase = closed
	s.changed, s.rowid = 0, 0
	if c.faulted || s.stmt == 0 {
		return err
	}
	if !s.cached {
		c.loose = slices.DeleteFunc(c.loose, func(other *Stmt) bool { return other == s })
		s.finalize()
	}
	return err
}

// finalize ends the engine's statement.
func (s *Stmt) finalize() {
	if s.conn.faulted {
		return
	}
	lib.Xsqlite3_finalize(s.conn.tls, s.stmt)
	s.stmt = 0
	s.freeArena()
	if s.conn.stepped.Get() == s {
		s.conn.stepped.Set(nil)
	}
}

func (s *Stmt) freeArena() {
	free(s.conn.tls, s.arena)
	s.arena, s.arenaLeft = 0, 0
}
