package pool

import (
	"os"
	"time"
)

// Stat is a snapshot of a DB. Counts add up since Open.
type Stat struct {
	// Readers and Writer describe the two pools. Writer is zero when the
	// database is read-only.
	Readers, Writer PoolStat

	// Reads counts read statements outside transactions and Read closures;
	// Writes counts write statements outside transactions, and Write closures
	// that got as far as having one.
	Reads, Writes int64
	// Commits and Rollbacks count how the Writes ended.
	Commits, Rollbacks int64
	// Queued is how many single writes wait for the writer now.
	Queued int
	// Groups counts the transactions that more than one single write shared,
	// and Grouped the writes in them.
	Groups, Grouped int64
	// Faults counts faults in mapped memory; see package sqlite.
	Faults int64
	// LastCommit is when a write was last committed, or zero.
	LastCommit time.Time
	// WALBytes is the size of the -wal file, 0 without one.
	WALBytes int64
}

// Stat returns the numbers as they are now.
func (db *DB) Stat() Stat {
	s := Stat{
		Reads:     db.reads.Load(),
		Writes:    db.writes.Load(),
		Commits:   db.commits.Load(),
		Rollbacks: db.rollbacks.Load(),
		Groups:    db.groups.Load(),
		Grouped:   db.grouped.Load(),
		Faults:    db.faults.Load(),
	}
	if db.readers != nil { // nil while Open opens the writer
		s.Readers = db.readers.Stat()
	}
	if db.writer != nil {
		s.Writer = db.writer.Stat()
	}
	db.group.mu.Lock()
	s.Queued = len(db.group.queue)
	db.group.mu.Unlock()
	if n := db.lastCommit.Load(); n != 0 {
		s.LastCommit = time.Unix(0, n)
	}
	// Looking at the name is safe; opening the file would drop its locks.
	if info, err := os.Stat(db.path + "-wal"); err == nil {
		s.WALBytes = info.Size()
	}
	return s
}
