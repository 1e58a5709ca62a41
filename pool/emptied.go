package pool

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/lidodb/lido"
)

// Another program can cut the file to nothing: a shell with "> app.db", a copy
// that failed. To the engine such a file is a new and empty database. Connections that have
// its pages in their caches go on and acknowledge writes, new ones find no table,
// and the writer that comes next waits for a lock that it never gets.

// emptiedEvery is how often writers look. To look takes a microsecond.
const emptiedEvery = time.Second

// lookForEmptied looks at the size of the file if that was not done for a while.
// It is asked before each use of the writer.
func (db *DB) lookForEmptied() error {
	if db.memory {
		return nil
	}
	now := int64(time.Since(db.start))
	if last := db.looked.Load(); now-last < int64(db.emptiedEvery) || !db.looked.CompareAndSwap(last, now) {
		return nil
	}
	return db.emptied()
}

// emptied says that the file was cut to nothing since it was opened.
func (db *DB) emptied() error {
	if db.memory || db.file == nil {
		return nil
	}
	now, err := os.Stat(db.path)
	if err != nil {
		return nil // checkIdentity has words for it
	}
	if err := db.checkEmptied(now); err != nil {
		db.looked.Store(0) // each write finds it from now on
		return err
	}
	return nil
}

func (db *DB) checkEmptied(now fs.FileInfo) error {
	if db.file.Size() == 0 || now.Size() > 0 || !os.SameFile(db.file, now) {
		return nil // or replaced, which checkIdentity finds
	}
	return fmt.Errorf("pool: %s was truncated to 0 bytes by another program while it was open: stop the program, keep a copy of -wal as evidence, and restore the last verified backup: %w: %w", db.path, lido.ErrUnavailable, lido.ErrCorrupt)
}

// named is named, and says where a table is missing because all of them are.
func (db *DB) named(q *lido.Query, err error) error {
	err = named(q, err)
	if e, ok := err.(*lido.Error); ok && strings.HasPrefix(e.Message, "no such table") {
		if emptied := db.emptied(); emptied != nil {
			return fmt.Errorf("%w: %w", e, emptied)
		}
	}
	return err
}
