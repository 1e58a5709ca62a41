package pool

import (
	"context"
	"time"
)

// Surroundings are what OpenIn answers Open's questions with; what is left out
// is as it is.
type Surroundings struct {
	EngineErr         error
	Filesystem        string
	VFS               string
	NoExclusive       bool
	ForeignCheckTime  time.Duration
	GapTime, GateTime time.Duration // while the WAL begins anew
	RoomFrames        int64
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
	if s.GapTime != 0 {
		around.gapTime, around.gateTime = s.GapTime, s.GateTime
	}
	if s.RoomFrames != 0 {
		around.roomFrames = s.RoomFrames
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

// WaitsForAGap reports whether the checkpointer of db waits until nobody reads.
func WaitsForAGap(db *DB) bool { return db.checkpointer.gate.Load() != nil }

// NextRoom is at how many frames the checkpointer of db makes room next.
func NextRoom(db *DB) int64 { return db.checkpointer.long.Load() }

// AlwaysLookForEmptied has each use of the writer of db look at the size of the
// file.
func AlwaysLookForEmptied(db *DB) { db.emptiedEvery = 0 }
