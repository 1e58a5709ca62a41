package pool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lidodb/lido/internal/memvfs"
)

// Memory is the path of a database in memory. Each Open of it is a new and
// empty one, which goes with Close; see the package documentation.
const Memory = ":memory:"

// locate finds out where the database is: at path, in memory, or, if path is
// empty, in a folder of its own that Close removes.
func (db *DB) locate(path string) (err error) {
	if path != Memory && path != "" {
		db.path, err = resolve(path, db.cfg, db.around)
		db.name = db.path
		return err
	}
	kind := "in memory"
	if path == "" {
		kind = "temporary"
	}
	switch {
	case db.cfg.ReadOnly:
		return fmt.Errorf("pool: open %q: Config.ReadOnly is set, but a database %s begins empty, and nobody else could fill it", path, kind)
	case db.cfg.MustExist:
		return fmt.Errorf("pool: open %q: Config.MustExist is set, but a database %s never exists before", path, kind)
	}
	if path == Memory {
		db.memory, db.path, db.name = true, Memory, memvfs.NewName()
		db.around.vfs, err = memvfs.Register()
		return err
	}
	sweepTemporary()
	folder, remove, err := temporaryFolder()
	if err != nil {
		return fmt.Errorf("pool: open a temporary database: %w", err)
	}
	db.removeFolder = remove
	db.cfg.Exclusive = db.around.exclusive != ""
	if db.path, err = resolve(filepath.Join(folder, "temporary.db"), db.cfg, db.around); err != nil {
		return errors.Join(err, remove())
	}
	db.name = db.path
	return nil
}

// held reports whether the pool keeps a connection open from first to last.
func (db *DB) held() bool { return db.cfg.Exclusive || db.memory || db.removeFolder != nil }

// walBytes is the length of the WAL.
func (db *DB) walBytes() int64 {
	if db.memory {
		return memvfs.Bytes(db.name + "-wal")
	}
	// Looking at the name is safe; opening the file would drop its locks.
	if info, err := os.Stat(db.path + "-wal"); err == nil {
		return info.Size()
	}
	return 0
}

// temporaryPrefix is what the names of folders of temporary databases begin
// with.
const temporaryPrefix = "lido-temporary-"

// temporaryFolder makes a folder that no other program sweeps while this one
// lives, and returns what removes it.
func temporaryFolder() (folder string, remove func() error, err error) {
	for range 10 {
		if folder, err = os.MkdirTemp("", temporaryPrefix); err != nil {
			return "", nil, err
		}
		unlock, err := lockFolder(folder)
		if err != nil { // somebody is sweeping it
			continue
		}
		if _, err := os.Stat(folder); err != nil { // or has
			unlock()
			continue
		}
		return folder, func() error {
			defer unlock()
			return os.RemoveAll(folder)
		}, nil
	}
	return "", nil, fmt.Errorf("others keep removing the folders made in %s", os.TempDir())
}

// sweepTemporary removes what programs that were killed have left.
func sweepTemporary() {
	folders, _ := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
	for _, folder := range folders {
		if info, err := os.Lstat(folder); err != nil || !info.IsDir() {
			continue
		}
		if unlock, err := lockFolder(folder); err == nil {
			_ = os.RemoveAll(folder)
			unlock()
		}
	}
}
