package health

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lidodb/lido/pool"
)

// Names of the built-in checks. They are stable: reports, logs and Config use
// them.
const (
	BackupAge        = "backup_age"
	DiskBackup       = "disk_backup"
	DiskDatabase     = "disk_database"
	EngineVersion    = "engine_version"
	FileIdentity     = "file_identity"
	ForeignKeys      = "foreign_keys"
	FreshRead        = "fresh_read"
	IntegrityCheck   = "integrity_check"
	MigrationVersion = "migration_version"
	PoolSaturation   = "pool_saturation"
	QuickCheck       = "quick_check"
	WALSize          = "wal_size"
	WriteProbe       = "write_probe"
)

// BackupAger tells how old the last backup is that was proved by restoring it.
// Package backup's service has this method.
type BackupAger interface {
	// LastVerified returns when the newest verified backup was taken. ok is
	// false when there is none.
	LastVerified(ctx context.Context) (at time.Time, ok bool, err error)
}

// BackupNotifier is a BackupAger that announces backups. The Monitor then runs
// backup_age at once, which otherwise would be right only after its interval.
// Package backup's service has this method.
type BackupNotifier interface {
	BackupAger
	// BackupMade returns a channel that is closed when the next backup is made.
	BackupMade() <-chan struct{}
}

// BackupSoundness is what Config.Backups has besides where a verified backup is
// to stand for foreign_keys and integrity_check; *backup.Service has it.
// LastSound is LastVerified, with ok false as well where the rows of that backup
// break the schema.
type BackupSoundness interface {
	LastSound(ctx context.Context) (at time.Time, ok bool, err error)
}

// Migrations tells which migration the database is at and which one the
// program was built for.
type Migrations func(ctx context.Context, db *pool.DB) (current, wanted int64, err error)

// Schedule replaces the schedule of one check. A zero field keeps the default.
type Schedule struct {
	Interval time.Duration
	Timeout  time.Duration
}

// Config says what a Monitor watches. The zero Config works: it runs every
// built-in check that needs nothing from the program. Sizes are in bytes.
type Config struct {
	// Logger receives changes of status, and nothing else. Default: discard.
	Logger *slog.Logger

	// OnChange is called for every change that is logged, on the goroutine of
	// the check, which does not run again until the hook has returned. Changes
	// of one check arrive in order; those of different checks may arrive at the
	// same time. It may call Report; it must not call Run or Stop.
	OnChange func(Change)

	// Checks are run beside the built-in ones.
	Checks []Check

	// Disable names built-in checks that are left out.
	Disable []string

	// Schedules replaces intervals and timeouts by the name of the check.
	Schedules map[string]Schedule

	// Jitter spreads every interval by this part of it to either side.
	// Default 0.1; negative for none; at most 1.
	Jitter float64

	// ExpensiveDelay is how long after Start the Expensive checks first run.
	// Default 1 minute; negative for at once.
	ExpensiveDelay time.Duration

	// Backups adds the check backup_age, and, if it is a BackupSoundness, lets a
	// young verified backup stand for foreign_keys and integrity_check. A backup service belongs before the
	// Monitor in pool.Config.Services, so that it can be asked. Default: none.
	Backups BackupAger

	// BackupDir adds the check disk_backup for this folder. Default: none.
	BackupDir string

	// Migrations adds the check migration_version. Default: none.
	Migrations Migrations

	// BackupDegradedAge and BackupFailedAge are the ages of the last verified
	// backup from which backup_age is so. Defaults 26 and 72 hours.
	BackupDegradedAge, BackupFailedAge time.Duration

	// ProvedByBackup is how young a verified backup must be to stand for the
	// nightly foreign_keys and integrity_check. Default 24 hours; negative for
	// never.
	ProvedByBackup time.Duration

	// RecentCommit is how young a commit must be to stand for the write probe.
	// Default 30 seconds; negative for never.
	RecentCommit time.Duration

	// ProbeWait is how long write_probe and file_identity wait for a connection
	// of the pool, and for the lock of another process, before they call it
	// busy, which is Degraded. Default 5 seconds.
	ProbeWait time.Duration

	// AcquireWait is the mean wait for a connection, since the last look, from
	// which pool_saturation is Degraded. Default 100 milliseconds.
	AcquireWait time.Duration

	// WALDegradedBytes and WALFailedBytes are the sizes from which wal_size is
	// so, of what the WAL holds that the next write does not write over. A file
	// that is larger after one large transaction is OK. At pool.Config.WALMaxBytes,
	// where writes wait, it is Failed in any case. Defaults 256 MB and 4 GB.
	WALDegradedBytes, WALFailedBytes int64

	// DiskDegradedBytes and DiskFailedBytes are the free bytes below which
	// disk_database and disk_backup are so. Defaults 1 GB and 100 MB. Less room
	// than the database is large is Degraded too: no copy of it fits.
	DiskDegradedBytes, DiskFailedBytes int64

	// WholeCheckBytes is the size of the database up to which quick_check and
	// integrity_check look at all of it in one statement, free pages included.
	// A larger one is checked table by table. Default 64 MB; negative for never.
	WholeCheckBytes int64

	// QuickCheckBudget is how long one run of quick_check goes on to another
	// table; the next run continues where it ended. Default 20 seconds.
	QuickCheckBudget time.Duration
}

const (
	mb = 1_000_000
	gb = 1000 * mb
)

