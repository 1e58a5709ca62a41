package pool

import (
	"context"
	"sync"
	"time"

	"github.com/lidodb/lido/sqlite"
)

// Making room: readers that overlap, or follow each other without a pause, keep
// the WAL from beginning anew. That takes a moment in which all frames are moved
// and nobody reads from the WAL; but with each commit there is a newer frame, and
// at least one reader stands before it. So the WAL would grow by whatever is
// written although no reader is old.
//
// Somebody has to wait in order that there is such a moment. It must not be all
// who write, for one who reads slowly: a RESTART or TRUNCATE that waits for a
// reader has the write lock in hand, and mostly waits in vain, for the next reader
// begins before the lock is of use. So once the WAL is several times too long the
// checkpointer waits, without holding anything, for the moment in which the last
// reader has ended. Whoever would begin to read just then is held up until what
// that reader has kept is moved: most of it beside the writers, the rest on the
// writer. From then on reads do not use the WAL, and the next write begins it
// anew. Who comes while somebody reads is not held up, as that could not help.
//
// Where readers really overlap there is no such moment. Then the writers wait for
// the readers of the moment; a read that begins later finds everything in the
// database file, and does not use the WAL. So it takes as long as the longest read
// that is under way. How long writers may wait grows with the WAL (patience), and
// they do not while reads have turned out to take longer. Beyond
// Config.WALMaxBytes they wait in any case: see walmax.go.

// roomShare is at how many times the length that makes a committer move the WAL
// the checkpointer makes room, but not before it has roomFrames (64 MB). If that
// fails it tries again when the WAL is longer by half as much, or by a quarter of
// itself. From roomHard times as many on (256 MB) commits copy frames beside readers too.
const (
	roomShare  = 4
	roomFrames = 16_000
	roomHard   = 4
)

// gapTime is how long to wait for the moment in which nobody reads, and gapFrames
// while how much is written; gapLook is how often to look for it. Readers are held
// up for gateTime at most.
const (
	gapTime   = 250 * time.Millisecond
	gapFrames = 4_000
	gapLook   = time.Millisecond
	gateTime  = 100 * time.Millisecond
)

// How long writers wait for readers: slipPatience for one that was let in too
// early; for others at first shortPatience, four times as long in a WAL twice as
// long, and so on up to maxPatience in one of 1 GB.
const (
	slipPatience  = 5 * time.Millisecond
	shortPatience = 15 * time.Millisecond
	maxPatience   = 4 * time.Second
)

// patience is how long writers wait for readers in a WAL of so many frames.
func (k *checkpointer) patience(frames int64) time.Duration {
	times := float64(frames) / float64(k.roomAt())
	return time.Duration(min(float64(shortPatience)*times*times, float64(maxPatience)))
}

// roomAt is at how many frames to make room: well before Config.WALMaxBytes.
func (k *checkpointer) roomAt() int64 {
	n := max(k.db.around.roomFrames, roomShare*int64(k.db.cfg.WALAutocheckpointPages))
	if most := k.maxFrames.Load(); most > 0 {
		n = max(min(n, most/roomHard), 1)
	}
	return n
}

// makeRoom has a WAL of that many frames or more begin anew, although somebody
// always reads. It is not tried while most of the WAL cannot be moved: who keeps
// that is in no hurry.
func (k *checkpointer) makeRoom(frames int64) {
	s, known := k.db.walState()
	n := int64(s.Frames)
	if !known || n < frames || k.failing {
		return
	}
	if 2*s.Moved > s.Frames && (k.inGap(n) || k.byForce(n)) {
		k.long.Store(k.roomAt())
		return
	}
	k.long.Store(n + max(k.roomAt()/2, n/4))
}

