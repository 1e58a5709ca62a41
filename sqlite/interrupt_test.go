package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

func TestCancellingStopsARunningStatementAndTheConnectionGoesOn(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	for range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		s, err := c.Prepare(ctx, endless)
		if err == nil {
			_, err = s.Step()
			_ = s.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		cancel()
		if n, err := c.QueryInt64(context.Background(), "SELECT 7"); n != 7 || err != nil {
			t.Fatal(n, err)
		}
	}
	c.Interrupt()
	if _, err := c.QueryInt64(context.Background(), endless); !errors.Is(err, lido.ErrInterrupted) {
		t.Error(err)
	}
	c.ClearInterrupt()
	if n, err := c.QueryInt64(context.Background(), "SELECT 7"); n != 7 || err != nil {
		t.Fatal(n, err)
	}
}

func TestAWriteThatIsCancelledBetweenItsRowsIsUndone(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, "CREATE TABLE t(a)")
	for _, inTransaction := range []bool{false, true} {
		if inTransaction {
			if err := c.Begin(context.Background(), sqlite.Immediate); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		s, err := c.Prepare(ctx, "INSERT INTO t VALUES(1), (2) RETURNING a")
		if err != nil {
			t.Fatal(err)
		}
		if row, err := s.Step(); !row || err != nil {
			t.Fatal(row, err)
		}
		cancel()
		if _, err := s.Step(); !errors.Is(err, context.Canceled) || !errors.Is(err, lido.ErrInterrupted) {
			t.Error(err)
		}
		_ = s.Close()
		if c.InTransaction() {
			t.Error("the engine is known to end the transaction here")
		}
		if n, err := c.QueryInt64(context.Background(), "SELECT count(*) FROM t"); n != 0 || err != nil {
			t.Errorf("%d rows stayed after an error (%v)", n, err)
		}
	}
}

func TestWaitingForALockEndsWithTheContextOrTheTimeout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	holder := openAt(t, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	if err := holder.Begin(context.Background(), sqlite.Immediate); err != nil {
		t.Fatal(err)
	}
	waiter := openAt(t, path, sqlite.Options{BusyTimeout: 20 * time.Millisecond})
	if err := waiter.Begin(context.Background(), sqlite.Immediate); !errors.Is(err, lido.ErrBusy) {
		t.Error(err)
	}
	patient := openAt(t, path, sqlite.Options{BusyTimeout: time.Hour})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := patient.Begin(ctx, sqlite.Immediate); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if patient.BusyWaits() == 0 {
		t.Error("no wait was counted")
	}
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := patient.Begin(context.Background(), sqlite.Immediate); err != nil {
		t.Error(err)
	}
	if err := patient.Rollback(); err != nil {
		t.Error(err)
	}
}

func TestACommitIsNotInterrupted(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, "CREATE TABLE t(a)")
	if err := c.Begin(context.Background(), sqlite.Immediate); err != nil {
		t.Fatal(err)
	}
	exec(t, c, "INSERT INTO t VALUES(1)")
	c.Interrupt()
	if err := c.Commit(); err != nil {
		t.Error(err)
	}
	c.ClearInterrupt()
	if c.InTransaction() {
		t.Error("the transaction is still open")
	}
}

// The engine asks the progress handler once more when a statement has ended, now
// and then: it counts the instructions of all runs.
func TestAWriteThatHasCommittedIsNotInterrupted(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, "CREATE TABLE t(a)")
	var cancel context.CancelFunc
	if err := c.CreateFunction("cancel", 0, false, func([]sqlite.Value) (any, error) { cancel(); return nil, nil }); err != nil {
		t.Fatal(err)
	}
	const insert = "INSERT INTO t VALUES(cancel())"
	for _, way := range []struct {
		name string
		run  func(ctx context.Context) error
	}{
		{"Step", func(ctx context.Context) error {
			s, err := c.Prepare(ctx, insert)
			if err == nil {
				_, err = s.Step()
				err = errors.Join(err, s.Close())
			}
			return err
		}},
		{"Exec", func(ctx context.Context) error { return c.Exec(ctx, insert) }},
	} {
		exec(t, c, "DELETE FROM t")
		rows := int64(0)
		for i := range 1000 {
			var ctx context.Context
			ctx, cancel = context.WithCancel(t.Context())
			err := way.run(ctx)
			cancel()
			if err == nil {
				rows++
			}
			if n, countErr := c.QueryInt64(t.Context(), "SELECT count(*) FROM t"); n != rows || countErr != nil {
				t.Fatalf("%s: run %d was told %v, and there are %d rows, not %d (%v)", way.name, i, err, n, rows, countErr)
			}
		}
		if rows == 0 {
			t.Errorf("%s: no run was too late to be interrupted", way.name)
		}
	}
}
