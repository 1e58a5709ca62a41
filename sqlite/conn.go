package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/internal/inuse"
	"github.com/lidodb/lido/internal/seam"
)

// Conn is one connection. One goroutine at a time may use it; only Interrupt
// may be called beside that one. A call that meets one of another goroutine in
// the engine stays out of it, and fails with lido.ErrConcurrentUse; so does a
// call from a function that the engine calls. The zero Conn is a closed one.
type Conn struct {
	path   string
	tls    *libc.TLS // the engine's view of a thread; goes with the connection
	db     uintptr   // sqlite3*
	file   uintptr   // sqlite3_file* of the platform's VFS, or 0
	memory uintptr   // sqlite3_file* of a database in shared memory, or 0
	handle uintptr   // what callbacks are given to find this Conn

	use   inuse.Flag // a call is under way
	quiet bool       // the lender sees to that instead

	openCount int // statements handed out and not closed
	cache     stmtCache
	loose     []*Stmt  // handed out and not in the cache
	columns   *Columns // those that were put together last
	begin     [2]*Stmt
	commit    *Stmt
	rollback  *Stmt
	controls  map[string]*Stmt // by text

	// What the callbacks look at while the engine runs.
	ctx             context.Context // nil: never ends
	uninterruptible bool
	interrupted     atomic.Bool
	interruptCause  atomic.Pointer[error] // why, where Interrupt was told
	checkpointing   atomic.Bool
	busyTimeout     time.Duration
	busySince       time.Time
	deadline        time.Time // zero: none
	writesShielded  bool      // from the end of their context
	busyWaits       atomic.Int64
	authorizer      Authorizer
	callbacks       []uintptr  // numbers of functions and collations
	hooks           seam.Hooks // of tests; empty in a program
	stoppedWith     int32      // the code for which a hook stopped what runs
	controlDenied   bool
	queryOnlyKept   bool // PRAGMA query_only is refused; see parseChecks
	sawControl      bool // by the statement being compiled

	stepped  inuse.Pointer[Stmt] // the last that was stepped
	stepping bool                // it runs, and its context counts
	inEngine uintptr             // sqlite3_stmt* of what the engine runs now, the innermost

	compiling *effects // where the authorizer notes what a statement does, or nil
	open      openTransaction
	onEnding  func(Ending) // asks both who opened the connection and who set one

	ownersEnding func(Ending) // Options.OnEnding
	atOpen       struct {     // what RestoreHooks restores
		authorizer Authorizer
		onEnding   func(Ending)
	}

	wal  walView
	kept *keptLock // the part in Options.ReadLocks, or nil

	broken  error  // an answer after which the connection must be destroyed
	faulted bool   // stopped in the middle of the engine: never enter it again
	exiting bool   // a callback panics or ends the goroutine, and guard is still to see it
	tainted string // what a statement changed that outlives it
	closed  bool
}

// Path returns the name the connection was opened with.
func (c *Conn) Path() string { return c.path }

// Broken returns the answer that made the connection unfit for more work, or
// nil: damage, an I/O error, a locking protocol error, a fault in mapped
// memory, a callback that did not return, or a file that was moved away. Close
// such a connection. One that is closed is broken too.
func (c *Conn) Broken() error {
	if c.broken == nil && (c.closed || c.db == 0) {
		return fmt.Errorf("sqlite: connection: %w", lido.ErrClosed)
	}
	return c.broken
}

// Faulted reports that the engine was left in the middle of its work: by a fault
// in mapped memory, which Broken then says with ErrFault, or by a callback that
// panicked or ended its goroutine. See the package documentation.
func (c *Conn) Faulted() bool { return c.faulted }

// Tainted names a change to the connection that outlives what made it (a PRAGMA,
// an attached file, a temporary table, a function or collation), or is empty.
func (c *Conn) Tainted() string { return c.tainted }

// BusyWaits counts how often the connection has slept waiting for a lock. Any
// goroutine may call it.
func (c *Conn) BusyWaits() int64 { return c.busyWaits.Load() }

