package backup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// scratchSuffix names the folder beside a database that plain copies pass
// through.
const scratchSuffix = ".lido-scratch"

const (
	runPrefix     = "run-"
	runLockSuffix = ".lock"
)

// scratchRun is a folder of its own for one backup, check or restore, 0700
// within a folder 0700. A lock on a file beside it says that its owner lives:
// without one it is the leftover of a crash, and anybody may sweep it.
type scratchRun struct {
	dir  string
	base string
	lock *os.File
}

// newScratchRun makes a run's folder in base and sweeps what crashes left.
func newScratchRun(base string) (*scratchRun, error) {
	var lasterr error
	// Another process may sweep base away between any two of these steps,
	// for it may see base empty.
	for range 10 {
		if err := os.MkdirAll(base, 0o700); err != nil {
			return nil, err
		}
		if err := sweepScratch(base); err != nil {
			return nil, err
		}
		r, err := tryScratchRun(base)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		lasterr = err
	}
	return nil, lasterr
}

// tryScratchRun makes the lock before the folder, so that a folder without
// a lock is always a leftover.
func tryScratchRun(base string) (*scratchRun, error) {
	r := &scratchRun{dir: filepath.Join(base, runPrefix+randomHex(8)), base: base}
	f, err := os.OpenFile(r.dir+runLockSuffix, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	r.lock = f
	ok, err := tryLockFile(f)
	if err == nil && ok {
		err = os.Mkdir(r.dir, 0o700)
	} else if err == nil {
		err = os.ErrNotExist // a sweeper was faster; try another name
	}
	if err == nil && !stillThere(f) {
		err = os.ErrNotExist
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// stillThere reports whether f's name still leads to f.
func stillThere(f *os.File) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(a, b)
}

// path returns the name of a file in the run's folder.
func (r *scratchRun) path(name string) string { return filepath.Join(r.dir, name) }

// close removes the run's folder with all in it, and base if it is empty.
func (r *scratchRun) close() error {
	err := os.RemoveAll(r.dir)
	err = errors.Join(err, r.lock.Close(), removeIfThere(r.lock.Name()))
	os.Remove(r.base) // refused while others use it, as it should be
	return err
}

// sweepScratch removes runs whose owner is gone. A base that does not exist
// holds none.
func sweepScratch(base string) error {
	entries, err := os.ReadDir(base)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		name, isLock := strings.CutSuffix(e.Name(), runLockSuffix)
		if !strings.HasPrefix(name, runPrefix) || !isHex(strings.TrimPrefix(name, runPrefix), 8) {
			continue
		}
		run := filepath.Join(base, name)
		if isLock {
			errs = append(errs, sweepRun(run))
		} else if _, err := os.Lstat(run + runLockSuffix); errors.Is(err, os.ErrNotExist) {
			errs = append(errs, os.RemoveAll(run))
		}
	}
	return errors.Join(errs...)
}

// sweepRun removes one run if nobody holds its lock.
func sweepRun(run string) error {
	f, err := openLockFile(run+runLockSuffix, os.O_RDWR)
	if errors.Is(err, ErrForeign) { // not ours, so neither is what lies beside it
		return nil
	}
	if err != nil {
		return ignoreAbsent(err)
	}
	ok, err := tryLockFile(f)
	if err != nil || !ok {
		return errors.Join(err, f.Close())
	}
	return errors.Join(os.RemoveAll(run), f.Close(), removeIfThere(run+runLockSuffix))
}
