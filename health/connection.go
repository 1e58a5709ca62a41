package health

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// freshReadTables bounds how many tables one fresh read looks into.
const freshReadTables = 64

// checkFreshRead reads through a connection that was opened for it. Those of
// the pool hold pages, locks and mappings that let them go on for a while
// after the files were changed under them; a new one sees what is there.
func checkFreshRead() Check {
	var faults atomic.Int64 // counted by the pool at the last look
	return Check{
		Name: FreshRead, Cost: Moderate, Interval: 30 * time.Second, Timeout: 10 * time.Second,
		Run: func(ctx context.Context, db *pool.DB) Result {
			now := db.Stat().Faults
			if n := now - faults.Swap(now); n > 0 {
				return failed(remedyWAL, "%s in mapped memory since the last look: a file of the database was truncated, or its disk cannot be read",
					count(int(n), "fault"))
			}
			var tables int
			err := onFresh(ctx, db, func(c *sqlite.Conn) (err error) {
				err = inSnapshot(ctx, c, func() (err error) {
					tables, err = readSome(ctx, c)
					return err
				})
				if err != nil {
					return err
				}
				if inMemory(db) {
					return nil
				}
				return checkWALLength(ctx, c, realPath(db.Path()))
			})
			var short *shortWALError
			switch {
			case err == nil:
				return okay("a new connection reads the ends of %s", count(tables, "table"))
			case errors.As(err, &short):
				return failed(remedyWAL, "%v", err)
			case errors.Is(err, lido.ErrBusy) && ctx.Err() == nil:
				return degraded(remedyBusy, "a new connection cannot read: %v", err)
			}
			return failed(remedyFor(err), "a new connection cannot read: %v", err)
		},
	}
}

// onFresh runs fn on a connection outside the pool. It looks at the file as it
// is: values that are longer than the pool reads are no damage.
func onFresh(ctx context.Context, db *pool.DB, fn func(*sqlite.Conn) error) (err error) {
	c, err := db.OpenConn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.Limit(sqlite.LimitLength, sqlite.MaxLength)
	return fn(c)
}

// inSnapshot runs fn in a read transaction, within which the schema stays as it
// is. Outside one, tables that others drop and make meanwhile can be missing
// although they were listed, and a schema that changes faster than it is parsed
// ends a statement with SQLITE_SCHEMA.
//
// https://www.sqlite.org/rescode.html#schema
func inSnapshot(ctx context.Context, c *sqlite.Conn, fn func() error) (err error) {
	if err := c.Begin(ctx, sqlite.Deferred); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Rollback()) }()
	// A transaction begins with its first read.
	if _, err := c.QueryInt64(ctx, "SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)"); err != nil {
		return err
	}
	return fn()
}

// readSome reads the schema and the first and the last leaf of the tables: new
// rows lie at the end, so the pages of the last commits are among them.
func readSome(ctx context.Context, c *sqlite.Conn) (tables int, err error) {
	list, err := queryTexts(ctx, c, `SELECT name, coalesce(sql, '') LIKE '%without%rowid%' OR coalesce(sql, '') LIKE '%"_rowid"_%' ESCAPE '"'
		FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 LIMIT `+fmt.Sprint(freshReadTables), 2)
	if err != nil {
		return 0, err
	}
	for _, t := range list {
		name := quoteName(t[0])
		if _, err := queryTexts(ctx, c, "SELECT 1 FROM "+name+" NOT INDEXED LIMIT 1", 1); err != nil {
			return 0, fmt.Errorf("table %s: %w", t[0], err)
		}
		if t[1] == "1" {
			continue // has no _rowid_, or one that is a column and would be sorted by
		}
		if _, err := queryTexts(ctx, c, "SELECT 1 FROM "+name+" NOT INDEXED ORDER BY _rowid_ DESC LIMIT 1", 1); err != nil {
			return 0, fmt.Errorf("table %s: %w", t[0], err)
		}
	}
	return len(list), nil
}

// shortWALError reports a -wal file that is shorter than its index says.
type shortWALError struct {
	frames, want, got int64
}

func (e *shortWALError) Error() string {
	return fmt.Sprintf("the WAL holds %d frames, which take %d bytes, but the -wal file has %d: it was truncated or removed",
		e.frames, e.want, e.got)
}