// InTransaction reports whether a transaction is open. After a failed write it
// tells whether the engine has rolled the whole transaction back.
//
// https://www.sqlite.org/c3ref/get_autocommit.html
func (c *Conn) InTransaction() bool {
	return !c.faulted && !c.closed && c.db != 0 && lib.Xsqlite3_get_autocommit(c.tls, c.db) == 0
}

// DeferredForeignKeys reports whether the open transaction holds violations of
// deferred foreign keys, which would make its commit fail.
//
// https://www.sqlite.org/c3ref/c_dbstatus_options.html
func (c *Conn) DeferredForeignKeys() bool {
	if !c.take() {
		return false
	}
	defer c.give()
	if c.alive() != nil {
		return false
	}
	out := malloc(c.tls, 8)
	defer free(c.tls, out)
	rc := lib.Xsqlite3_db_status(c.tls, c.db, lib.SQLITE_DBSTATUS_DEFERRED_FKS, out, out+4, 0)
	return rc == lib.SQLITE_OK && int32At(out) != 0
}

// ForgetChanges sets what last_insert_rowid() and changes() answer in SQL to
// zero, so that a statement does not see what one before it left there.
func (c *Conn) ForgetChanges() { c.RecallChanges(0, 0) }

// RecallChanges sets what last_insert_rowid() and changes() answer in SQL: what
// LastInsertID and Changes of an earlier statement said, perhaps of another
// connection's.
//
// https://www.sqlite.org/c3ref/set_last_insert_rowid.html
func (c *Conn) RecallChanges(rowid, changes int64) {
	if c.alive() == nil {
		db(c).FlastRowid, db(c).FnChange = rowid, changes
	}
}

// ForgetDeferral undoes PRAGMA defer_foreign_keys, which otherwise lasts until
// the transaction ends, savepoints that are undone notwithstanding.
func (c *Conn) ForgetDeferral() {
	if c.alive() == nil {
		db(c).Fflags &^= lib.SQLITE_DeferFKs
	}
}

// ShieldWrites keeps a write that has begun from being interrupted when its
// context ends: what the engine then undoes is often the whole transaction, and
// somebody else's work may be in it. A write whose context has ended before it
// begins is refused all the same; Interrupt and LimitTime go on working.
//
// https://www.sqlite.org/c3ref/interrupt.html
func (c *Conn) ShieldWrites(on bool) { c.writesShielded = on }

// Synchronous returns the level of PRAGMA synchronous: 0 for OFF, 1 for NORMAL,
// 2 for FULL, 3 for EXTRA. It asks neither the file nor the engine.
func (c *Conn) Synchronous() int {
	if c.alive() != nil {
		return -1
	}
	return int((*lib.TDb)(pointer(db(c).FaDb)).Fsafety_level) - 1
}

// SetSynchronous sets PRAGMA synchronous outside a transaction; inside one the
// engine refuses. It does nothing where the level is the one wanted. Unlike
// SetPragma it does not mark the connection as changed: whoever lends the
// connection says with it what the next commits are to survive.
//
// https://www.sqlite.org/pragma.html#pragma_synchronous
func (c *Conn) SetSynchronous(ctx context.Context, level int) error {
	if c.Synchronous() == level {
		return nil
	}
	tainted := c.tainted
	err := c.Exec(ctx, "PRAGMA synchronous="+strconv.Itoa(level))
	c.tainted = tainted
	if err != nil {
		return fmt.Errorf("PRAGMA synchronous=%d: %w", level, err)
	}
	if got := c.Synchronous(); got != level {
		return &PragmaError{Name: "synchronous", Want: strconv.Itoa(level), Got: strconv.Itoa(got)}
	}
	return nil
}

// LimitTime interrupts what still runs when d has passed from now on; zero
// takes the limit away.
func (c *Conn) LimitTime(d time.Duration) {
	c.deadline = time.Time{}
	if d > 0 {
		c.deadline = time.Now().Add(d)
	}
}

