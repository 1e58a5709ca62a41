package pool

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/sqlite"
)

// The checkpointer moves the WAL into the database file in the background.
//
// It works on a connection of its own, beside the writers: a PASSIVE checkpoint
// waits for nobody and nobody waits for it. What it cannot do is finish while
// somebody writes all the time, for there is always a newer frame; and only
// when all frames are moved does the next write begin the WAL anew. So the
// engine's own checkpoint by the committer (wal_autocheckpoint) stays in force
// as a bound, at four times the length, and the checkpointer leaves a WAL that
// is longer alone: the committer holds the write lock, finishes what is left,
// and the WAL begins anew. Whoever writes faster than the disk can take is so
// held back. With one of the two alone either every so many commits would pay
// for all of the copying and its fsync, or the WAL would grow for as long as
// the load lasts.
//
// TRUNCATE needs the write lock and that nobody reads from the WAL. It is tried
// when nothing was written for an interval and nobody holds a connection, in
// the writer's queue, without waiting for anything.
//
// While a reader keeps frames in the WAL a commit cannot finish either, and its
// attempts copy what the reader before has kept, with all other writers waiting.
// So the committer then leaves that to the checkpointer (yield), until nobody is
// in the way any more, or the checkpointer turns out to be slower than the
// writers. What it leaves behind in the end is room.go's.
//
// FULL, which waits for as long as readers like, is never used.

// checkpointShare is how many times in the length that makes a committer move
// the WAL the checkpointer is asked to.
const checkpointShare = 4

// truncateWait bounds how long a TRUNCATE may wait for the writer, should
// somebody come just then.
const truncateWait = 20 * time.Millisecond

// checkpointing is what holds the writer during a RESTART or TRUNCATE.
var checkpointing = &lido.Query{Name: "checkpointer"}

// checkpointer is the goroutine and its state. A nil one does nothing.
type checkpointer struct {
	db    *DB
	every time.Duration
	pages int64 // how many frames that were not moved make work
	ctx   context.Context
	stop  context.CancelFunc
	ended chan struct{}

	kick  chan struct{}
	asked atomic.Bool  // kick holds something, or it is being done
	slow  atomic.Bool  // writers were faster than its last pass
	vain  atomic.Bool  // which moved hardly anything
	due   atomic.Int64 // pages, or more after a reader was in the way
	long  atomic.Int64 // at how many frames to make room, or more after that failed
	gate  atomic.Pointer[gate]

	maxFrames atomic.Int64 // what Config.WALMaxBytes comes to, once it is known; 0 is no bound
	full      atomic.Int64 // since when the WAL has been that long, in Unix nanoseconds, or 0

	// What the writer's connection was told, and when to look again. Owned by
	// who has the writer.
	writer  *sqlite.Conn
	yielded bool
	last    bool // it yields for one more pass only
	lookAt  int

	// Owned by the goroutine.
	conn    *sqlite.Conn // nil until needed
	commits int64        // as of the last tick
	state   sqlite.WALState
	failing bool // the last attempt failed, and was logged
}

// startCheckpointer starts it, unless Config leaves checkpoints to others.
func (db *DB) startCheckpointer() {
	if db.cfg.ReadOnly || db.cfg.CheckpointInterval < 0 || db.cfg.WALAutocheckpointPages < 0 {
		return
	}
	k := &checkpointer{
		db: db, every: db.cfg.CheckpointInterval, pages: max(1, int64(db.cfg.WALAutocheckpointPages)/checkpointShare),
		ended: make(chan struct{}), kick: make(chan struct{}, 1),
	}
	k.due.Store(k.pages)
	k.long.Store(k.roomAt())
	k.ctx, k.stop = context.WithCancel(context.Background())
	db.checkpointer = k
	go k.run()
}

// close ends the goroutine, interrupts a checkpoint that it runs, and waits.
func (k *checkpointer) close() {
	if k != nil {
		k.stop()
		<-k.ended
	}
}

// noticed looks how long the WAL is, on the connection of a writer that has
// just given it back.
func (k *checkpointer) noticed(c *sqlite.Conn) {
	if k == nil {
		return
	}
	s, ok := c.WALState()
	if !ok {
		return
	}
	k.noticeFull(s)
	work := int64(s.Frames-s.Moved) >= k.due.Load()
	if movable := k.yield(c, s); k.yielded {
		// Somebody may be in the way who is not known here.
		work = movable && (work || !k.vain.Load())
	} else {
		work = work && s.Frames < k.db.cfg.WALAutocheckpointPages
	}
	if (work || int64(s.Frames) >= k.long.Load()) && k.asked.CompareAndSwap(false, true) {
		k.kick <- struct{}{}
	}
}

