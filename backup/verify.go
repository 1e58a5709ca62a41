package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lidodb/lido/sqlite"
)

// ConnectFunc prepares a connection for a schema that needs functions or
// collations of the application: without them integrity_check cannot read
// indexes that use them.
type ConnectFunc func(ctx context.Context, c *sqlite.Conn) error

// Limits bound what reading a backup may cost before it is proved. A backup
// that somebody else gave you may be made to fill your disk.
type Limits struct {
	// MaxBytes is the largest database to accept; 1 TiB if zero.
	MaxBytes int64
	// Timeout bounds reading and all checks together; 10 minutes and a second
	// for every 8 MiB if zero. Expressions of the schema are bounded by it too:
	// a call of a function whose work grows with the product of its arguments'
	// lengths is refused at once if it may take longer.
	Timeout time.Duration
}

func (l Limits) withDefaults(plain int64) Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = 1 << 40
	}
	if l.Timeout <= 0 {
		l.Timeout = 10*time.Minute + time.Duration(plain>>23)*time.Second
	}
	return l
}

// VerifyOptions say how Verify works. The zero value is fine.
type VerifyOptions struct {
	// Database refuses a backup of any database but this one, by ID or name.
	Database string
	// Fallback takes the newest sound backup where newer ones are damaged.
	// Without it that is an error, which names the sound one. It says nothing
	// about a backup that is asked for by its id.
	Fallback bool
	// ScratchDir is where the plain copy is written, 0600 in a folder 0700,
	// and removed again. It needs room for the whole database. A folder of
	// its own in os.TempDir if empty.
	ScratchDir string
	Limits     Limits
	OnConnect  ConnectFunc
	Progress   ProgressFunc
}

// Report is what Verify or Restore has proved.
type Report struct {
	Manifest *Manifest
	// Skipped are the newer backups that were refused, and why: only with
	// Fallback.
	Skipped []Entry
	// Duration is how long reading and checking took.
	Duration time.Duration
	// Broken is what the rows break of their own schema, nil if nothing. The
	// manifest has it too, unless an older version wrote it.
	Broken *Broken
}

// Verify restores backup id to a scratch file and checks everything again:
// sizes, hashes of both forms, page checksums, integrity, foreign keys, schema
// and migration version. An empty id takes the newest backup. It takes no
// lock and changes nothing in the store.
//
// A refusal matches ErrDamaged, ErrTruncated, ErrForeign, ErrNewer,
// ErrNoManifest, ErrNoBackup or ErrLimit.
func Verify(ctx context.Context, store Store, id string, opt VerifyOptions) (rep Report, err error) {
	start := time.Now()
	choice, err := choose(ctx, store, id, opt.Database)
	if err != nil {
		return rep, fmt.Errorf("verify: %w", err)
	}
	base := opt.ScratchDir
	if base == "" {
		base = filepath.Join(os.TempDir(), fmt.Sprintf("lido-verify-%d", os.Getuid()))
		if err := refuseShared(base); err != nil {
			return rep, fmt.Errorf("verify: %w", err)
		}
	}
	run, err := newScratchRun(base)
	if err != nil {
		return rep, fmt.Errorf("verify: scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, run.close()) }()
	p, err := choice.prove(ctx, store, run, opt.Fallback, stageOptions{
		limits: opt.Limits, onConnect: opt.OnConnect, progress: opt.Progress, withSums: true,
	})
	if err != nil {
		return rep, fmt.Errorf("verify: %w", err)
	}
	return Report{Manifest: p.manifest, Skipped: p.skipped, Duration: time.Since(start), Broken: p.broken}, nil
}

// refuseShared makes dir, in a folder where everybody may make names, and
// refuses one that somebody else has made there first.
func refuseShared(dir string) error {
	if err := os.Mkdir(dir, 0o700); err == nil {
		return nil
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || !isPrivate(info) {
		return fmt.Errorf("%s is not a folder of this user alone; set VerifyOptions.ScratchDir: %w", dir, ErrExists)
	}
	return nil
}

type stageOptions struct {
	limits    Limits
	onConnect ConnectFunc
	progress  ProgressFunc
	withSums  bool // compare the page checksums too
	durable   bool // sync the file, for it will be kept
	record    bool // see checkDatabase
}

// stage restores m's artifact to a new file at path, 0600, and proves it. The
// file is the caller's to remove, also after an error.
func stage(ctx context.Context, store Store, m *Manifest, path string, opt stageOptions) (broken *Broken, err error) {
	limits := opt.limits.withDefaults(m.Plain.Bytes)
	if m.Plain.Bytes > limits.MaxBytes {
		return nil, fmt.Errorf("backup %s holds a database of %d bytes, Limits.MaxBytes is %d: %w",
			m.ID, m.Plain.Bytes, limits.MaxBytes, ErrLimit)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Timeout,
		fmt.Errorf("backup %s is not proved after %v (Limits.Timeout): %w", m.ID, limits.Timeout, ErrLimit))
	defer cancel()

	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	opt.progress.report(PhaseRead, 0, m.Plain.Bytes)
	err = unpack(ctx, store, m, f, opt.withSums, opt.progress)
	if err == nil && opt.durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	opt.progress.report(PhaseCheck, 0, 0)
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return checkDatabase(ctx, path, m, opt.onConnect, opt.record)
}
