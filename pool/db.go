package pool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/callers"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/internal/seam"
	"github.com/lidodb/lido/internal/seeded"
	"github.com/lidodb/lido/sqlite"
)

// DB is one database file with one writer and a few readers. It implements
// lido.Database, and all its methods are safe for concurrent use.
type DB struct {
	path   string // what it is called
	name   string // what the engine opens
	memory bool   // it is in memory
	cfg    Config
	around surroundings
	opened bool        // the first connection has been opened
	file   fs.FileInfo // what that has opened; nil in memory

	start        time.Time
	looked       atomic.Int64  // when the size of the file was looked at, after start
	emptiedEvery time.Duration // how often to look

	readers *Pool[*sqlite.Conn]
	writer  *Pool[*sqlite.Conn] // nil if read-only
	hadWAL  bool                // there was a -wal file before Open

	// holder holds the lock of Config.Exclusive, or a database in memory: opened
	// before all others and closed after them. It is used for nothing else.
	holder       *sqlite.Conn
	removeFolder func() error // of a temporary database, or nil

	started []Service
	done    chan struct{} // closed when Close begins

	closeTurn chan struct{} // holds something during Close; guards closeErr
	closing   sync.Once
	refusing  atomic.Bool // Close has stopped the services; the pools lend nothing any more
	closed    atomic.Bool
	closeErr  error

	// abandoned says that Open has failed, so that nobody has this DB. It may
	// still be open: Config.Prepare can have kept a connection.
	abandoned atomic.Bool

	// What the first connection has found, before it set the journal mode.
	notNew, notOurs bool

	seam  seam.Seam // nil but in tests
	group group
	watch *watch // nil if there is nothing to look after
	trace tracers

	readLocks    *readLocks    // nil if there is nothing to save
	checkpointer *checkpointer // nil if checkpoints are left to others
	checkpoints  checkpoints

	reads, writes, commits, rollbacks, faults atomic.Int64
	singleReads, statements, poisoned         atomic.Int64
	walWaits                                  atomic.Int64
	lastCommit                                atomic.Int64 // Unix nanoseconds

	// byHand says that the writer was lent as a raw connection, whose
	// transactions nobody else counts. It belongs to who has the writer.
	byHand bool

	// closure is the goroutine that runs a closure with the writer, or 0.
	closure atomic.Uintptr

	conns openConns

	listenMu  sync.Mutex // serialises changes of listeners
	listeners atomic.Pointer[[]*listener]
	news      news
}

var _ lido.Database = (*DB)(nil)

// Open opens the database at path, creating the file if there is none, runs
// cfg.Prepare and starts cfg.Services. Whatever fails undoes the rest.
//
// It opens the writer at once, so that a file that is not a database, a folder
// that cannot be written to or a setting that the engine does not take is
// found here. Readers are opened when they are first needed.
//
// The path [Memory] is a new database in memory, an empty one a new temporary
// file; see the package documentation.
//
// A program opens a file to write once: a second Open of the same file is refused
// until the first is closed, unless one of the two has Config.ReadOnly. To the
// other, that one is what a reader in another process is: its reads are outside
// the checkpointer's count, and -wal and -shm stay where they are if it is closed
// last.
func Open(ctx context.Context, path string, cfg Config) (*DB, error) {
	return open(ctx, path, cfg, theseSurroundings())
}

