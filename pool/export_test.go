package pool

import (
	"context"
	"time"
)

// Surroundings are what OpenIn answers Open's questions with; what is left out
// is as it is.
type Surroundings struct {
	EngineErr        error
	Filesystem       string
	VFS              string
	NoExclusive      bool
	ForeignCheckTime time.Duration
}

// OpenIn is Open in other surroundings.
func OpenIn(ctx context.Context, path string, cfg Config, s Surroundings) (*DB, error) {
	around := theseSurroundings()
	if s.EngineErr != nil {
		around.checkEngine = func() error { return s.EngineErr }
	}
	if s.Filesystem != "" {
		around.filesystem = func(string) string { return s.Filesystem }
	}
	if s.ForeignCheckTime != 0 {
		around.foreignCheckTime, around.anyCheckTime = s.ForeignCheckTime, s.ForeignCheckTime
	}
	around.vfs = s.VFS
	if s.NoExclusive {
		around.exclusive = ""
	}
	return open(ctx, path, cfg, around)
}

// SetGroupTimes sets how long a group of db lets members in, and how long one
// may run in it.
func SetGroupTimes(db *DB, group, member time.Duration) {
	db.group.time, db.group.memberTime = group, member
}

// KeptReadLocks counts the locks that db keeps for its next reads, -1 if nobody
// looks after them.
func KeptReadLocks(db *DB) int {
	if db.readLocks == nil {
		return -1
	}
	return db.readLocks.locks.Kept()
}

// SetNewsPatience sets how long a write of db waits for functions of OnCommit
// that were called for others.
func SetNewsPatience(db *DB, d time.Duration) { db.news.patience = d }
