package pool

import "github.com/lidodb/lido/internal/walfile"

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
