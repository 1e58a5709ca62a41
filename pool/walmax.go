package pool

import (
	"context"
	"fmt"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/sqlite"
)

// Config.WALMaxBytes: a write that finds the WAL at its bound restarts it before it
// begins. It queues for the writer like any other and waits there until the reads
// that are under way have ended. Reads that begin meanwhile find everything in the
// database file, so they do not lengthen the wait. After Config.BusyTimeout it gets
// lido.ErrBusy; a read that does not end must not stop the program for good, and
// may be the caller's own.

// leastWait is how long a write waits for readers where those before it have waited
// for Config.BusyTimeout already.
const leastWait = 10 * time.Millisecond

// noticeFull notes whether the WAL is at its bound. A WAL that is moved completely
// is not: the next write restarts it.
func (k *checkpointer) noticeFull(s sqlite.WALState) {
	limit := k.db.cfg.WALMaxBytes
	if limit < 0 || s.PageBytes == 0 {
		return
	}
	most := max(limit/int64(s.PageBytes), 1)
	if k.maxFrames.Swap(most) != most {
		k.long.Store(k.roomAt())
	}
	switch full := int64(s.Frames) >= most && s.Moved < s.Frames; {
	case !full:
		k.full.Store(0)
	case k.full.CompareAndSwap(0, time.Now().UnixNano()):
		k.db.cfg.Logger.Warn("writes wait, the WAL is at its bound", "path", k.db.path,
			"bound", limit, "reason", k.keptBy())
	}
}

// waitUntilShort returns when the WAL is shorter than its bound or can restart. The
// caller has no connection.
func (k *checkpointer) waitUntilShort(ctx context.Context) error {
	if k == nil {
		return nil
	}
	since := k.full.Load()
	if since == 0 {
		return nil
	}
	k.db.walWaits.Add(1)
	patience := max(time.Until(time.Unix(0, since).Add(k.db.cfg.BusyTimeout)), leastWait)
	restarts, err := k.restart(ctx, patience)
	switch {
	case err == nil && restarts:
		return nil
	case err == nil:
		return k.explain(fmt.Errorf("pool: the WAL did not restart for %v: %w",
			time.Since(time.Unix(0, since)).Round(time.Millisecond), lido.ErrBusy))
	case ctx.Err() != nil:
		return k.explain(fmt.Errorf("pool: wait for the WAL to restart: %w", ended.Err(ctx)))
	}
	return fmt.Errorf("pool: restart the WAL: %w", err)
}

// restart has the WAL restart with the next write, unless it is short again. It
// queues for the writer, and then waits for readers no longer than patience.
func (k *checkpointer) restart(ctx context.Context, patience time.Duration) (restarts bool, err error) {
	db := k.db
	if err := db.takeTurn(ctx); err != nil {
		return false, err
	}
	defer db.passTurn()
	if k.full.Load() == 0 {
		return true, nil
	}
	r, err := db.acquire(ctx, db.writer, checkpointing)
	if err != nil {
		return false, err
	}
	defer func() {
		r.Release() // which looks at the WAL
		if restarts {
			k.full.Store(0)
		}
	}()
	c := r.Value()
	defer c.LimitTime(0)
	for end := time.Now().Add(patience); ; {
		c.LimitTime(max(time.Until(end), time.Nanosecond)) // of waits; the copying has the time it takes
		res, err := db.checkpointTraced(ctx, sqlite.Restart, func(ctx context.Context) (sqlite.CheckpointResult, error) {
			return db.checkpointOn(ctx, c, sqlite.Restart)
		})
		if err != nil || !res.Busy {
			return err == nil, err
		}
		if time.Now().After(end) {
			return false, nil
		}
	}
}

// explain adds to the error of a write that gave up waiting that the WAL is at its
// bound, and why, if it is.
func (k *checkpointer) explain(err error) error {
	if k == nil || k.full.Load() == 0 {
		return err
	}
	return fmt.Errorf("%w (writes wait for the WAL, which has reached Config.WALMaxBytes, %d, and is kept by %s)",
		err, k.db.cfg.WALMaxBytes, k.keptBy())
}

// keptBy names the reader that keeps most of the WAL.
func (k *checkpointer) keptBy() string {
	if ps := k.db.PinnedReaders(); len(ps) > 0 {
		return fmt.Sprintf("%s for %v", ps[0].Text, ps[0].Age.Round(time.Millisecond))
	}
	return "reads that overlap, or by another process"
}
