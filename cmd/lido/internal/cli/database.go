package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// closeTimeout bounds the end of a command. Nothing of the command's own holds
// a connection by then.
const closeTimeout = 30 * time.Second

// withDatabase opens the database at path for the time of fn. Only with create
// may the file be absent.
func withDatabase(ctx context.Context, path string, create, readOnly bool, fn func(*pool.DB) error) (err error) {
	if err := checkDatabasePath(path, create); err != nil {
		return err
	}
	if readOnly && !fileExists(path+"-wal") {
		defer sweep(ctx, path)
	}
	db, err := pool.Open(ctx, path, pool.Config{
		ReadOnly:  readOnly,
		MustExist: !create,
		// A command reads and goes: it needs neither a large cache nor many
		// connections, beside a server that has them.
		MaxReaders: 2,
		CacheBytes: 8 << 20,
		// What the program's own limit let in is let through.
		MaxLengthBytes: -1,
	})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, db.Close(closing))
	}()
	err = fn(db)
	switch {
	case errors.Is(err, lido.ErrCorrupt) && !errors.Is(err, backup.ErrDamaged):
		return fmt.Errorf("%w; \"%s\" names the damage; \"lido restore\" puts a backup in its place", err, shell("lido", "doctor", "--db", path))
	case errors.Is(err, lido.ErrBusy):
		return fmt.Errorf("%w; find the program that holds the lock, with \"%s\" for instance, and try again", err, shell("lsof", path))
	}
	return err
}

// sweep removes the empty -wal that a reader of a database nobody else has open
// must make and may not remove. A connection that may write removes it when it
// is the last to close, and the engine knows whether it is. Where that cannot
// be, the files stay, and do no harm.
//
// https://www.sqlite.org/wal.html#read_only_databases
func sweep(ctx context.Context, path string) {
	info, err := os.Stat(path + "-wal")
	if err != nil || info.Size() > 0 {
		return
	}
	c, err := sqlite.Open(context.WithoutCancel(ctx), path, sqlite.Options{})
	if err == nil {
		_ = c.Close() // the command has done its work, and said so
	}
}

// checkDatabasePath says in plain words what the engine would call "unable to
// open database file".
func checkDatabasePath(path string, create bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && create:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no database %s; check --db", path)
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder; --db names the database file in it", path)
	}
	// The engine calls this "unable to open", too. Nothing of this process has
	// the file open yet, whose locks closing it would drop.
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w; run lido as a user who may read the file", err)
	}
	return f.Close()
}
