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
	if err := takeBoth(c, dst); err != nil {
		return err
	}
	taken := true
	give := func() {
		if taken {
			c.give()
			dst.give()
		}
		taken = false
	}
	defer give()
	if err := enterBoth(ctx, c, dst); err != nil {
		return err
	}
	// Both wait for locks and do the work of statements meanwhile.
	c.ctx, dst.ctx = endable(ctx), endable(ctx)
	defer func() { c.ctx, dst.ctx = nil, nil }()
	b, err := c.backupInit(ctx, dst)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.backupFinish(ctx, dst, b, err != nil)) }()

	pages := int32(-1)
	if opt.PagesPerStep > 0 {
		pages = int32(opt.PagesPerStep)
	}
	for busySince := (time.Time{}); ; {
		if err := enterBoth(ctx, c, dst); err != nil {
			return err
		}
		step, err := c.backupStep(ctx, dst, b, pages)
		if err != nil {
			return err
		}
		pause := opt.Pause
		if step.busy {
			if busySince.IsZero() {
				busySince = time.Now()
			}
			if time.Since(busySince) > c.busyTimeout {
				return step.busyErr
			}
			pause = max(pause, 5*time.Millisecond)
		} else {
			busySince = time.Time{}
			if opt.Progress != nil {
				// It may read on either connection.
				give()
				opt.Progress(step.remaining, step.total)
				if err := takeBoth(c, dst); err != nil {
					return err
				}
				taken = true
			}
		}
		if step.done {
			return nil
		}
		if pause <= 0 {
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

// takeBoth begins a call on both connections, which ends with give on each.
func takeBoth(src, dst *Conn) error {
	if !src.take() {
		return src.usedTwice("backup")
	}
	if !dst.take() {
		src.give()
		return dst.usedTwice("backup")
	}
	return nil
}

func enterBoth(ctx context.Context, src, dst *Conn) error {
	if err := src.enter(ctx); err != nil {
		return err
	}
	return dst.enter(ctx)
}

func (c *Conn) backupInit(ctx context.Context, dst *Conn) (b uintptr, err error) {
	defer c.guard(debug.SetPanicOnFault(true), &err, dst)
	name := cString(c.tls, "main")
	defer free(c.tls, name)
	b = lib.Xsqlite3_backup_init(dst.tls, dst.db, name, c.db, name)
	if b == 0 {
		return 0, dst.fail(ctx, lib.Xsqlite3_extended_errcode(dst.tls, dst.db), "")
	}
	return b, nil
}

// backupProgress is where a step has left the copy.
type backupProgress struct {
	done, busy       bool
	busyErr          error
	remaining, total int
}

func (c *Conn) backupStep(ctx context.Context, dst *Conn, b uintptr, pages int32) (p backupProgress, err error) {
	defer c.guard(debug.SetPanicOnFault(true), &err, dst)
	rc := lib.Xsqlite3_backup_step(dst.tls, b, pages)
	switch rc & 0xff {
	case lib.SQLITE_OK, lib.SQLITE_DONE:
		p.done = rc == lib.SQLITE_DONE
		p.remaining = int(lib.Xsqlite3_backup_remaining(dst.tls, b))
		p.total = int(lib.Xsqlite3_backup_pagecount(dst.tls, b))
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		p.busy, p.busyErr = true, dst.fail(ctx, rc, "")
	default:
		// The code does not say which of the two files it is about.
		err = dst.fail(ctx, rc, "")
		if dst.broken != nil && c.broken == nil {
			c.broken = dst.broken
		}
	}
	return p, err
}

// backupFinish ends the backup. After a failed step it would only repeat the
// step's error.
func (c *Conn) backupFinish(ctx context.Context, dst *Conn, b uintptr, failed bool) (err error) {
	if c.faulted {
		return nil
	}
	defer c.guard(debug.SetPanicOnFault(true), &err, dst)
	if rc := lib.Xsqlite3_backup_finish(dst.tls, b); rc != lib.SQLITE_OK && !failed {
		return dst.fail(ctx, rc, "")
	}
	return nil
}
