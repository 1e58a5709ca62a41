package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lidodb/lido/pool"
)

// lockSuffix is added to the database's name. See the package documentation.
const lockSuffix = "-migrate.lock"

// errLocked is what tryLock answers when another holds the lock.
var errLocked = errors.New("locked")

// inMemory is the lock on all databases in memory.
var inMemory = make(chan struct{}, 1)

// lock waits until no one else migrates the database at path. The returned
// function ends the lock.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	if path == pool.Memory { // no other process knows it
		select {
		case inMemory <- struct{}{}:
			return func() error { <-inMemory; return nil }, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("migrate: another goroutine is migrating a database in memory: %w", context.Cause(ctx))
		}
	}
	// Two processes may know the file by different names.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	unlock, err = lockFile(ctx, path+lockSuffix)
	switch {
	case errors.Is(err, errLocked):
		return nil, fmt.Errorf("migrate: another process or goroutine is migrating %s: %w", path, context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("migrate: lock: %w", err)
	}
	return unlock, nil
}

// lockFile waits for the lock on the file of that name. The error matches
// errLocked if ctx ended first.
func lockFile(ctx context.Context, name string) (unlock func() error, err error) {
	wait := 2 * time.Millisecond
	for {
		f, err := take(name)
		switch {
		case err == nil:
			return func() error { return unlockFile(f) }, nil
		case !errors.Is(err, errLocked):
			return nil, err
		}
		// There is no wait for a file lock that a context could end.
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%s is %w: %w", name, errLocked, context.Cause(ctx))
		case <-timer.C:
		}
		wait = min(2*wait, 100*time.Millisecond)
	}
}

// take locks the file of that name, which it makes if need be.
func take(name string) (*os.File, error) {
	// Another user of the database must be able to lock it too; to read is
	// enough for that.
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if errors.Is(err, os.ErrPermission) {
		if there, openErr := os.Open(name); openErr == nil {
			f, err = there, nil
		}
	}
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
