package pool

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/lidodb/lido/internal/seam"
	"github.com/lidodb/lido/internal/walfile"
	"github.com/lidodb/lido/sqlite"
)

// examineWAL looks at a WAL that another run of a program has left, before the
// engine opens it. Behind a damaged frame the engine recovers nothing, and says
// nothing.
//
// https://www.sqlite.org/fileformat2.html#wal_file_format
func (db *DB) examineWAL() {
	damage, err := walfile.Examine(db.path + "-wal")
	if err != nil || damage == nil {
		return // what cannot be read the engine has its own words for
	}
	db.cfg.Logger.Error("the WAL is damaged, and commits are lost", "path", db.path, "offset", damage.Offset, "frames", damage.Frames, "commits", damage.Commits,
		"remedy", "stop the program, keep a copy of the database and its -wal, and compare with the last verified backup; after a power failure the commits may be ones that were never on the disk")
}

func (db *DB) hasWAL() bool {
	_, err := os.Lstat(db.path + "-wal")
	return !db.memory && !errors.Is(err, fs.ErrNotExist)
}

// removeWAL opens and closes the file once more if a WAL is left that was not
// there before, or that a writer of this pool has used: the writer may have been
// closed for idleness long before the last reader, and readers make a WAL but
// cannot remove it.
func (db *DB) removeWAL(ctx context.Context) error {
	wrote := db.writer != nil && db.writer.Stat().Created > 0
	if db.hadWAL && !wrote || !db.hasWAL() {
		return nil
	}
	c, err := sqlite.Open(seam.With(context.WithoutCancel(ctx), db.seam), db.path, sqlite.Options{BusyTimeout: time.Second})
	if err != nil {
		// The file was removed or damaged, or may only be read.
		return nil
	}
	return c.Close()
}
