package health_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido/health"
)

// announced is a BackupNotifier that the test makes backups for.
type announced struct {
	mu   sync.Mutex
	at   time.Time
	made chan struct{}
	hold chan struct{} // if set, an answer waits for it
}

func (a *announced) LastVerified(context.Context) (time.Time, bool, error) {
	a.mu.Lock()
	at, hold := a.at, a.hold
	a.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return at, !at.IsZero(), nil
}

func (a *announced) BackupMade() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.made
}

func (a *announced) backup() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = time.Now()
	close(a.made)
	a.made = make(chan struct{})
}

func backupAgeAlone(a *announced) health.Config {
	cfg := health.Config{Backups: a, Jitter: -1}
	for _, name := range health.BuiltinNames() {
		if name != health.BackupAge {
			cfg.Disable = append(cfg.Disable, name)
		}
	}
	return cfg
}

func TestBackupAge_aFreshBackupIsKnownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &announced{made: make(chan struct{})}
		m := monitor(t, backupAgeAlone(a))
		synctest.Wait()
		if c := find(t, m.Report(), health.BackupAge); c.Status != health.Unknown {
			t.Fatalf("before any backup: %+v", c)
		}
		for range 2 {
			a.backup()
			synctest.Wait()
		}
		if c := find(t, m.Report(), health.BackupAge); c.Status != health.OK || c.RunCount != 3 {
			t.Errorf("after two backups: %+v", c)
		}
	})
}

// TestBackupAge_aBackupBesideTheCheckIsNotMissed:
//
//	check                     backup
//	asks for the last one
//	                          is made
//	gets that there is none
//	asks again
func TestBackupAge_aBackupBesideTheCheckIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		a := &announced{made: make(chan struct{}), hold: hold}
		m := monitor(t, backupAgeAlone(a))
		synctest.Wait()
		a.backup()
		synctest.Wait()
		close(hold)
		synctest.Wait()
		if c := find(t, m.Report(), health.BackupAge); c.Status != health.OK {
			t.Errorf("%+v", c)
		}
	})
}