// withDefaults fills in what is zero and rejects what contradicts itself.
func (c Config) withDefaults() (Config, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Checks = slices.Clone(c.Checks)
	c.Disable = slices.Clone(c.Disable)

	if c.Jitter > 1 {
		return c, fmt.Errorf("health: Config.Jitter %v is more than 1", c.Jitter)
	}
	if c.Jitter == 0 {
		c.Jitter = 0.1
	}
	c.Jitter = max(c.Jitter, 0)

	orDefault(&c.ExpensiveDelay, time.Minute)
	c.ExpensiveDelay = max(c.ExpensiveDelay, 0)
	orDefault(&c.BackupDegradedAge, 26*time.Hour)
	orDefault(&c.BackupFailedAge, max(72*time.Hour, c.BackupDegradedAge))
	orDefault(&c.ProvedByBackup, 24*time.Hour)
	orDefault(&c.RecentCommit, 30*time.Second)
	orDefault(&c.ProbeWait, 5*time.Second)
	orDefault(&c.AcquireWait, 100*time.Millisecond)
	orDefault(&c.WALDegradedBytes, 256*mb)
	orDefault(&c.WALFailedBytes, max(4*gb, c.WALDegradedBytes))
	orDefault(&c.DiskFailedBytes, 100*mb)
	orDefault(&c.DiskDegradedBytes, max(gb, c.DiskFailedBytes))
	orDefault(&c.WholeCheckBytes, 64*mb)
	orDefault(&c.QuickCheckBudget, 20*time.Second)

	for _, f := range []struct {
		name  string
		value int64
	}{
		{"BackupDegradedAge", int64(c.BackupDegradedAge)}, {"ProbeWait", int64(c.ProbeWait)},
		{"AcquireWait", int64(c.AcquireWait)}, {"WALDegradedBytes", c.WALDegradedBytes},
		{"DiskFailedBytes", c.DiskFailedBytes}, {"QuickCheckBudget", int64(c.QuickCheckBudget)},
	} {
		if f.value < 0 {
			return c, fmt.Errorf("health: Config.%s %d is negative", f.name, f.value)
		}
	}
	switch {
	case c.BackupFailedAge < c.BackupDegradedAge:
		return c, fmt.Errorf("health: Config.BackupFailedAge %s is below BackupDegradedAge %s", c.BackupFailedAge, c.BackupDegradedAge)
	case c.WALFailedBytes < c.WALDegradedBytes:
		return c, fmt.Errorf("health: Config.WALFailedBytes %d is below WALDegradedBytes %d", c.WALFailedBytes, c.WALDegradedBytes)
	case c.DiskDegradedBytes < c.DiskFailedBytes:
		return c, fmt.Errorf("health: Config.DiskDegradedBytes %d is below DiskFailedBytes %d", c.DiskDegradedBytes, c.DiskFailedBytes)
	}
	return c, nil
}

func orDefault[T ~int64](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// Builtin returns the built-in checks of c, sorted by name: what a Monitor with
// this Config runs, without Config.Checks. A tool can run them one by one.
func Builtin(c Config) ([]Check, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	c.Checks = nil
	for name := range c.Schedules {
		if !slices.Contains(builtinNames, name) {
			return nil, fmt.Errorf("health: Config.Schedules: no built-in check is called %q", name)
		}
	}
	return c.checks()
}

var builtinNames = []string{
	BackupAge, DiskBackup, DiskDatabase, EngineVersion, FileIdentity, ForeignKeys, FreshRead,
	IntegrityCheck, MigrationVersion, PoolSaturation, QuickCheck, WALSize, WriteProbe,
}

// checks returns every check of a Config that has its defaults, sorted by name.
func (c Config) checks() ([]Check, error) {
	all := []Check{
		checkEngine(), checkSaturation(c), checkWALSize(c), checkDatabaseDisk(c), checkIdentity(c),
		checkFreshRead(), checkWriteProbe(c), checkQuick(c), checkIntegrity(c), checkForeignKeys(c),
	}
	if c.BackupDir != "" {
		all = append(all, checkBackupDisk(c))
	}
	if c.Backups != nil {
		all = append(all, checkBackupAge(c))
	}
	if c.Migrations != nil {
		all = append(all, checkMigrations(c))
	}
	for _, name := range c.Disable {
		if !slices.Contains(builtinNames, name) {
			return nil, fmt.Errorf("health: Config.Disable: no built-in check is called %q", name)
		}
	}
	all = slices.DeleteFunc(all, func(k Check) bool { return slices.Contains(c.Disable, k.Name) })
	all = append(all, c.Checks...)

	seen := map[string]bool{}
	for i, k := range all {
		k, err := k.withDefaults()
		if err != nil {
			return nil, err
		}
		if seen[k.Name] {
			return nil, fmt.Errorf("health: two checks are called %q", k.Name)
		}
		seen[k.Name] = true
		s := c.Schedules[k.Name]
		if s.Interval < 0 || s.Timeout < 0 {
			return nil, fmt.Errorf("health: Config.Schedules[%q]: %s every %s is negative", k.Name, s.Timeout, s.Interval)
		}
		if s.Interval > 0 {
			k.Interval = s.Interval
		}
		if s.Timeout > 0 {
			k.Timeout = s.Timeout
		}
		all[i] = k
	}
	for name := range c.Schedules {
		// A schedule for a check that is merely absent here is no mistake.
		if !seen[name] && !slices.Contains(builtinNames, name) {
			return nil, fmt.Errorf("health: Config.Schedules: no check is called %q", name)
		}
	}
	slices.SortFunc(all, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
