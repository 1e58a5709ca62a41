package backup

import (
	"errors"
	"fmt"
	"strings"
)

// Sentinels to test for with errors.Is. The text around them says which
// backup, which check and what to do.
var (
	// ErrDamaged: the bytes or the database in them are not what was backed
	// up. Restore another backup; keep this one if you want to know why.
	ErrDamaged = errors.New("backup is damaged")
	// ErrTruncated: a part of the backup ends early. Copy it again from where
	// it came, or restore another one.
	ErrTruncated = errors.New("backup is truncated")
	// ErrForeign: not a backup that Lido made, or one of another database than
	// the caller asked for.
	ErrForeign = errors.New("not a backup of this database")
	// ErrNewer: a later Lido made the backup, in a form this one cannot read.
	ErrNewer = errors.New("backup was made by a newer Lido; upgrade to read it")
	// ErrNoManifest: the artifact is there and its manifest is not, so the
	// backup was never finished, or only half of it was copied here.
	ErrNoManifest = errors.New("backup has no manifest")
	// ErrNoBackup: the store holds no such backup.
	ErrNoBackup = errors.New("no such backup")
	// ErrExists: something lies where the result should go.
	ErrExists = errors.New("already exists")
	// ErrInUse: the database to be replaced is open elsewhere. Stop what uses
	// it first.
	ErrInUse = errors.New("database is in use")
	// ErrMountPoint: the database to be replaced is a mount point, such as
	// a file that was mounted into a container by itself.
	ErrMountPoint = errors.New("file is a mount point")
	// ErrLocked: another process has held the store's lock for longer than
	// Config.LockTimeout.
	ErrLocked = errors.New("store is locked by another process")
	// ErrLimit: reading the backup would exceed a bound set in Limits.
	ErrLimit = errors.New("limit exceeded")
	// ErrNotRunning: the Service was not started, or has been stopped.
	ErrNotRunning = errors.New("backup service is not running")
)

// DamageError says which check a backup failed. It matches ErrDamaged.
type DamageError struct {
	// ID names the backup.
	ID string
	// Check is what failed: "artifact sha256", "integrity_check", ...
	Check string
	// Detail is what was found. It may name tables, never the data in them.
	Detail string
	// Pages are the first damaged pages, numbered from 1, where the page
	// checksums can tell.
	Pages []int64
	// Source reports that the copy is faithful and the live database itself
	// fails the check.
	Source bool
}

// Error says what was checked, what was found and what to do.
func (e *DamageError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "backup %s is damaged: %s: %s", e.ID, e.Check, e.Detail)
	if len(e.Pages) > 0 {
		fmt.Fprintf(&b, " (pages %v)", e.Pages)
	}
	if e.Source {
		b.WriteString("; the copy is faithful, so the live database itself fails this check: " +
			"repair it, or restore an earlier backup, which retention keeps meanwhile")
	} else {
		b.WriteString("; use another backup")
	}
	return b.String()
}

// Is matches ErrDamaged.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }
