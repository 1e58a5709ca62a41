package health

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lidodb/lido/pool"
)

// firstBackupGrace is how long a database may be without any backup before that
// is worth a word: a backup service makes the first one soon after its start.
const firstBackupGrace = 5 * time.Minute

// checkBackupAge looks at the last backup that was proved by restoring it.
func checkBackupAge(cfg Config) Check {
	const remedy = `run a backup now ("lido backup now"), and see in the log why the scheduled ones fail`
	var mu sync.Mutex
	var first time.Time
	return Check{
		Name: BackupAge, Cost: Moderate, Interval: 10 * time.Minute, Timeout: 30 * time.Second,
		Run: func(ctx context.Context, _ *pool.DB) Result {
			at, ok, err := cfg.Backups.LastVerified(ctx)
			if err != nil {
				return failed("check that the backup store can be reached", "cannot ask for the last verified backup: %v", err)
			}
			if !ok {
				// A new database has no backup yet, and no reason to page anybody.
				mu.Lock()
				defer mu.Unlock()
				if first.IsZero() {
					first = time.Now()
				}
				switch waited := time.Since(first); {
				case waited >= cfg.BackupDegradedAge:
					return failed(remedy, "there is no verified backup, nor has one been made in the last %s", roundTime(waited))
				case waited >= firstBackupGrace:
					return degraded(remedy, "there is no verified backup, %s after the start", roundTime(waited))
				}
				return unknown("there is no verified backup yet; a new database gets its first within minutes")
			}
			age := time.Since(at)
			text := fmt.Sprintf("the last verified backup was taken %s ago", roundTime(age))
			switch {
			case age < -5*time.Minute:
				return degraded("set the clock of this machine right", "the last verified backup is %s in the future", roundTime(-age))
			case age >= cfg.BackupFailedAge:
				return failed(remedy, "%s, %s or more", text, cfg.BackupFailedAge)
			case age >= cfg.BackupDegradedAge:
				return degraded(remedy, "%s, %s or more", text, cfg.BackupDegradedAge)
			}
			return okay("%s", text)
		},
	}
}