// TimeLimit returns when the time that LimitTime gave is over, or zero.
func (c *Conn) TimeLimit() time.Time { return c.deadline }

// Limit sets one of the connection's limits and returns the value it had; a
// negative value only asks.
//
// https://www.sqlite.org/c3ref/limit.html
func (c *Conn) Limit(id, value int) int {
	if c.alive() != nil {
		return -1
	}
	if value >= 0 {
		c.tainted = "sqlite3_limit"
	}
	return int(lib.Xsqlite3_limit(c.tls, c.db, int32(id), int32(value)))
}

// DataVersion is a number that has changed since this connection last read or
// wrote the database, as the connection saw it then, if another connection
// committed in between; this one's own commits may change it too. It touches
// no file: only the next read notices what others have done.
//
// https://www.sqlite.org/c3ref/c_fcntl_begin_atomic_write.html#sqlitefcntldataversion
func (c *Conn) DataVersion() (_ uint32, err error) {
	if !c.take() {
		return 0, c.usedTwice("data version")
	}
	defer c.give()
	if err := c.alive(); err != nil {
		return 0, err
	}
	defer c.guard(debug.SetPanicOnFault(true), &err)
	out := malloc(c.tls, 4)
	defer free(c.tls, out)
	if rc := lib.Xsqlite3_file_control(c.tls, c.db, 0, lib.SQLITE_FCNTL_DATA_VERSION, out); rc != lib.SQLITE_OK {
		return 0, c.fail(context.Background(), rc, "")
	}
	return uint32(int32At(out)), nil
}

// alive refuses work on a connection that has ended.
func (c *Conn) alive() error {
	if c.closed || c.db == 0 || c.faulted {
		return c.Broken()
	}
	return nil
}

// enter is alive, and refuses work that was told to stop before it began.
func (c *Conn) enter(ctx context.Context) error {
	if err := c.alive(); err != nil {
		return err
	}
	if c.interrupted.Load() {
		return c.errInterrupted("")
	}
	if ctx.Err() != nil {
		return ended.Err(ctx)
	}
	return nil
}

// Exec runs every statement in sql, one after the other, up to the first that
// fails. Rows are thrown away. It opens no transaction: without one, the
// statements before the failed one stay.
func (c *Conn) Exec(ctx context.Context, sql string) (err error) {
	if !c.take() {
		return c.usedTwice("exec")
	}
	defer c.give()
	if err := c.enter(ctx); err != nil {
		return err
	}
	defer c.guard(debug.SetPanicOnFault(true), &err)
	if err := checkText(sql); err != nil {
		return err
	}
	c.ctx = endable(ctx)
	defer func() { c.ctx = nil }()

	text := cString(c.tls, sql)
	if text == 0 {
		return errors.New("sqlite: out of memory")
	}
	defer free(c.tls, text)
	out := malloc(c.tls, 16)
	defer free(c.tls, out)
	for at := text; ; at = uintptrAt(out + 8) {
		if at != text && bytesAt(at, 1)[0] == 0 {
			return nil // all is done, whatever has become of ctx
		}
		if err := c.enter(ctx); err != nil {
			return err
		}
		var e effects
		c.compiling = &e
		rc := lib.Xsqlite3_prepare_v3(c.tls, c.db, at, -1, 0, out, out+8)
		c.compiling = nil
		if rc != lib.SQLITE_OK {
			err := c.fail(ctx, rc, "")
			if e, ok := err.(*lido.Error); ok && e.Offset >= 0 {
				e.Offset += int(at - text)
			}
			return err
		}
		stmt := uintptrAt(out)
		if stmt == 0 { // nothing but blanks or a comment
			if bytesAt(uintptrAt(out+8), 1)[0] == 0 {
				return nil
			}
			continue
		}
		writes := c.onEnding != nil && (e.control || lib.Xsqlite3_stmt_readonly(c.tls, stmt) == 0)
		if writes {
			c.keepTables(&e)
			c.compiling = &e
		}
		total := db(c).FnTotalChange
		for rc = lib.SQLITE_ROW; rc == lib.SQLITE_ROW; {
			rc = c.step(stmt)
		}
		c.compiling = nil
		if rc != lib.SQLITE_DONE {
			err = c.fail(ctx, rc, "")
		}
		lib.Xsqlite3_finalize(c.tls, stmt)
		if writes {
			c.ranTo(&e, err, total)
		}
		if err != nil {
			return err
		}
	}
}