// yield decides who moves the frames of a WAL that is nearly as long as makes a
// committer do it, or longer: the checkpointer, while a reader of this pool
// keeps some of them, or has until now. It reports whether that would be worth
// a pass, which is known only where it yields.
func (k *checkpointer) yield(c *sqlite.Conn, s sqlite.WALState) (movable bool) {
	full := k.db.cfg.WALAutocheckpointPages
	if k.writer != c {
		k.writer, k.yielded, k.lookAt = c, false, 0
	}
	if s.Frames < full/2 {
		k.lookAt = full / 2
		k.setYielded(c, false)
		return false
	}
	if s.Frames < k.lookAt {
		return false
	}
	k.lookAt = s.Frames + full/64
	_, kept := k.db.snapshots()
	left := s.Frames - s.Moved
	switch {
	case k.slow.Load() && int64(left) > k.pages, int64(s.Frames) >= roomHard*k.roomAt():
		k.setYielded(c, false)
	case kept > 0:
		k.setYielded(c, true)
		k.last = false
		k.slow.Store(false)
	case k.yielded && !k.last && int64(left) > k.pages:
		k.last = true
	case !k.asked.Load():
		k.setYielded(c, false)
	}
	return int64(left-kept) >= k.pages
}

func (k *checkpointer) setYielded(c *sqlite.Conn, yield bool) {
	if yield == k.yielded {
		return
	}
	k.yielded = yield
	k.last = false
	frames := k.db.cfg.WALAutocheckpointPages
	if yield {
		frames = 0
	}
	c.SetAutocheckpoint(frames)
}

func (k *checkpointer) run() {
	defer close(k.ended)
	defer k.disconnect()
	tick := time.NewTicker(k.every)
	defer tick.Stop()
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-k.kick:
			// What fails is tried again on schedule, not after every write.
			if !k.failing && !k.passive() {
				k.makeRoom(k.long.Load())
			}
			k.asked.Store(false)
		case <-tick.C:
			k.onSchedule()
		}
	}
}

// onSchedule moves what there is, and truncates the WAL once it rests.
func (k *checkpointer) onSchedule() {
	if k.db.walBytes() == 0 {
		return
	}
	commits := k.db.commits.Load()
	state, known := k.db.walState()
	rests := commits == k.commits && state == k.state
	k.commits, k.state = commits, state
	if !known || state.Frames > state.Moved {
		moved := k.passive()
		if !moved {
			k.makeRoom(k.roomAt())
		}
		k.state, _ = k.db.walState()
		if !moved {
			return
		}
	}
	if rests && k.truncate() {
		k.disconnect() // until somebody writes again
	}
}

// passive runs one PASSIVE checkpoint and reports whether it moved everything.
func (k *checkpointer) passive() bool {
	if k.db.takeTurn(k.ctx) != nil {
		return false
	}
	defer k.db.passTurn()
	if k.conn == nil && !k.connect() {
		return false
	}
	before, _ := k.db.walState()
	res, err := k.db.checkpointTraced(k.ctx, sqlite.Passive, func(ctx context.Context) (sqlite.CheckpointResult, error) {
		return k.db.checkpointOn(ctx, k.conn, sqlite.Passive)
	})
	if k.failed("moving the WAL into the database file", err) {
		k.db.noteFault(err)
		k.disconnect()
		return false
	}
	after, _ := k.db.walState()
	moved, written := after.Moved-before.Moved, after.Frames-before.Frames
	k.slow.Store(written > k.db.cfg.WALAutocheckpointPages && written > moved)
	left := int64(res.WALFrames - res.MovedFrames) // 0 if it was busy
	k.vain.Store(int64(moved) < k.pages/2)
	if left > 0 || res.Busy {
		// A reader is in the way, and may be for a while.
		k.due.Store(max(k.pages, 2*left))
		return false
	}
	k.due.Store(k.pages)
	return true
}

// truncate runs one TRUNCATE checkpoint, unless somebody has a connection or
// waits for one, and reports whether it left an empty WAL.
func (k *checkpointer) truncate() bool {
	db := k.db
	if db.readers.Stat().InUse > 0 || db.writerWanted() || db.writer.Stat().InUse > 0 {
		return false
	}
	return k.cut(sqlite.Truncate, truncateWait, time.Nanosecond, db.writerWanted)
}

// cut runs one RESTART or TRUNCATE checkpoint on the writer, for which it waits
// for some time, unless it is not to when it has it. It waits for readers no
// longer than patience, and reports whether the WAL begins anew.
func (k *checkpointer) cut(mode sqlite.CheckpointMode, wait, patience time.Duration, unless func() bool) bool {
	ctx, cancel := context.WithTimeout(k.ctx, wait)
	defer cancel()
	db := k.db
	if db.takeTurn(ctx) != nil {
		return false
	}
	defer db.passTurn()
	r, err := db.acquire(ctx, db.writer, checkpointing)
	if err != nil {
		return false // somebody came, or it is closing
	}
	defer r.Release()
	if unless() {
		return false
	}
	c := r.Value()
	defer c.LimitTime(0)
	for again := false; ; again = true {
		c.LimitTime(patience) // of waits; there is little left to copy
		res, err := db.checkpointTraced(k.ctx, mode, func(ctx context.Context) (sqlite.CheckpointResult, error) {
			return db.checkpointOn(ctx, c, mode)
		})
		if k.failed("emptying the WAL", err) {
			return false
		}
		// All is moved, and who has begun to read before that is left.
		if almost := mode == sqlite.Restart && res.Busy && res.MovedFrames == res.WALFrames; !almost || again {
			return !res.Busy
		}
	}
}

