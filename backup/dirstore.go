package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Names in a store's folder that are not objects. They begin with a dot,
// which no object's name does.
const (
	lockName   = ".lock"
	tempPrefix = ".tmp-"
)

// DirStore keeps backups as files in one folder, 0600 in a folder that is made
// 0700 when it is absent. Put the folder on another device than the database:
// a backup beside it dies with the disk. Databases may share a folder.
//
// It is safe for concurrent use, and several processes may use one folder.
type DirStore struct {
	dir string
}

// NewDirStore returns a store in dir. Nothing is touched before the first
// use, and nothing is created by reading.
func NewDirStore(dir string) *DirStore { return &DirStore{dir: dir} }

// Locate finds what an operator means by path: a folder of backups, for which
// the ID is empty and stands for the newest, or one of the files of a backup.
func Locate(path string) (store *DirStore, id string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if info.IsDir() {
		return NewDirStore(path), "", nil
	}
	id, _, ok := splitName(filepath.Base(path))
	if !ok {
		return nil, "", fmt.Errorf("%s is neither a folder of backups nor a file of one: %w", path, ErrForeign)
	}
	return NewDirStore(filepath.Dir(path)), id, nil
}

// Dir returns the folder.
func (s *DirStore) Dir() string { return s.dir }

// String returns the folder, for messages.
func (s *DirStore) String() string { return s.dir }

// Put implements Store: it writes a temporary file, syncs it, gives it its
// name and syncs the folder.
func (s *DirStore) Put(ctx context.Context, name string, r io.Reader) (err error) {
	root, err := s.open(name, true)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat(name); err == nil {
		return fmt.Errorf("%s: %w", filepath.Join(s.dir, name), ErrExists)
	}
	temp := tempPrefix + randomHex(8)
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close() // a second close only reports that it is one
			err = errors.Join(err, ignoreAbsent(root.Remove(temp)))
		}
	}()
	if _, err := io.Copy(f, ctxReader{ctx, r}); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := root.Rename(temp, name); err != nil {
		return err
	}
	return syncDir(s.dir)
}

// Open implements Store. It opens regular files only: a link or a pipe in
// the folder is nothing that Put made.
func (s *DirStore) Open(_ context.Context, name string) (io.ReadCloser, error) {
	root, err := s.open(name, false)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: %w", filepath.Join(s.dir, name), ErrForeign)
	}
	return root.OpenFile(name, os.O_RDONLY|noFollow, 0)
}

// List implements Store. A folder that does not exist yet is empty.
func (s *DirStore) List(context.Context) ([]Object, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	objects := make([]Object, 0, len(entries))
	for _, e := range entries {
		if !e.Type().IsRegular() || !validObjectName(e.Name()) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // removed while we read
			continue
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, Object{Name: e.Name(), Bytes: info.Size(), Modified: info.ModTime()})
	}
	return objects, nil
}

// Remove implements Store.
func (s *DirStore) Remove(_ context.Context, name string) error {
	root, err := s.open(name, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(name); err != nil {
		return ignoreAbsent(err)
	}
	return syncDir(s.dir)
}

// Lock implements Store with a lock on the file ".lock", which the system
// takes away from a process that dies. Whoever gets it is the only writer, so
// half-written files it finds are leftovers of a crash, and it removes them.
func (s *DirStore) Lock(ctx context.Context) (context.Context, func() error, error) {
	if err := makeDir(s.dir); err != nil {
		return nil, nil, err
	}
	f, err := waitLockFile(ctx, filepath.Join(s.dir, lockName))
	if err != nil {
		return nil, nil, err
	}
	if err := s.sweep(); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	held, cancel := context.WithCancel(ctx)
	return held, sync.OnceValue(func() error {
		cancel()
		return f.Close()
	}), nil
}

// sweep removes what interrupted Puts have left. What only has such a name, as
// a folder may, is not ours and stops no backup.
func (s *DirStore) sweep() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if random, ok := strings.CutPrefix(e.Name(), tempPrefix); ok && isHex(random, 8) && e.Type().IsRegular() {
			if err := removeIfThere(filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// open checks name and opens the folder in a way that no link leads out of.
func (s *DirStore) open(name string, create bool) (*os.Root, error) {
	if !validObjectName(name) {
		return nil, fmt.Errorf("%.80q is no name for an object of a backup store: %w", name, ErrForeign)
	}
	if create {
		if err := makeDir(s.dir); err != nil {
			return nil, err
		}
	}
	return os.OpenRoot(s.dir)
}

// validObjectName reports whether name is one that Store promises.
func validObjectName(name string) bool {
	if name == "" || len(name) > 128 || name[0] == '.' {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}

// lockPoll is how often a waiter asks for a lock; the system has no wait that
// a context can end.
const lockPoll = 20 * time.Millisecond

// openLockFile opens a file that only ever serves as a lock. It follows no link
// and takes nothing but a regular file: by a link it would open, and create,
// what another program keeps elsewhere, and closing a file that is a database
// drops all locks that this process holds on it.
func openLockFile(path string, flag int) (*os.File, error) {
	refuse := func() error {
		return fmt.Errorf("%s is not a regular file; remove it: %w", path, ErrForeign)
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, refuse()
	}
	f, err := os.OpenFile(path, flag|noFollow, 0o600)
	if isLink(err) { // made since we looked
		return nil, refuse()
	}
	return f, err
}

// waitLockFile creates and locks path, waiting as long as ctx allows. Closing
// the file gives the lock back.
func waitLockFile(ctx context.Context, path string) (*os.File, error) {
	f, err := openLockFile(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		if ctx.Err() != nil {
			return nil, errors.Join(context.Cause(ctx), f.Close())
		}
		ok, err := tryLockFile(f)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if ok {
			return f, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// ignoreAbsent makes nothing of the error that a file is not there.
func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
