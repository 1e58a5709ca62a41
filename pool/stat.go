package pool

import (
	"sync"
	"time"

	"github.com/lidodb/lido/sqlite"
)

// Stat is a snapshot of a DB. Counts add up since Open began, so Config.Prepare
// is in them. Each number is right by itself; between numbers that are read one
// after the other holds only what is said here.
type Stat struct {
	// Readers and Writer describe the two pools. Writer is zero when the
	// database is read-only.
	Readers, Writer PoolStat

	// Reads counts read statements outside transactions and Read closures.
	Reads int64
	// Writes counts write statements outside transactions, Batch closures, Write
	// closures that got as far as having a transaction, and transactions that
	// wrote on a writer borrowed by hand, through package stdlib for instance;
	// these once they have ended.
	Writes int64
	// Commits and Rollbacks count how the Writes ended; their sum is never more
	// than Writes, and as many while none is under way. Rollbacks are all that
	// were answered by an error, also one that gave up waiting and one whose
	// outcome is unknown.
	Commits, Rollbacks int64
	// Statements counts the typed statements: the single ones in Reads and
	// Writes, and those of closures, which are added when their closure ends.
	Statements int64
	// Queued is how many single writes and Batch closures wait for the writer
	// now.
	Queued int
	// QueueWaits counts those that found another one there before them, and
	// QueueWait is how long they were there, added up, until they had their
	// answer or their turn for the connection. The wait for that is in Writer.
	QueueWaits int64
	QueueWait  time.Duration
	// Groups counts the transactions that more than one single write or Batch
	// closure shared, and Grouped the writes in them, at least two for each.
	// LargestGroup is the most that one transaction held.
	Groups, Grouped, LargestGroup int64
	// BeyondGroup counts writes that took too long or returned too many rows
	// for a group, and were run again in a transaction of their own.
	BeyondGroup int64
	// AbortedGroups counts the shared transactions that were thrown away because
	// of one write in them, and RunAgain how often a write was run again for that.
	AbortedGroups, RunAgain int64
	// LastCommit is when a write was last committed, or zero.
	LastCommit time.Time

	// Recycled counts the connections that were closed in good health, for being
	// idle, old or of an earlier generation, Poisoned those that were closed
	// because of what the engine answered on them: damage, an I/O error, a fault
	// in mapped memory, or because an SQL function or collation did not return.
	// Destroyed in Readers and Writer has every reason.
	Recycled, Poisoned int64
	// BusyWaits counts how often a connection slept because another process
	// held the lock it needed.
	BusyWaits int64
	// WALWaits counts the writes that found the WAL at Config.WALMaxBytes.
	WALWaits int64
	// Faults counts faults in mapped memory; see package sqlite.
	Faults int64
	// WALBytes is the size of the -wal file, 0 without one. It does not shrink
	// when the WAL begins anew.
	WALBytes int64
	// WALFrames is how many page versions the WAL holds, WALMoved how many of
	// them are in the database file already. Both are 0 where that is not known:
	// while no connection is open, or on Windows.
	WALFrames, WALMoved int
	// Checkpoints counts what moved them.
	Checkpoints CheckpointStat
}

// Stat returns the numbers as they are now. It takes some microseconds: it asks
// the file system for the size of the WAL.
func (db *DB) Stat() Stat {
	// What is counted later is read first: no end before its beginning.
	var s Stat
	s.Groups = db.group.shared.Load()
	s.Grouped = db.group.members.Load()
	s.LargestGroup = db.group.largest.Load()
	s.BeyondGroup = db.group.beyond.Load()
	s.AbortedGroups = db.group.aborted.Load()
	s.RunAgain = db.group.again.Load()
	s.QueueWaits = db.group.waits.Load()
	s.QueueWait = time.Duration(db.group.waitTime.Load())
	s.Commits = db.commits.Load()
	s.Rollbacks = db.rollbacks.Load()
	s.Writes = db.writes.Load()
	single := db.singleReads.Load() // a read of one statement is counted once
	s.Statements = db.statements.Load() + single
	s.Reads = db.reads.Load() + single
	s.Faults = db.faults.Load()
	s.Poisoned = db.poisoned.Load()
	s.WALWaits = db.walWaits.Load()
	s.BusyWaits = db.conns.busyWaits()
	if db.readers != nil { // nil while Open opens the writer
		s.Readers = db.readers.Stat()
	}
	if db.writer != nil {
		s.Writer = db.writer.Stat()
	}
	s.Recycled = s.Readers.Destroyed.Recycled() + s.Writer.Destroyed.Recycled()
	db.group.mu.Lock()
	s.Queued = len(db.group.queue)
	db.group.mu.Unlock()
	if n := db.lastCommit.Load(); n != 0 {
		s.LastCommit = time.Unix(0, n)
	}
	s.WALBytes = db.walBytes()
	state, _ := db.walState()
	s.WALFrames, s.WALMoved = state.Frames, state.Moved
	db.checkpoints.mu.Lock()
	s.Checkpoints = db.checkpoints.stat
	db.checkpoints.mu.Unlock()
	return s
}

// openConns are the connections of both pools.
type openConns struct {
	mu   sync.Mutex
	open map[*sqlite.Conn]bool // whether it is a reader; guarded by mu
	gone int64                 // busy waits of those that were closed; guarded by mu
}

func (o *openConns) add(c *sqlite.Conn, reader bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[*sqlite.Conn]bool)
	}
	o.open[c] = reader
}

func (o *openConns) remove(c *sqlite.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, c)
	o.gone += c.BusyWaits()
}

func (o *openConns) busyWaits() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.gone
	for c := range o.open {
		n += c.BusyWaits()
	}
	return n
}