func open(ctx context.Context, path string, cfg Config, around surroundings) (*DB, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := around.checkEngine(); err != nil {
		return nil, fmt.Errorf("pool: open %s: %w", path, err)
	}
	if cfg.Exclusive && around.exclusive == "" {
		return nil, fmt.Errorf("pool: config: Exclusive is set, which SQLite does not offer on %s", runtime.GOOS)
	}
	db := &DB{cfg: cfg, around: around, trace: tracersOf(cfg.Tracer), done: make(chan struct{}), closeTurn: make(chan struct{}, 1), seam: seam.From(ctx)}
	db.start, db.emptiedEvery = time.Now(), emptiedEvery
	db.checkpoints.turn = make(chan struct{}, 1)
	db.news.patience = newsPatience
	if err := db.locate(path); err != nil {
		return nil, err
	}
	db.group.time, db.group.memberTime = groupTime, groupMemberTime
	db.group.explain = func(err error) error { return db.checkpointer.explain(err) }
	if err := db.claim(); err != nil {
		return nil, err
	}
	if db.hadWAL = db.hasWAL(); db.hadWAL {
		db.examineWAL()
	}
	if err := db.open(ctx); err != nil {
		// The caller's context may be what failed; closing must go on.
		closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		err = and(err, db.Close(closeCtx))
		db.abandoned.Store(true)
		return nil, and(err, db.letGo())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context) error {
	// The writer first: readers cannot open a file that does not exist yet.
	var err error
	db.startReadLocks()
	if db.held() {
		if err := db.hold(ctx); err != nil {
			return err
		}
	}
	if !db.cfg.ReadOnly {
		if db.writer, err = New(db.poolOptions("writer", 1, 0, false)); err != nil {
			return err
		}
		if err := db.tryOut(ctx, db.writer); err != nil {
			return err
		}
		if err := errors.Join(db.identify(), db.checkForeignFile(ctx)); err != nil {
			return err
		}
	} else if err := db.identify(); err != nil {
		return err
	}
	if db.readers, err = New(db.poolOptions("reader", db.cfg.MaxReaders, db.cfg.MinIdleReaders, true)); err != nil {
		return err
	}
	if db.cfg.ReadOnly {
		if err := db.tryOut(ctx, db.readers); err != nil {
			return err
		}
	}
	db.startWatch()
	db.startCheckpointer()
	if db.cfg.Prepare != nil {
		if err := db.cfg.Prepare(ctx, db); err != nil {
			return fmt.Errorf("pool: prepare %s: %w", db.path, err)
		}
	}
	return db.startServices(ctx)
}

// hold takes the file for this process.
func (db *DB) hold(ctx context.Context) (err error) {
	opt := db.cfg.connOptions(false)
	opt.OnOpen = nil
	opt.Pragmas = []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}
	if db.holder, err = db.connectAs(ctx, false, opt); err != nil {
		return explainOpen(db.path, &db.cfg, fmt.Errorf("pool: %w", err))
	}
	return db.identify()
}

// identify notes which file the first connection has opened.
func (db *DB) identify() (err error) {
	db.opened = true
	if db.memory {
		return nil
	}
	if db.file, err = os.Stat(db.path); err != nil {
		return fmt.Errorf("pool: open: %w", err)
	}
	return nil
}

// letGo gives the file to other processes, and removes one that is temporary,
// once the other connections are closed.
func (db *DB) letGo() (err error) {
	if db.holder != nil {
		err = db.holder.Close()
	}
	if db.removeFolder != nil {
		err = errors.Join(err, db.removeFolder())
	}
	return err
}

// tryOut opens the first connection of p.
func (db *DB) tryOut(ctx context.Context, p *Pool[*sqlite.Conn]) error {
	r, err := p.Acquire(ctx)
	if err != nil {
		return explainOpen(db.path, &db.cfg, err)
	}
	r.Release()
	return nil
}

