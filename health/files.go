package health

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// No check opens the database, the -wal or the -shm file: closing any
// descriptor of one drops every lock this process holds on it. They are looked
// at by name only.
//
// https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_

// realPath is the name the engine goes by: it resolves links, and puts -wal
// and -shm beside the file that they lead to.
func realPath(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	if p, err := filepath.Abs(path); err == nil {
		path = p
	}
	return path
}

// inMemory reports that there are no files to look at.
func inMemory(db *pool.DB) bool { return db.Path() == pool.Memory }

// checkWALSize looks at the length of the -wal file, and where that is large, at
// what of it is in use. A large transaction leaves a long file whose frames are all
// in the database: it is written over from its start, and nothing has to be done
// about it. As long as a single frame is missing there the next write goes behind
// the last one, so that reads that overlap make the file grow although hardly
// anything waits to be moved.
//
// https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files
func checkWALSize(cfg Config) Check {
	const remedy = "find the reader that keeps the WAL from restarting: an open transaction, rows that were not read to their end, or long reads that always overlap; " +
		"in another process it may be a shell or a copy that runs"
	return Check{
		Name: WALSize, Cost: Moderate, Interval: 30 * time.Second, Timeout: 5 * time.Second,
		Run: func(ctx context.Context, db *pool.DB) Result {
			if inMemory(db) {
				return okay("the database is in memory")
			}
			info, err := os.Stat(realPath(db.Path()) + "-wal")
			if errors.Is(err, fs.ErrNotExist) {
				return okay("there is no WAL")
			}
			if err != nil {
				return unknown("cannot look at the WAL: %v", err)
			}
			text := "the WAL takes " + size(info.Size())
			bound := db.Config().WALMaxBytes
			if info.Size() < cfg.WALDegradedBytes && (bound < 0 || info.Size() < bound) {
				return okay("%s", text)
			}
			used, waiting, err := walUse(ctx, db)
			if err != nil {
				// What cannot be asked is taken for needed.
				text, used = fmt.Sprintf("%s (what of it is in use is not known: %v)", text, err), info.Size()
			} else {
				text += fmt.Sprintf(", %s of it in use, %s of it not yet in the database", size(used), size(waiting))
			}
			switch {
			case bound > 0 && used >= bound:
				return failed(remedy, "%s; writes wait, for the bound (pool.Config.WALMaxBytes) is %s", text, size(bound))
			case used >= cfg.WALFailedBytes:
				return failed(remedy, "%s, %s or more", text, size(cfg.WALFailedBytes))
			case used >= cfg.WALDegradedBytes:
				return degraded(remedy, "%s, %s or more", text, size(cfg.WALDegradedBytes))
			}
			return okay("%s", text)
		},
	}
}

// walUse returns how many bytes the WAL holds that the next write does not write
// over, and how many of them are not in the database yet.
func walUse(ctx context.Context, db *pool.DB) (used, waiting int64, err error) {
	err = onFresh(ctx, db, func(c *sqlite.Conn) error {
		page, err := c.QueryInt64(ctx, "PRAGMA page_size")
		if err != nil {
			return err
		}
		frames, moved, err := walFrames(ctx, c)
		if frames > moved {
			used, waiting = frames*frameBytes(page), (frames-moved)*frameBytes(page)
		}
		return err
	})
	return used, waiting, err
}

// frameBytes is what a page takes in the WAL.
//
// https://www.sqlite.org/fileformat2.html#the_write_ahead_log
func frameBytes(page int64) int64 { return 24 + page }

// checkIdentity finds files that were renamed, replaced or unlinked while the
// pool has them open: its commits then go where nobody will look for them, and
// other processes no longer see its locks.
//
// https://www.sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use
func checkIdentity(cfg Config) Check {
	return Check{
		Name: FileIdentity, Cost: Moderate, Interval: time.Minute,
		Timeout: cfg.ProbeWait + 10*time.Second,
		Run: func(ctx context.Context, db *pool.DB) Result {
			if inMemory(db) {
				return okay("the database is in memory")
			}
			path := realPath(db.Path())
			if _, err := os.Stat(path); err != nil {
				return failed(remedyMoved, "the database file is not there: %v", err)
			}
			// The last connection to close removes -wal and -shm, and that is as
			// it should be. While this one reads they have to be there.
			wait, cancel := context.WithTimeout(ctx, cfg.ProbeWait)
			defer cancel()
			c, err := db.AcquireReader(wait)
			if err != nil {
				if wait.Err() != nil && ctx.Err() == nil {
					return degraded(remedyReaders, "no reader was free for %s", cfg.ProbeWait)
				}
				return failed(remedyFor(err), "cannot get a reader: %v", err)
			}
			defer c.Release()
			mode, err := c.QueryText(ctx, "PRAGMA journal_mode")
			if err == nil {
				_, err = c.QueryInt64(ctx, "SELECT count(*) FROM sqlite_schema")
			}
			if err != nil {
				return failed(remedyFor(err), "a pooled connection cannot read: %v", err)
			}
			files := []string{path}
			if mode == "wal" {
				files = append(files, path+"-wal")
				if !db.Config().Exclusive { // which keeps the index in memory
					files = append(files, path+"-shm")
				}
			}
			return checkOpenFiles(files)
		},
	}
}

// checkOpenFiles compares the files of these names with the ones this process
// has open, where the platform tells.
func checkOpenFiles(files []string) Result {
	var infos []os.FileInfo
	for _, f := range files {
		info, err := os.Stat(f)
		if errors.Is(err, fs.ErrNotExist) {
			return failed(remedyMoved, "%s is in use and has been removed or renamed", filepath.Base(f))
		}
		if err != nil {
			return unknown("cannot look at %s: %v", filepath.Base(f), err)
		}
		infos = append(infos, info)
	}
	open, known := openFiles()
	if !known {
		return okay("the files are there; whether they are the ones that are open is not known on this platform")
	}
	for i, f := range files {
		found := false
		for _, o := range open {
			if o.name == f+deletedSuffix {
				return failed(remedyMoved, "%s was removed while it is open", filepath.Base(f))
			}
			found = found || os.SameFile(o.info, infos[i])
		}
		if !found {
			return failed(remedyMoved, "%s was replaced: the file of that name is not the one that is open", filepath.Base(f))
		}
	}
	return okay("the files are the ones that are open")
}

// openFile is a regular file that this process has open.
type openFile struct {
	name string
	info os.FileInfo
}

// size writes a number of bytes for a person.
func size(n int64) string {
	switch {
	case n >= 10*gb:
		return fmt.Sprintf("%d GB", n/gb)
	case n >= gb:
		return fmt.Sprintf("%.1f GB", float64(n)/gb)
	case n >= mb:
		return fmt.Sprintf("%d MB", n/mb)
	case n >= 1000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d bytes", n)
}
