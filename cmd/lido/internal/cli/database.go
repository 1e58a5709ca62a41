package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/lidodb/lido/pool"
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
	db, err := pool.Open(ctx, path, pool.Config{
		ReadOnly:  readOnly,
		MustExist: !create,
		// A command reads and goes: it needs neither a large cache nor many
		// connections, beside a server that has them.
		MaxReaders: 2,
		CacheBytes: 8 << 20,
	})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, db.Close(closing))
	}()
	return fn(db)
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
	return nil
}