// poolOptions returns the options of one of the two pools.
func (db *DB) poolOptions(name string, count, idle int, readOnly bool) Options[*sqlite.Conn] {
	opt := Options[*sqlite.Conn]{
		Name:           name,
		MaxCount:       count,
		MinIdleCount:   idle,
		IdleTimeout:    atLeastZero(db.cfg.IdleTimeout),
		MaxLifetime:    atLeastZero(db.cfg.MaxLifetime),
		LifetimeJitter: db.cfg.LifetimeJitter,
		Open: func(ctx context.Context) (*sqlite.Conn, error) {
			conn := db.cfg.connOptions(readOnly)
			if !readOnly {
				conn.OnEnding = db.transactionEnded
			}
			c, err := db.connectAs(ctx, readOnly, conn)
			if err == nil {
				// Transactions are the pool's business: a COMMIT in a query
				// would end one under its caller.
				c.DenyControl(true)
				db.conns.add(c, readOnly)
			}
			return c, err
		},
		Close: func(c *sqlite.Conn) {
			db.beforeClose(c)
			if err := c.Close(); err != nil {
				db.cfg.Logger.Warn("closing a connection", "pool", name, "path", db.path, "error", err)
			}
		},
		Idle: func(ctx context.Context, c *sqlite.Conn) error {
			_, err := c.QueryInt64(ctx, "PRAGMA schema_version") // reads the file's header
			return err
		},
		Tracer:    db.trace.acquire,
		Released:  db.checkReleased,
		Interrupt: (*sqlite.Conn).Interrupt,
		// An interrupted statement ends within milliseconds; what takes longer
		// is the borrower's own code, which nobody can stop.
		CloseGrace: 2 * time.Second,
		OnDestroy: func(c *sqlite.Conn, why DestroyReason, err error) {
			db.conns.remove(c)
			if c.Broken() != nil {
				db.poisoned.Add(1)
			}
			if err != nil {
				db.cfg.Logger.Warn("connection destroyed", "pool", name, "path", db.path, "reason", why.String(), "error", err)
			}
		},
		HeldTooLong: atLeastZero(db.cfg.LeakWarnAge),
		OnHeldTooLong: func(h Holder) {
			db.cfg.Logger.Warn("a connection was not given back yet", "pool", name, "path", db.path,
				"holder", h.Text, "age", time.Since(h.Since).Round(time.Millisecond), "stack", h.Stack)
		},
		OnError: func(err error) {
			db.cfg.Logger.Warn("opening a connection in the background", "pool", name, "path", db.path, "error", err)
		},
	}
	if !readOnly {
		opt.Released = func(c *sqlite.Conn) error {
			err := db.checkReleased(c)
			if err == nil {
				db.checkpointer.noticed(c)
			}
			return err
		}
	}
	if readOnly {
		opt.Stuck = db.readersStuck
		opt.StuckAfter = atLeastZero(db.cfg.IteratorLifetime)
		opt.HeldTooLong = 0 // the watch looks after readers
	}
	return opt
}

// connectAs opens a connection to the file, which after the first one has to be
// the file that one has opened.
func (db *DB) connectAs(ctx context.Context, readOnly bool, opt sqlite.Options) (*sqlite.Conn, error) {
	opt.VFS = db.around.vfs
	if db.cfg.Exclusive && !db.memory {
		opt.VFS = db.around.exclusive
	}
	if db.memory { // which cannot be mapped
		opt.Pragmas = slices.DeleteFunc(opt.Pragmas, func(p sqlite.Pragma) bool { return p.Name == "mmap_size" })
	}
	if !db.opened {
		if !readOnly {
			opt.BeforePragmas = db.noteForeignFile
		}
	} else {
		opt.Create = false
		if err := db.checkIdentity(); err != nil {
			return nil, err
		}
	}
	opt.ReadLocks = db.readLocks.shared()
	return sqlite.Open(seam.With(ctx, db.seam), db.name, opt)
}

