package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// lockSuffix is added to the database's name. See the package documentation.
const lockSuffix = "-migrate.lock"

// errLocked is what tryLock answers when another holds the lock.
var errLocked = errors.New("locked")

// lock waits until no one else migrates the database at path. The returned
// function ends the lock.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	// Two processes may know the file by different names.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	name := path + lockSuffix
	wait := 2 * time.Millisecond
	for {
		f, err := take(name)
		switch {
		case err == nil:
			return func() error { return unlockFile(f) }, nil
		case !errors.Is(err, errLocked):
			return nil, fmt.Errorf("migrate: lock: %w", err)
		}
		// There is no wait for a file lock that a context could end.
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("migrate: another process or goroutine is migrating %s: %w", path, context.Cause(ctx))
		case <-timer.C:
		}
		wait = min(2*wait, 100*time.Millisecond)
	}
}

// take locks the file of that name, which it makes if need be.
func take(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Who held the lock before may have removed the file between the two calls;
	// the lock is then one on a file that nobody else can find.
	mine, err := f.Stat()
	if err == nil {
		var there os.FileInfo
		there, err = os.Stat(name)
		if err == nil && os.SameFile(mine, there) {
			return f, nil
		}
	}
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = errLocked
	}
	return nil, errors.Join(err, f.Close())
}