// QueryInt64 returns the first column of the first row of sql.
func (c *Conn) QueryInt64(ctx context.Context, sql string) (int64, error) {
	if !c.take() {
		return 0, c.usedTwice("query")
	}
	defer c.give()
	return queryOne(ctx, c, sql, (*Stmt).ColumnInt64)
}

// QueryText returns the first column of the first row of sql.
func (c *Conn) QueryText(ctx context.Context, sql string) (string, error) {
	if !c.take() {
		return "", c.usedTwice("query")
	}
	defer c.give()
	return queryOne(ctx, c, sql, (*Stmt).ColumnText)
}

// queryOne is for a caller that has entered c.
func queryOne[T any](ctx context.Context, c *Conn, sql string, column func(*Stmt, int) T) (v T, err error) {
	s, err := c.prepare(ctx, sql, true)
	if err != nil {
		return v, err
	}
	row, err := s.step(true)
	switch {
	case err != nil:
	case !row:
		err = lido.ErrNoRows
	default:
		v = column(s, 0)
		// To the end, where a write commits.
		for row && err == nil && !s.readOnly {
			row, err = s.step(true)
		}
	}
	if closeErr := s.close(); err == nil {
		err = closeErr
	}
	return v, err
}

// RestoreHooks sets what SetAuthorizer and OnEnding have set back to what
// Options.OnOpen had set.
func (c *Conn) RestoreHooks() {
	c.authorizer = c.atOpen.authorizer
	c.OnEnding(c.atOpen.onEnding)
}

// OpenStatements reports whether statements are handed out and not closed.
func (c *Conn) OpenStatements() bool { return c.openCount > 0 }

// Close ends the connection and everything made from it; an open transaction
// is rolled back. The last connection of a WAL database moves the WAL into the
// database file and removes it, unless it was opened read-only. Closing again
// does nothing. A call that another goroutine has under way it interrupts and
// waits for.
//
// https://www.sqlite.org/c3ref/close.html
func (c *Conn) Close() (err error) {
	c.use.Await(c.Interrupt)
	defer c.use.Leave()
	if c.closed {
		return nil
	}
	c.closed = true
	c.forgetWAL()
	if c.faulted || c.db == 0 {
		// After a fault the engine's structures may be half changed, and closing
		// a descriptor could drop locks of other connections. Give them up.
		unregister(c)
		return nil
	}
	defer unregister(c)
	defer c.guard(debug.SetPanicOnFault(true), &err)
	c.kept.leave(c.tls)
	c.ctx = nil
	c.uninterruptible = true
	// Our own statements only: those that virtual tables keep are on the
	// engine's list too, and sqlite3_close_v2 has the tables finalize them.
	end := func(s *Stmt) {
		writing := s.phase == running && s.watched && c.onEnding != nil
		if s.phase != closed {
			s.phase = dead
		}
		s.finalize()
		if writing { // it may have committed
			c.ranTo(&s.effects, nil, s.total)
		}
	}
	for _, s := range c.loose {
		end(s)
	}
	c.cache.each(end)
	for _, s := range c.controls {
		s.finalize()
	}
	for _, s := range []*Stmt{c.begin[Deferred], c.begin[Immediate], c.commit, c.rollback} {
		if s != nil {
			s.finalize()
		}
	}
	if rc := lib.Xsqlite3_close_v2(c.tls, c.db); rc != lib.SQLITE_OK {
		err = c.fail(context.Background(), rc, "")
	}
	c.settleLost()
	c.tls.Close()
	return err
}
