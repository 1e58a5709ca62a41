package pool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// The guards at open: what is refused, and what is said about it. guard_test.go
// provokes each.

// surroundings are what Open finds in the program and the machine. Tests give
// others.
type surroundings struct {
	checkEngine func() error
	filesystem  func(folder string) string // the name of a network file system, or nothing
	exclusive   string                     // the VFS for Config.Exclusive, or nothing
	vfs         string                     // the VFS else

	// How long to look for rows that break foreign keys, in a file that no
	// pool has opened and in any other.
	foreignCheckTime, anyCheckTime time.Duration

	// How long the checkpointer waits until nobody reads, and how long who would
	// read then may be held up.
	gapTime, gateTime time.Duration
	roomFrames        int64 // at which it makes room at the earliest
}

func theseSurroundings() surroundings {
	return surroundings{
		checkEngine: sqlite.CheckEngine, filesystem: networkFilesystem, exclusive: sqlite.ExclusiveVFS,
		foreignCheckTime: 5 * time.Second, anyCheckTime: 50 * time.Millisecond,
		gapTime: gapTime, gateTime: gateTime, roomFrames: roomFrames,
	}
}

// resolve checks the path and makes it absolute.
func resolve(path string, cfg Config, around surroundings) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("pool: open %s: %w", path, err)
	}
	// The engine follows links and puts -wal beside the file itself.
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("pool: open: %w", err)
	} else if folder, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(folder, filepath.Base(abs))
		if target, err := os.Readlink(abs); err == nil { // to a file that is not there yet
			return resolve(within(folder, target), cfg, around)
		}
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isURI(path):
		return "", fmt.Errorf("pool: open %s: is a URI; Open takes the name of a file, and what follows the question mark are fields of Config", path)
	case errors.Is(err, fs.ErrNotExist) && (cfg.MustExist || cfg.ReadOnly):
		return "", fmt.Errorf("pool: open %s: %w", abs, fs.ErrNotExist)
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", fmt.Errorf("pool: open: %w", err)
	case info.IsDir():
		return "", fmt.Errorf("pool: open %s: is a directory; name a file in it", abs)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("pool: open %s: is not a regular file (%v)", abs, info.Mode().Type())
	}
	folder := filepath.Dir(abs)
	if _, err := os.Stat(folder); err != nil {
		return "", fmt.Errorf("pool: open %s: the folder must exist: %w", abs, err)
	}
	if name := around.filesystem(folder); name != "" && !cfg.AllowNetworkFilesystem {
		return "", fmt.Errorf("pool: open %s: the folder is on %s, where WAL is not safe; use a local disk, or set Config.AllowNetworkFilesystem if only this machine ever opens the file", abs, name)
	}
	return abs, nil
}

