package sqlite

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	lib "modernc.org/sqlite/lib"
)

// BackupOptions pace an online backup.
type BackupOptions struct {
	// PagesPerStep is how many pages are copied between two pauses; all of
	// them at once if zero.
	PagesPerStep int
	// Pause is how long to rest between steps.
	Pause time.Duration
	// Progress, if set, is called after each step with pages.
	Progress func(remaining, total int)
}

// Backup copies the main database of c over that of dst, page by page, while
// others go on writing.
//
// The copy is one snapshot. If c holds a read transaction (Begin and a read)
// from before the call until after it, the copy never restarts; without one,
// every commit of another connection makes it begin again.
//
// It stops when ctx ends; dst then holds nothing to rely on.
//
// https://www.sqlite.org/c3ref/backup_finish.html
func (c *Conn) Backup(ctx context.Context, dst *Conn, opt BackupOptions) (err error) {
	if err := errors.Join(c.enter(ctx), dst.alive()); err != nil {
		return err
	}
	defer c.guard(debug.SetPanicOnFault(true), &err)
	c.ctx = endable(ctx)
	defer func() { c.ctx = nil }()
	name := cString(c.tls, "main")
	defer free(c.tls, name)
	b := lib.Xsqlite3_backup_init(dst.tls, dst.db, name, c.db, name)
	if b == 0 {
		return dst.fail(ctx, lib.Xsqlite3_extended_errcode(dst.tls, dst.db), "")
	}
	stepErr := c.backupSteps(ctx, b, dst, opt)
	rc := lib.Xsqlite3_backup_finish(dst.tls, b)
	if stepErr == nil && rc != lib.SQLITE_OK {
		stepErr = dst.fail(ctx, rc, "")
	}
	return stepErr
}

func (c *Conn) backupSteps(ctx context.Context, b uintptr, dst *Conn, opt BackupOptions) error {
	pages := int32(-1)
	if opt.PagesPerStep > 0 {
		pages = int32(opt.PagesPerStep)
	}
	for busySince := (time.Time{}); ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rc := lib.Xsqlite3_backup_step(dst.tls, b, pages)
		if opt.Progress != nil && (rc == lib.SQLITE_OK || rc == lib.SQLITE_DONE) {
			opt.Progress(int(lib.Xsqlite3_backup_remaining(dst.tls, b)), int(lib.Xsqlite3_backup_pagecount(dst.tls, b)))
		}
		pause := opt.Pause
		switch rc & 0xff {
		case lib.SQLITE_DONE:
			return nil
		case lib.SQLITE_OK:
			busySince = time.Time{}
		case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
			if busySince.IsZero() {
				busySince = time.Now()
			}
			if time.Since(busySince) > c.busyTimeout {
				return dst.fail(ctx, rc, "")
			}
			pause = max(pause, 5*time.Millisecond)
		default:
			return c.fail(ctx, rc, "")
		}
		if pause <= 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
