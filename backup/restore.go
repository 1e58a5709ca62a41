package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// RestoreOptions say how Restore works. The zero value restores to a path at
// which there is nothing yet.
type RestoreOptions struct {
	// Database refuses a backup of any database but this one, by ID or name.
	Database string
	// Overwrite replaces the database at the target. Nobody may have it open.
	Overwrite bool
	// Fallback takes the newest sound backup where newer ones are damaged.
	// Without it that is an error, which names the sound one. It says nothing
	// about a backup that is asked for by its id.
	Fallback bool
	// InPlace copies the database into the file at the target, with Overwrite,
	// in place of giving a new file its name: for a file that is a mount point.
	// The copy is one transaction of the engine: after a crash the next open
	// rolls back by the journal beside the file. Where the old file is no
	// database, or the journal is lost with the container, that cannot be: half
	// a restore may then be left. Of a file that was no database, no half is
	// ever opened as one.
	InPlace bool
	// ScratchDir is where the copy is proved, with InPlace; beside the target,
	// with the suffix ".lido-scratch", if empty.
	ScratchDir string
	// WithoutPageChecksums restores although the object of page checksums is
	// damaged or gone. All other proofs stay.
	WithoutPageChecksums bool
	Limits               Limits
	OnConnect            ConnectFunc
	Progress             ProgressFunc
}

// sidecars are the files that belong to a database by their names. A stale one
// beside a restored file would corrupt it.
//
// https://www.sqlite.org/howtocorrupt.html
var sidecars = []string{"-wal", "-shm", "-journal"}

// Restore writes the database of backup id to target. An empty id takes the
// newest backup.
//
// The backup is first restored to a scratch file in the target's folder and
// proved there as Verify does; until then the target is not touched. The
// scratch file then takes the target's name in one step, so that a crash at
// any point leaves the old database or the new one. A file that is new is
// 0600; one that replaces another takes over its mode, and its owner where
// the program may give it.
//
// It returns ErrExists if something is at target and Overwrite is off,
// ErrMountPoint if the target cannot be replaced, only written to (see
// RestoreOptions.InPlace), and ErrInUse if the database there is open, in this
// process or another. Other refusals are those of Verify.
func Restore(ctx context.Context, store Store, id, target string, opt RestoreOptions) (rep Report, err error) {
	start := time.Now()
	fail := func(err error) (Report, error) { return Report{}, fmt.Errorf("restore: %w", err) }

	target, err = resolve(target)
	if err != nil {
		return fail(err)
	}
	old, err := refuseExisting(target, opt.Overwrite)
	if err != nil {
		return fail(err)
	}
	if old != nil && !opt.InPlace && isMountPoint(target) {
		return fail(mounted(target))
	}
	scratch := target + scratchSuffix
	if opt.ScratchDir != "" && !opt.InPlace {
		return fail(errors.New("RestoreOptions.ScratchDir needs InPlace: the new file must lie beside the target to take its name"))
	} else if opt.ScratchDir != "" {
		scratch = opt.ScratchDir
	}
	choice, err := choose(ctx, store, id, opt.Database)
	if err != nil {
		return fail(err)
	}
	if choice, err = choice.withOthers(ctx, store); err != nil {
		return fail(err)
	}
	run, err := newScratchRun(scratch)
	if err != nil {
		return fail(fmt.Errorf("scratch folder: %w", err))
	}
	defer func() { err = errors.Join(err, run.close()) }()

	p, err := choice.prove(ctx, store, run, opt.Fallback, stageOptions{
		limits: opt.Limits, onConnect: opt.OnConnect, progress: opt.Progress,
		withSums: !opt.WithoutPageChecksums, durable: true,
	})
	if err != nil {
		return fail(err)
	}
	opt.Progress.report(PhaseInstall, 0, 0)
	if ctx.Err() != nil { // the last moment to turn back
		return fail(context.Cause(ctx))
	}
	switch {
	case old == nil:
		err = place(p.path, target)
	case opt.InPlace:
		err = overwrite(ctx, p.path, target)
	default:
		err = replace(ctx, p.path, target, old)
	}
	if err != nil {
		return fail(err)
	}
	return Report{Manifest: p.manifest, Skipped: p.skipped, Duration: time.Since(start), Broken: p.broken}, nil
}