// within returns path, from folder if it is relative.
func within(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// isURI reports whether a name looks like the data source names of other
// drivers. Taken for a file name it would make a new and empty database.
func isURI(path string) bool {
	_, query, found := strings.Cut(path, "?")
	return strings.HasPrefix(path, "file:") || (found && strings.Contains(query, "="))
}

// explainOpen says what to do about the answers that name no reason.
func explainOpen(path string, cfg *Config, err error) error {
	var e *lido.Error
	var p *sqlite.PragmaError
	switch folder := filepath.Dir(path); {
	case errors.As(err, &p) && p.Name == "journal_mode":
		return fmt.Errorf("%w; the pool works in WAL mode only, which the file system under %s does not offer", err, folder)
	case !errors.As(err, &e):
		return err
	case errors.Is(err, lido.ErrCorrupt):
		return fmt.Errorf("%w; the file is damaged, encrypted or not a SQLite database: restore a backup or name another file", err)
	case cfg.Exclusive && errors.Is(err, lido.ErrBusy):
		return fmt.Errorf("%w; another process has the file open, and Config.Exclusive wants it for this one alone: close it there, or leave Exclusive off", err)
	case errors.Is(err, lido.ErrBusy):
		return fmt.Errorf("%w; another process keeps the file to itself: one that has opened it with Config.Exclusive, or that is in a long transaction of a database without a WAL", err)
	case cfg.ReadOnly && (e.Code == codeCantOpen || errors.Is(err, lido.ErrReadOnly)):
		return fmt.Errorf("%w; to read a database in WAL mode, or one whose last writer was cut off, SQLite must find or create -wal and -shm in %s: open it once where it can be written, and for read-only media set PRAGMA journal_mode=DELETE there", err, folder)
	case e.Code == codeCantOpen || errors.Is(err, lido.ErrReadOnly):
		return fmt.Errorf("%w; SQLite must be able to write to the file, and to its -wal and -shm or to create them in %s", err, folder)
	}
	return err
}

// https://www.sqlite.org/rescode.html#cantopen
const codeCantOpen = 14

// claims are the databases this program has open, so that it opens no file to
// write twice: two pools would have two writers, and each would wait for the
// other in SQLite's lock instead of a queue.
var claims struct {
	sync.Mutex
	dbs []*DB
}

// claim takes the file for db until unclaim.
func (db *DB) claim() error {
	claims.Lock()
	defer claims.Unlock()
	claims.dbs = slices.DeleteFunc(claims.dbs, func(other *DB) bool { return other.abandoned.Load() && other.drained() })
	info, statErr := os.Stat(db.name)
	for _, other := range claims.dbs {
		// Each is looked at anew: the number of a file that was removed
		// serves the next one that is created.
		otherInfo, err := os.Stat(other.name)
		if other.name == db.name || (statErr == nil && err == nil && os.SameFile(info, otherInfo)) {
			if err := db.beside(other); err != nil {
				return fmt.Errorf("pool: open %s: this program has the file open already (as %s)%w", db.path, other.name, err)
			}
		}
	}
	claims.dbs = append(claims.dbs, db)
	return nil
}

var (
	errTwoNames   = errors.New(", and each name of a file has a WAL of its own: open it by that name")
	errAlone      = errors.New(" with Config.Exclusive, beside which there is no other: use that *pool.DB, or close it first")
	errWantsAlone = errors.New(", and Config.Exclusive wants it alone: use that *pool.DB, or close it first")
	errTwoWriters = errors.New(": use that *pool.DB (stdlib.OpenDB makes any number of *sql.DB of it), close it first, or set Config.ReadOnly to read beside it")
)

// beside says why db cannot have the file that other has. One that only reads can
// be beside another, as it could in another process: the engine knows which locks
// of the process belong to which connection.
func (db *DB) beside(other *DB) error {
	switch {
	case other.name != db.name:
		return errTwoNames
	case other.cfg.Exclusive:
		return errAlone
	case db.cfg.Exclusive:
		return errWantsAlone
	case !db.cfg.ReadOnly && !other.cfg.ReadOnly:
		return errTwoWriters
	}
	return nil
}

func (db *DB) unclaim() {
	claims.Lock()
	defer claims.Unlock()
	claims.dbs = slices.DeleteFunc(claims.dbs, func(other *DB) bool { return other == db })
}

// drained reports that no connection is open any more.
func (db *DB) drained() bool {
	for _, p := range db.pools() {
		if s := p.Stat(); s.InUse+s.Idle+s.Constructing > 0 {
			return false
		}
	}
	return true
}

// checkIdentity refuses to open another connection once the file of that name
// is not the one the pool has open. Some connections would then be on one file
// and some on another, or on a new and empty one.
//
// https://www.sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use
func (db *DB) checkIdentity() error {
	if db.memory {
		return nil
	}
	now, err := os.Stat(db.path)
	if err != nil {
		return fmt.Errorf("pool: %s was moved or removed while it was open: put it back, or restart the program: %w", db.path, err)
	}
	if err := db.checkEmptied(now); err != nil {
		return err
	}
	if !os.SameFile(db.file, now) {
		return fmt.Errorf("pool: %s was replaced while it was open; the program has the earlier file: put that back, or restart the program", db.path)
	}
	return nil
}