// checkWALLength compares the length of the -wal file to the number of frames
// that the shared index counts in it. A read finds lost frames only if they
// hold the pages it needs.
//
// A checkpoint may empty the file between the two looks, so a finding must
// stand several times, with the same number of frames before and after it.
//
// https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
func checkWALLength(ctx context.Context, c *sqlite.Conn, path string) error {
	pageSize, err := c.QueryInt64(ctx, "PRAGMA page_size")
	if err != nil {
		return err
	}
	frames, _, err := walFrames(ctx, c)
	for try := 0; ; try++ {
		if errors.Is(err, lido.ErrBusy) {
			return nil // the index is being rebuilt
		}
		if err != nil {
			return err
		}
		if frames <= 0 {
			return nil
		}
		var got int64
		if info, err := os.Stat(path + "-wal"); err == nil {
			got = info.Size()
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil // not allowed to look, which is no finding
		}
		want := 32 + frames*frameBytes(pageSize) // a header, and the frames
		if got >= want {
			return nil
		}
		before := frames
		if frames, _, err = walFrames(ctx, c); frames == before && try >= 4 {
			return &shortWALError{frames: frames, want: want, got: got}
		}
	}
}

// walFrames asks for the number of frames in the WAL, and how many of them are
// in the database already, without moving any; -1 when the database has none.
//
// https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
func walFrames(ctx context.Context, c *sqlite.Conn) (frames, moved int64, err error) {
	s, err := c.Prepare(ctx, "PRAGMA wal_checkpoint(NOOP)")
	if err != nil {
		return 0, 0, err
	}
	row, err := s.Step()
	frames, moved = -1, -1
	if row {
		frames, moved = s.ColumnInt64(1), s.ColumnInt64(2)
	}
	return frames, moved, errors.Join(err, s.Close())
}

// checkWriteProbe takes the write lock and gives it back.
func checkWriteProbe(cfg Config) Check {
	return Check{
		Name: WriteProbe, Cost: Moderate, Interval: 30 * time.Second,
		Timeout: cfg.ProbeWait + 10*time.Second,
		Run: func(ctx context.Context, db *pool.DB) Result {
			if db.Config().ReadOnly {
				return unknown("the pool is read-only")
			}
			if at := db.Stat().LastCommit; !at.IsZero() {
				// One in the future was before the clock was set back.
				if age := time.Since(at); age >= 0 && age < cfg.RecentCommit {
					return okay("a commit succeeded %s ago", roundTime(age))
				}
			}
			wait, cancel := context.WithTimeout(ctx, cfg.ProbeWait)
			defer cancel()
			c, err := db.AcquireWriter(wait)
			if err != nil {
				if wait.Err() != nil && ctx.Err() == nil {
					return degraded(remedyWriter, "the writer was busy for all of %s", cfg.ProbeWait)
				}
				return failed(remedyFor(err), "cannot get the writer: %v", err)
			}
			defer c.Release()
			began := time.Now()
			if err := c.Begin(wait, sqlite.Immediate); err != nil {
				if ctx.Err() == nil && (wait.Err() != nil || errors.Is(err, lido.ErrBusy)) {
					return degraded(remedyBusy, "another process held the write lock for %s", since(began))
				}
				return failed(remedyFor(err), "cannot begin a write transaction: %v", err)
			}
			took := since(began)
			if err := c.Rollback(); err != nil {
				return failed(remedyFor(err), "cannot roll back an empty write transaction: %v", err)
			}
			return okay("the write lock was had within %s", took)
		},
	}
}

// queryTexts returns the rows of a query, n columns each.
func queryTexts(ctx context.Context, c *sqlite.Conn, sql string, n int) (rows [][]string, err error) {
	s, err := c.Prepare(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for {
		more, err := s.Step()
		if err != nil || !more {
			return rows, err
		}
		row := make([]string, n)
		for i := range row {
			if s.ColumnType(i) != lido.Null {
				row[i] = s.ColumnText(i)
			}
		}
		rows = append(rows, row)
	}
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteText(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// since is time.Since at the precision that a person reads.
func since(t time.Time) time.Duration { return roundTime(time.Since(t)) }

func roundTime(d time.Duration) time.Duration {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second)
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
