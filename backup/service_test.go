package backup_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/backup"
)

func newService(t *testing.T, cfg backup.Config) *backup.Service {
	t.Helper()
	s, err := backup.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConfigThatCannotBeRightIsRefused(t *testing.T) {
	store := backup.NewDirStore(t.TempDir())
	for field, cfg := range map[string]backup.Config{
		"Store":          {},
		"Name":           {Store: store, Name: "../x"},
		"Jitter":         {Store: store, Jitter: 1.5},
		"Keep.Age":       {Store: store, Keep: backup.Keep{Age: -1}},
		"StepPages":      {Store: store, StepPages: -1},
		"MigrationTable": {Store: store, MigrationTable: "a\x00b"},
		"RetryInterval":  {Store: store, RetryInterval: -1},
		"PaceTimeout":    {Store: store, PaceTimeout: -1},
		"LockTimeout":    {Store: store, LockTimeout: -1},
	} {
		if _, err := backup.New(cfg); err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestStopWithoutStartAndStopTwiceAreFine(t *testing.T) {
	s := newService(t, fast(backup.NewDirStore(t.TempDir())))
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.Backup(t.Context()); !errors.Is(err, backup.ErrNotRunning) {
		t.Errorf("Backup before Start: %v", err)
	}
	db := openDB(t, newDBPath(t))
	for range 2 { // and it can be started again
		if err := s.Start(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context(), db); err == nil {
			t.Error("started twice")
		}
		if _, err := s.Backup(t.Context()); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if _, _, err := s.LastVerified(t.Context()); !errors.Is(err, backup.ErrNotRunning) {
		t.Errorf("LastVerified after Stop: %v", err)
	}
}

func TestScheduleMakesTheBackupThatIsOverdue(t *testing.T) {
	told := make(chan error, 1)
	var mu sync.Mutex
	var first backup.Result
	s := newService(t, backup.Config{
		Store: backup.NewDirStore(t.TempDir()), StepPause: -1, Jitter: -1,
		OnBackup: func(r backup.Result, err error) {
			mu.Lock()
			first = r
			mu.Unlock()
			told <- err
		},
	})
	db := openDB(t, newDBPath(t), s)
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	at, ok, err := s.LastVerified(t.Context())
	if err != nil || !ok || !at.Equal(first.Manifest.Times.Snapshot) {
		t.Errorf("LastVerified: %v %v %v, want %v", at, ok, err, first.Manifest.Times.Snapshot)
	}
	if db.Path() == "" {
		t.Error("no path")
	}
}

func TestScheduleTellsOfAFailureAndTriesAgain(t *testing.T) {
	told := make(chan error, 2)
	s := newService(t, backup.Config{
		Store:     &failing{Store: backup.NewDirStore(t.TempDir()), puts: 2},
		StepPause: -1, Jitter: -1, RetryInterval: time.Millisecond,
		OnBackup: func(_ backup.Result, err error) { told <- err },
	})
	openDB(t, newDBPath(t), s)
	if err := <-told; !errors.Is(err, errStore) {
		t.Errorf("first: %v", err)
	}
	if err := <-told; err != nil {
		t.Errorf("second: %v", err)
	}
}

func TestLastVerifiedSeesThatABackupIsGone(t *testing.T) {
	dir := t.TempDir()
	s := newService(t, fast(backup.NewDirStore(dir)))
	openDB(t, newDBPath(t), s)
	if _, ok, err := s.LastVerified(t.Context()); ok || err != nil {
		t.Errorf("before the first: %v %v", ok, err)
	}
	res, err := s.Backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.LastVerified(t.Context()); !ok || err != nil {
		t.Errorf("after the first: %v %v", ok, err)
	}
	if err := os.Remove(filepath.Join(dir, res.Manifest.Artifact.Name)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.LastVerified(t.Context()); ok || err != nil {
		t.Errorf("after its artifact was deleted: %v %v", ok, err)
	}
}

// TestStopInterruptsABackup:
//
//	backup            Stop
//	copy, rests
//	                  begins, waits
//	ends, cleans up
//	                  returns
func TestStopInterruptsABackup(t *testing.T) {
	path := newDBPath(t)
	resting := make(chan struct{})
	var once sync.Once
	s := newService(t, backup.Config{
		Store: backup.NewDirStore(t.TempDir()), Interval: -1, StepPages: 1, StepPause: time.Hour, PaceTimeout: time.Hour,
		Progress: func(p backup.Progress) {
			if p.Phase == backup.PhaseCopy {
				once.Do(func() { close(resting) })
			}
		},
	})
	openDB(t, path, s)
	ended := make(chan error)
	go func() {
		_, err := s.Backup(t.Context())
		ended <- err
	}()
	<-resting
	stopped := make(chan error)
	go func() { stopped <- s.Stop(context.Background()) }()
	if err := <-ended; !errors.Is(err, backup.ErrNotRunning) {
		t.Errorf("the interrupted backup: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	absent(t, path+backup.ScratchSuffix)
}

func TestStopGivesUpWhenItsContextEnds(t *testing.T) {
	release := make(chan struct{})
	inside := make(chan struct{})
	cfg := fast(backup.NewDirStore(t.TempDir()))
	cfg.Progress = func(p backup.Progress) {
		if p.Phase == backup.PhaseLock {
			close(inside)
			<-release
		}
	}
	s := newService(t, cfg)
	openDB(t, newDBPath(t), s)
	ended := make(chan struct{})
	go func() {
		s.Backup(t.Context())
		close(ended)
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	<-ended
}

func TestServicesOfOneStoreTakeTurns(t *testing.T) {
	store := backup.NewDirStore(t.TempDir())
	var group sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		cfg := fast(store)
		cfg.Name = name
		s := newService(t, cfg)
		openDB(t, newDBPath(t), s)
		for range 2 {
			group.Go(func() {
				if _, err := s.Backup(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	if got := complete(t, store); len(got) != 6 || got[0] != 6 || got[5] != 1 {
		t.Errorf("sequence numbers: %v", got)
	}
}

func TestLockThatStaysTakenIsReported(t *testing.T) {
	store := backup.NewDirStore(t.TempDir())
	_, unlock, err := store.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	cfg := fast(store)
	cfg.LockTimeout = 30 * time.Millisecond
	if _, err := backup.Take(t.Context(), openDB(t, newDBPath(t)), cfg); !errors.Is(err, backup.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

func TestRetentionRunsAfterABackup(t *testing.T) {
	store := backup.NewDirStore(t.TempDir())
	db := openDB(t, newDBPath(t))
	cfg := fast(store)
	cfg.Keep = backup.Keep{Count: 2}
	for range 4 {
		take(t, db, cfg)
	}
	if got := complete(t, store); len(got) != 2 || got[0] != 4 {
		t.Errorf("kept %v", got)
	}
}

func TestBackupMade_isClosedByEachBackup(t *testing.T) {
	s, err := backup.New(fast(backup.NewDirStore(t.TempDir())))
	if err != nil {
		t.Fatal(err)
	}
	openDB(t, newDBPath(t), s)
	for range 2 {
		made := s.BackupMade()
		select {
		case <-made:
			t.Fatal("announced before it was made")
		default:
		}
		if _, err := s.Backup(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-made
	}
}
