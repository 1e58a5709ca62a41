package sqlite

import (
	"context"
	"runtime/debug"

	"modernc.org/libc"
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
	// Restart also waits for readers, so that the next write begins the WAL
	// anew. The file stays as large as it is.
	Restart CheckpointMode = lib.SQLITE_CHECKPOINT_RESTART
	// Truncate does as Restart does, and cuts the file to nothing. To free the
	// blocks of a large one takes the file system tens of milliseconds.
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
	if !c.take() {
		return res, c.usedTwice("checkpoint")
	}
	defer c.give()
	if err := c.enter(ctx); err != nil {
		return res, err
	}
	defer c.guard(debug.SetPanicOnFault(true), &err)
	// The engine forgets an interrupt when a statement begins and none is
	// running. A checkpoint is none: it would meet one that came too late for
	// what it was meant for. The statement is not to be stopped itself: under a
	// LimitTime that is over, which bounds the waits, every so many would be.
	c.uninterruptible = true
	_, err = queryOne(ctx, c, "SELECT 1", (*Stmt).ColumnInt64)
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

// SyncFile has the operating system write to the disk what checkpoints have put
// into the database file. It waits for the disk and for nobody else, and is in
// nobody's way; the engine's own sync at the end of a checkpoint, which others
// may wait for, has less to do after it.
//
// https://www.sqlite.org/c3ref/io_methods.html
func (c *Conn) SyncFile() (err error) {
	if !c.take() {
		return c.usedTwice("sync")
	}
	defer c.give()
	if err := c.alive(); err != nil {
		return err
	}
	defer c.guard(debug.SetPanicOnFault(true), &err)
	out := malloc(c.tls, 8)
	defer free(c.tls, out)
	// The file that the engine uses: one of a VFS on top of others has its own.
	if rc := lib.Xsqlite3_file_control(c.tls, c.db, 0, lib.SQLITE_FCNTL_FILE_POINTER, out); rc != lib.SQLITE_OK {
		return c.fail(context.Background(), rc, "")
	}
	file := uintptrAt(out)
	if file == 0 || (*lib.Tsqlite3_file)(pointer(file)).FpMethods == 0 {
		return nil // a database in memory
	}
	methods := (*lib.Tsqlite3_io_methods)(pointer((*lib.Tsqlite3_file)(pointer(file)).FpMethods))
	sync := functionAt[func(*libc.TLS, uintptr, int32) int32](methods.FxSync)
	if rc := sync(c.tls, file, lib.SQLITE_SYNC_NORMAL); rc != lib.SQLITE_OK {
		return c.fail(context.Background(), rc, "")
	}
	return nil
}

// SetAutocheckpoint sets how many frames the WAL holds before a commit moves
// them; 0 leaves that to others. It changes nothing for other connections.
//
// https://www.sqlite.org/c3ref/wal_autocheckpoint.html
func (c *Conn) SetAutocheckpoint(frames int) {
	if c.alive() == nil {
		lib.Xsqlite3_wal_autocheckpoint(c.tls, c.db, int32(frames))
	}
}