// resolve makes target absolute and follows links: the sidecars of a database
// lie beside the file itself.
func resolve(target string) (string, error) {
	if target == "" || target == ":memory:" {
		return "", fmt.Errorf("%q is no path to restore to", target)
	}
	target, err := filepath.Abs(target)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(target); err == nil {
		return real, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(target))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(target)), nil
}

// refuseExisting looks at what is at target, by name only: opening the file
// here could drop the locks that this process holds on it.
func refuseExisting(target string, overwrite bool) (old fs.FileInfo, err error) {
	for _, path := range []string{target, target + "-wal", target + "-shm", target + "-journal"} {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s is not a regular file; move it away: %w", path, ErrExists)
		case !overwrite && path != target:
			return nil, fmt.Errorf("%s lies there without its database and may hold commits of it; "+
				"move it away or set Overwrite: %w", path, ErrExists)
		case !overwrite:
			return nil, fmt.Errorf("%s: choose another path or set Overwrite: %w", path, ErrExists)
		case path == target:
			old = info
		}
	}
	return old, nil
}

// place gives the staged file its name where no database is, without ever
// replacing one that appeared meanwhile.
func place(staged, target string) error {
	if err := removeSidecars(target); err != nil {
		return err
	}
	// The folder is synced before the name is given: the other order could
	// survive a power cut with the new file beside a stale WAL.
	if err := syncDir(filepath.Dir(target)); err != nil {
		return err
	}
	err := os.Link(staged, target)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s appeared while the backup was being proved: %w", target, ErrExists)
	case err != nil: // a file system without hard links
		if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s appeared while the backup was being proved: %w", target, ErrExists)
		}
		if err := os.Rename(staged, target); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(target))
}

// replace puts the staged file in the place of the old one.
func replace(ctx context.Context, staged, target string, old fs.FileInfo) error {
	if err := os.Chmod(staged, old.Mode().Perm()); err != nil {
		return err
	}
	if err := copyOwner(staged, old); err != nil {
		return err
	}
	if err := settle(ctx, target); err != nil {
		return err
	}
	// From here to the rename a crash leaves the old database, complete in
	// its one file; behind it the new one. There is no turning back between.
	// The folder is synced twice, lest the rename survive a power cut that the
	// removal of a stale WAL does not.
	if err := removeSidecars(target); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(target)); err != nil {
		return err
	}
	if err := os.Rename(staged, target); err != nil {
		return asMounted(target, err)
	}
	return syncDir(filepath.Dir(target))
}

// settle folds the old database's WAL or journal into its file and so proves
// that nobody has it open. Without it there would be a moment in which the
// file lacks its last commits, or in which the new file stands beside the old
// WAL. A database too damaged for that has no state to preserve.
func settle(ctx context.Context, target string) (err error) {
	old, err := sqlite.Open(ctx, target, sqlite.Options{BusyTimeout: time.Second})
	if err != nil {
		return settled(target, err)
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	// Leaving WAL mode needs every other connection to be gone.
	mode, err := old.QueryText(ctx, "PRAGMA journal_mode=DELETE")
	if err == nil && mode != "delete" {
		err = lido.ErrBusy
	}
	if err == nil {
		// In rollback mode an idle connection holds no lock; one at work does.
		err = old.Exec(ctx, "BEGIN EXCLUSIVE; ROLLBACK")
	}
	return settled(target, err)
}

// settled judges what the engine said about the old database.
func settled(target string, err error) error {
	switch {
	case errors.Is(err, lido.ErrBusy):
		return inUse(target)
	case noDatabase(err):
		return nil
	}
	return err
}

func inUse(target string) error {
	return fmt.Errorf("%s is open elsewhere; stop what uses it: %w", target, ErrInUse)
}

// noDatabase reports whether the engine found a file that it cannot use.
func noDatabase(err error) bool {
	var e *lido.Error
	return errors.Is(err, lido.ErrCorrupt) || errors.As(err, &e) && e.Code == codeIOErr
}

// codeIOErr is the family of results that a file too short for its header
// gives.
const codeIOErr = 10

func removeSidecars(target string) error {
	for _, suffix := range sidecars {
		if err := removeIfThere(target + suffix); err != nil {
			return err
		}
	}
	return nil
}