// beforeClose runs Config.BeforeClose. It may be on a goroutine of the pool's own,
// where a panic would end the program.
func (db *DB) beforeClose(c *sqlite.Conn) {
	if db.cfg.BeforeClose == nil || c.Broken() != nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			db.cfg.Logger.Error("Config.BeforeClose panicked", "path", db.path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	db.cfg.BeforeClose(c)
}

// checkReleased looks at a connection that comes back: what a borrower left
// behind is repaired, or the connection is destroyed.
func (db *DB) checkReleased(c *sqlite.Conn) error {
	if c.Reclaim() {
		db.cfg.Logger.Warn("connection released beside a call on it", "path", db.path)
	}
	if err := c.Broken(); err != nil {
		db.noteFault(err)
		return err
	}
	if c.OpenStatements() {
		return errors.New("released with a statement that was not closed")
	}
	c.LimitTime(0)
	c.ShieldWrites(false)
	if c.InTransaction() {
		if err := c.Rollback(); err != nil {
			return fmt.Errorf("released in a transaction that cannot be rolled back: %w", err)
		}
		db.cfg.Logger.Warn("connection released in a transaction, which was rolled back", "path", db.path)
	}
	if what := c.Tainted(); what != "" && !seeded.ReuseOfAChanged {
		return fmt.Errorf("released after it was changed by %s", what)
	}
	c.ForgetDeferral() // set outside a transaction it waits for the next one
	if !seeded.ReuseAfterInterrupt {
		c.ClearInterrupt()
	}
	return nil
}

// noteFault counts a fault in mapped memory, if err is one. The other connections
// read the same mapping; let none go on.
func (db *DB) noteFault(err error) {
	if errors.Is(err, sqlite.ErrFault) {
		db.faults.Add(1)
		for _, p := range db.pools() {
			p.Retire()
		}
	}
}

// pools are the readers and the writer, in this order, as far as there are any:
// no writer if the database is read-only, and no readers while Open opens it.
func (db *DB) pools() (ps []*Pool[*sqlite.Conn]) {
	for _, p := range []*Pool[*sqlite.Conn]{db.readers, db.writer} {
		if p != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

// Path returns the absolute path of the database file.
func (db *DB) Path() string { return db.path }

// Config returns what the database was opened with, defaults filled in.
func (db *DB) Config() Config { return db.cfg }

// Done returns a channel that is closed when Close begins.
func (db *DB) Done() <-chan struct{} { return db.done }

// Close stops the services, the last one first, and closes the connections.
// Callers that wait are told lido.ErrClosed; those that hold a connection have
// until ctx ends, and are then interrupted. The last to close a database moves
// the WAL into the file and removes it.
//
// The error joins everything that went wrong; a *HeldError in it names who
// still holds a connection. Close may be called again, and concurrently: while
// something is still held the next call tries once more, and the call whose ctx
// ends first interrupts.
func (db *DB) Close(ctx context.Context) error {
	db.closing.Do(func() { close(db.done) })
	if err := db.takeCloseTurn(ctx); err != nil {
		return err
	}
	defer func() { <-db.closeTurn }()
	if db.closed.Load() {
		return db.closeErr
	}
	errs := []error{db.stopServices(ctx)}
	// Both pools at once: who waits for the writer must not go on waiting, or
	// writing, for as long as somebody reads.
	for _, p := range db.pools() {
		p.refuse()
	}
	db.refusing.Store(true)
	db.checkpointer.close()
	db.readLocks.stop()
	// Readers first, so that the writer, or the holder, is the last: a
	// connection that is read-only cannot remove the WAL.
	for _, p := range db.pools() {
		if err := p.Close(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	// Not before: the watch ends statements for which the above has waited.
	db.watch.stop()
	if err := errors.Join(errs[1:]...); err != nil {
		return errors.Join(errs...)
	}
	db.closed.Store(true)
	db.watch.reportOutsiders()
	errs = append(errs, db.letGo(), db.removeWAL(ctx))
	db.unclaim()
	db.closeErr = errors.Join(errs...)
	return db.closeErr
}

// takeCloseTurn waits until no other call of Close is under way, which may have
// more time than this one.
func (db *DB) takeCloseTurn(ctx context.Context) error {
	select {
	case db.closeTurn <- struct{}{}: // also if ctx has ended
		return nil
	default:
	}
	select {
	case db.closeTurn <- struct{}{}:
		return nil
	case <-ctx.Done():
	}
	if !db.refusing.Load() {
		return fmt.Errorf("pool: close %s: another call of Close waits for the services: %w", db.path, ended.Err(ctx))
	}
	var errs []error
	for _, p := range db.pools() {
		errs = append(errs, p.Close(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	db.closeTurn <- struct{}{} // nothing is held any more, so the other is about to end
	return nil
}

// OpenConn opens a read-only connection of its own, with the readers' settings
// and outside their number: for probes and backups. Its integrity_check looks at
// CHECK constraints too. The caller closes it: Close
// does not, and keeps neither waiting nor silent about one that is still open.
func (db *DB) OpenConn(ctx context.Context) (*sqlite.Conn, error) {
	if err := db.refuse(ctx); err != nil {
		return nil, err
	}
	opt := db.cfg.connOptions(true)
	opt.VerifyChecks = true
	c, err := db.connectAs(ctx, true, opt)
	if err == nil {
		db.watch.add(c)
	}
	return c, err
}

// Checkpoint moves committed pages from the WAL into the database file.
//
// It waits until no other checkpoint runs, as ctx allows. It runs on the writer,
// so other writes wait until it returns. Truncate also waits for readers, at
// most Config.BusyTimeout. Busy in the result says that readers kept some pages
// in the WAL, which is not an error.
//
// There is seldom a need: in the background the WAL is moved as
// Config.WALAutocheckpointPages and CheckpointInterval say.
//
// https://www.sqlite.org/c3ref/wal_checkpoint_v2.html
func (db *DB) Checkpoint(ctx context.Context, mode sqlite.CheckpointMode) (sqlite.CheckpointResult, error) {
	if err := db.refuse(ctx); err != nil {
		return sqlite.CheckpointResult{}, err
	}
	if db.writer == nil {
		return sqlite.CheckpointResult{}, db.errNoWriter()
	}
	if err := db.takeTurn(ctx); err != nil {
		return sqlite.CheckpointResult{}, err
	}
	defer db.passTurn()
	return db.checkpointTraced(ctx, mode, func(ctx context.Context) (sqlite.CheckpointResult, error) {
		r, err := db.acquire(ctx, db.writer, checkpointing)
		if err != nil {
			return sqlite.CheckpointResult{}, err
		}
		defer r.Release()
		return db.checkpointOn(ctx, r.Value(), mode)
	})
}

// refuse answers calls that must not be made: on a closed database, or from
// inside one of its own closures.
func (db *DB) refuse(ctx context.Context) error {
	if db.closed.Load() {
		return fmt.Errorf("pool: %s: %w", db.path, lido.ErrClosed)
	}
	if ctx.Value(closureKey{db}) != nil {
		return lido.ErrNested
	}
	return nil
}

// enterClosure notes that a closure with the writer begins, on this goroutine.
func (db *DB) enterClosure() { db.closure.Store(callers.Goroutine()) }

func (db *DB) leaveClosure() { db.closure.Store(0) }

// waitsForItself reports that this goroutine runs a closure with the writer. With
// a context from outside refuse does not see that.
func (db *DB) waitsForItself() bool {
	g := db.closure.Load()
	return g != 0 && g == callers.Goroutine()
}

// closureKey marks the context of a closure. It has the size of a pointer, so
// that looking for it allocates nothing.
type closureKey struct{ db *DB }

// acquire lends a connection of p for q.
func (db *DB) acquire(ctx context.Context, p *Pool[*sqlite.Conn], q *lido.Query) (*Resource[*sqlite.Conn], error) {
	err := db.refuse(ctx)
	if err == nil && p == db.writer && db.waitsForItself() {
		err = lido.ErrNested
	}
	if err != nil {
		if q != nil {
			err = fmt.Errorf("%s: %w", q, err)
		}
		return nil, err
	}
	if p == nil {
		return nil, db.errNoWriter()
	}
	switch {
	case p == db.readers:
		db.checkpointer.admit(ctx)
	case q != checkpointing:
		if err := db.lookForEmptied(); err != nil {
			return nil, err
		}
		if err := db.checkpointer.waitUntilShort(ctx); err != nil {
			return nil, err
		}
	}
	r, err := p.acquireFor(ctx, q)
	if err != nil {
		if p == db.writer && q != checkpointing {
			err = db.checkpointer.explain(err)
		}
		return nil, err
	}
	if p == db.writer {
		db.byHand = false
	}
	return r, nil
}

func (db *DB) errNoWriter() error {
	return fmt.Errorf("pool: %s was opened with Config.ReadOnly: %w", db.path, lido.ErrReadOnly)
}