// writerWanted reports whether anybody waits for the writer.
func (db *DB) writerWanted() bool {
	db.group.mu.Lock()
	queued := len(db.group.queue)
	db.group.mu.Unlock()
	return queued > 0 || db.writer.waiting.Load() > 0
}

// connect opens the checkpointer's connection.
func (k *checkpointer) connect() bool {
	opt := k.db.cfg.connOptions(false)
	opt.OnOpen = nil // it runs no SQL
	c, err := k.db.connectAs(k.ctx, false, opt)
	if err != nil { // or what it is opened for may fail yet, as it did before
		k.failed("opening the connection of the checkpointer", err)
		return false
	}
	c.DenyControl(true)
	k.conn = c
	return true
}

func (k *checkpointer) disconnect() {
	if k.conn != nil {
		_ = k.conn.Close()
		k.conn = nil
	}
}

// failed logs the first error since a checkpoint worked.
func (k *checkpointer) failed(what string, err error) bool {
	if err == nil {
		k.failing = false
		return false
	}
	if !k.failing && k.ctx.Err() == nil {
		k.db.cfg.Logger.Warn("checkpoint: "+what, "path", k.db.path, "error", err)
	}
	k.failing = true
	return true
}

// CheckpointStat counts checkpoints, those of DB.Checkpoint and those of the
// checkpointer. What a commit moves by itself, at
// Config.WALAutocheckpointPages, is not in it.
type CheckpointStat struct {
	// Passive, Full, Restart and Truncate count those that ended without an error.
	Passive, Full, Restart, Truncate int64
	// Busy counts those among them that could not move everything, because of a
	// reader or of a commit at the same moment; Failed those that ended with an
	// error.
	Busy, Failed int64
	// Pages counts the page versions that they moved, and Time is what they
	// took together.
	Pages int64
	Time  time.Duration
	// Last is when the last one ended, or zero, and LastTime what it took.
	Last     time.Time
	LastTime time.Duration
}

// checkpoints are the counters behind it, and whose turn it is: the engine runs
// one checkpoint at a time, and a PASSIVE one that meets another does nothing.
type checkpoints struct {
	turn chan struct{} // holds something while one runs; taken before the writer
	mu   sync.Mutex
	stat CheckpointStat // guarded by mu
}

// takeTurn waits until no other checkpoint runs, or the writer is not lent any
// more. While Close stops the services it still is.
func (db *DB) takeTurn(ctx context.Context) error {
	select {
	case db.checkpoints.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("pool: wait for another checkpoint: %w", ended.Err(ctx))
	case <-db.writer.base.Done():
		return fmt.Errorf("pool: %s: %w", db.path, lido.ErrClosed)
	}
}

func (db *DB) passTurn() { <-db.checkpoints.turn }

// checkpointOn runs a checkpoint on c and counts it.
func (db *DB) checkpointOn(ctx context.Context, c *sqlite.Conn, mode sqlite.CheckpointMode) (sqlite.CheckpointResult, error) {
	before, known := c.WALState()
	begin := time.Now()
	res, err := c.Checkpoint(ctx, mode)
	end := time.Now()

	db.checkpoints.mu.Lock()
	defer db.checkpoints.mu.Unlock()
	s := &db.checkpoints.stat
	s.Last, s.LastTime = end, end.Sub(begin)
	s.Time += s.LastTime
	if err != nil {
		s.Failed++
		return res, err
	}
	moved := res.MovedFrames
	switch mode {
	case sqlite.Passive:
		s.Passive++
	case sqlite.Full:
		s.Full++
	case sqlite.Restart:
		s.Restart++
	default:
		s.Truncate++
		if !res.Busy {
			moved = before.Frames // the result is of the empty WAL that it left
		}
	}
	if res.Busy || res.MovedFrames < res.WALFrames {
		s.Busy++
	}
	if known {
		s.Pages += int64(max(0, moved-before.Moved))
	}
	return res, nil
}

// walState asks any connection that is open.
func (db *DB) walState() (sqlite.WALState, bool) {
	db.conns.mu.Lock()
	defer db.conns.mu.Unlock()
	for c := range db.conns.open {
		if s, ok := c.WALState(); ok {
			return sqlite.WALState{PageBytes: s.PageBytes, Frames: s.Frames, Moved: s.Moved}, true
		}
	}
	return sqlite.WALState{}, false
}