// inGap waits until nobody reads, and makes room then.
func (k *checkpointer) inGap(frames int64) bool {
	if !k.sync() {
		return false
	}
	g := k.closeGate()
	defer func() {
		k.gate.Store(nil)
		g.open()
	}()
	look := time.NewTicker(gapLook)
	defer look.Stop()
	arrived := false
	for end := time.Now().Add(k.db.around.gapTime); time.Now().Before(end); {
		s, _ := k.db.walState()
		if int64(s.Frames) > frames+gapFrames {
			return false
		}
		reading, kept := k.db.snapshots()
		left := s.Frames - s.Moved
		small := left <= 2*k.db.cfg.WALAutocheckpointPages
		if reading == 0 && small {
			return k.startAnew(g)
		}
		if arrived {
			// By now somebody reads, or there is too much to move to be waited for.
			g.open()
			g, arrived = k.closeGate(), false
		}
		if int64(left-kept) >= k.pages {
			if k.passive(); k.failing || !k.sync() {
				return false
			}
		}
		select {
		case <-g.arrived:
			arrived = true
		case <-look.C:
		case <-k.ctx.Done():
			return false
		}
	}
	return false
}

// startAnew moves what is left while nobody reads. If that takes long those who
// would read are let in, and with them it is in vain to stop the writers.
func (k *checkpointer) startAnew(g *gate) bool {
	begin := time.Now()
	late := func() bool { return g.isOpen() || time.Since(begin) > k.db.around.gateTime/2 }
	k.passive()
	return k.sync() && !late() && k.cut(sqlite.Restart, k.db.around.gateTime/2, slipPatience, late)
}

func (k *checkpointer) closeGate() *gate {
	g := &gate{db: k.db, arrived: make(chan struct{}, 1), opened: make(chan struct{})}
	k.gate.Store(g)
	return g
}

// byForce makes room in a WAL of that many frames while writers wait, if readers
// turn out to be short.
func (k *checkpointer) byForce(frames int64) bool {
	patience := k.patience(frames)
	if !k.readersAreShort(patience) {
		return false
	}
	if k.passive(); k.failing || !k.sync() { // or all of that would be waited for
		return false
	}
	return k.cut(sqlite.Restart, time.Second, patience, func() bool { return false })
}

// readersAreShort reports whether all who read now have ended before so long.
func (k *checkpointer) readersAreShort(limit time.Duration) bool {
	now, _ := k.db.walState()
	look := time.NewTicker(gapLook)
	defer look.Stop()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		select {
		case <-look.C:
		case <-k.ctx.Done():
			return false
		}
		later, _ := k.db.walState()
		reading, kept := k.db.snapshots()
		if reading == 0 || later.Frames-kept >= now.Frames && later.Frames > now.Frames {
			return true
		}
	}
	return false
}

// sync has the disk take what was moved, so that nobody waits for it later.
func (k *checkpointer) sync() bool {
	if k.conn == nil && !k.connect() {
		return false
	}
	if err := k.conn.SyncFile(); k.failed("syncing the database file", err) {
		k.disconnect()
		return false
	}
	return true
}

// gate holds up who would begin to read while nobody else does.
type gate struct {
	db      *DB
	arrived chan struct{} // somebody is held up
	opened  chan struct{}
	once    sync.Once
	limit   sync.Once
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

func (g *gate) isOpen() bool {
	select {
	case <-g.opened:
		return true
	default:
		return false
	}
}

// admit holds up a caller who is about to read, if it is to be.
func (k *checkpointer) admit(ctx context.Context) {
	if k == nil {
		return
	}
	if g := k.gate.Load(); g != nil {
		g.pass(ctx)
	}
}

func (g *gate) pass(ctx context.Context) {
	if n, _ := g.db.snapshots(); n > 0 {
		return
	}
	// All who are held up are so since the first came.
	g.limit.Do(func() { time.AfterFunc(g.db.around.gateTime, g.open) })
	select {
	case g.arrived <- struct{}{}:
	default:
	}
	select {
	case <-g.opened:
	case <-ctx.Done():
	}
}

// snapshots counts the connections of this pool that read, and says how many
// frames those keep in the WAL.
func (db *DB) snapshots() (reading, kept int) {
	count := func(c *sqlite.Conn) {
		if s, ok := c.WALState(); ok && s.Reading {
			reading++
			kept = max(kept, s.Pinned)
		}
	}
	db.conns.mu.Lock()
	for c, reader := range db.conns.open {
		if reader {
			count(c)
		}
	}
	db.conns.mu.Unlock()
	if w := db.watch; w != nil {
		w.mu.Lock()
		for _, o := range w.outside {
			count(o.conn)
		}
		w.mu.Unlock()
	}
	return reading, kept
}
