package sqlite

import (
	"context"
	"runtime/debug"

	lib "modernc.org/sqlite/lib"
)

// CheckpointMode says how far a checkpoint goes.
//
// https://www.sqlite.org/c3ref/wal_checkpoint_v2.html
type CheckpointMode int32

const (
	// Passive moves what it can without waiting for anybody.
	Passive CheckpointMode = lib.SQLITE_CHECKPOINT_PASSIVE
	// Full waits for writers, then moves everything that no reader pins.
	Full CheckpointMode = lib.SQLITE_CHECKPOINT_FULL
	// Truncate also waits for readers and leaves an empty WAL.
	Truncate CheckpointMode = lib.SQLITE_CHECKPOINT_TRUNCATE
)

// CheckpointResult counts frames, one for each page version in the WAL.
type CheckpointResult struct {
	// WALFrames is how many frames the WAL held, and MovedFrames how many of
	// them are in the database file by now. Both are -1 without a WAL.
	WALFrames, MovedFrames int
	// Busy reports that somebody kept the checkpoint from finishing, which is
	// not an error.
	Busy bool
}

// Checkpoint moves frames from the WAL into the database file. Waits are
// bounded by BusyTimeout and ctx; the copying itself stops when ctx ends.
func (c *Conn) Checkpoint(ctx context.Context, mode CheckpointMode) (res CheckpointResult, err error) {
	if err := c.enter(ctx); err != nil {
		return res, err
	}
	defer c.guard(debug.SetPanicOnFault(true), &err)
	// The engine forgets an interrupt when a statement begins and none is
	// running. A checkpoint is none: it would meet one that came too late for
	// what it was meant for. The statement is not to be stopped itself: under a
	// LimitTime that is over, which bounds the waits, every so many would be.
	c.uninterruptible = true
	_, err = c.QueryInt64(ctx, "SELECT 1")
	c.uninterruptible = false
	if err != nil {
		return res, err
	}
	c.checkpointing.Store(true)
	defer c.checkpointing.Store(false)
	if err := c.enter(ctx); err != nil {
		return res, err
	}
	c.ctx = endable(ctx)
	defer func() { c.ctx = nil }()
	// The progress handler does not run in a checkpoint; the engine's own flag
	// is what it looks at.
	finished := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(finished)
		lib.Xsqlite3_interrupt(nil, c.db)
	})
	defer func() {
		if !stop() {
			<-finished
		}
	}()
	out := malloc(c.tls, 8)
	defer free(c.tls, out)
	rc := lib.Xsqlite3_wal_checkpoint_v2(c.tls, c.db, 0, int32(mode), out, out+4)
	res = CheckpointResult{WALFrames: int(int32At(out)), MovedFrames: int(int32At(out + 4))}
	switch {
	case rc == lib.SQLITE_OK:
		return res, nil
	case rc&0xff == lib.SQLITE_BUSY && ctx.Err() == nil && !c.interrupted.Load():
		res.Busy = true
		return res, nil
	}
	return res, c.fail(ctx, rc, "")
}
