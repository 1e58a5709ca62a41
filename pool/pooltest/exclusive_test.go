//go:build unix

package pooltest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
)

func TestFaultsReachADatabaseThatIsOpenExclusively(t *testing.T) {
	t.Parallel()
	db := pooltest.Open(t, itemSchema, pool.Config{Exclusive: true, BusyTimeout: 20 * time.Millisecond})
	f := pooltest.Faults(t, db)
	release := f.Busy()
	if err := insert(t.Context(), db, "a"); !errors.Is(err, lido.ErrBusy) {
		t.Error(err)
	}
	release()
	free := f.DiskFull()
	if err := insert(t.Context(), db, "a"); !errors.Is(err, lido.ErrFull) {
		t.Error(err)
	}
	free()
	f.LoseCommit(pooltest.Kept)
	if err := insert(t.Context(), db, "kept"); !errors.Is(err, lido.ErrCommitUnknown) {
		t.Error(err)
	}
	wantCount(t, db, 1)
	f.LoseCommit(pooltest.Lost)
	if err := insert(t.Context(), db, "lost"); !errors.Is(err, lido.ErrCommitUnknown) {
		t.Error(err)
	}
	wantCount(t, db, 1)
	f.KillReaders()
	if _, err := countOf(t.Context(), db); !isIOError(err) {
		t.Error(err)
	}
	wantCount(t, db, 1)
	if err := insert(t.Context(), db, "after"); err != nil {
		t.Error(err)
	}
}
