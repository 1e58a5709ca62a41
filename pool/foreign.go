package pool

import (
	"context"
	"errors"
	"log/slog"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/foreignkey"
	"github.com/lidodb/lido/sqlite"
)

// SQLite enforces foreign keys only on connections that ask for it, and most
// programs forget to. Lido asks, so rows of another program that point nowhere
// begin to fail their updates. Config.Logger is told of them when the file is
// opened.
//
// Nothing in a file says who has written it, and nothing is written into it to
// remember. But a file that is not in WAL mode was never opened by a pool, and
// will be in WAL mode from then on: that one is looked at thoroughly, once. One
// in WAL mode may be anybody's: it is looked at briefly on every Open. Health's
// foreign_keys check takes as long as it needs.

// orphansCounted is where the check stops to count.
const orphansCounted = 1000

// noteForeignFile looks at the file before its journal mode is set.
func (db *DB) noteForeignFile(ctx context.Context, c *sqlite.Conn) error {
	mode, err := c.QueryText(ctx, "PRAGMA journal_mode")
	if err != nil {
		return err
	}
	pages, err := c.QueryInt64(ctx, "PRAGMA page_count")
	db.notOurs = pages > 0 && mode != "wal"
	db.notNew = pages > 0
	return err
}

// checkForeignFile looks for foreign keys that do not hold, and warns.
func (db *DB) checkForeignFile(ctx context.Context) error {
	if !db.notNew || !db.cfg.Logger.Enabled(ctx, slog.LevelWarn) {
		return nil
	}
	limit := db.around.anyCheckTime
	if db.notOurs {
		limit = db.around.foreignCheckTime
	}
	r, err := db.writer.Acquire(ctx)
	if err != nil {
		return err
	}
	defer r.Release()
	c := r.Value()
	c.LimitTime(limit)
	found, err := foreignkey.Find(ctx, c, orphansCounted)
	c.LimitTime(0)
	log := db.cfg.Logger.With("path", db.path)
	switch {
	case ctx.Err() != nil:
		return err
	case len(found) > 0:
		rows := int64(0)
		for _, b := range found {
			rows += b.Rows
		}
		log.Warn("foreign keys are enforced, and some are broken", "rows", rows, "counted_to_the_end", err == nil && rows < orphansCounted,
			"foreign_keys", len(found), "first", found[0].String(), "remedy", found[0].Remedy())
	case errors.Is(err, lido.ErrInterrupted):
		if db.notOurs {
			log.Warn("foreign keys are enforced from now on; the file is too large to look at all of them now", "looked_for", limit, "remedy", "run PRAGMA foreign_key_check, or health's foreign_keys check")
		}
	case err != nil:
		log.Warn("foreign keys are enforced, and cannot be checked", "error", err)
	}
	return nil
}
