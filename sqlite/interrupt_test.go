package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

func TestAnInterruptForAReasonStopsAReadAtItsNextStepAndFreesItsSnapshot(t *testing.T) {
	ctx := t.Context()
	c, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "test.db"), sqlite.Options{
		Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(ctx, "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2), (3)"); err != nil {
		t.Fatal(err)
	}
	first, second := errors.New("the first reason"), errors.New("the second")
	for _, want := range []error{first, nil} {
		s, err := c.Prepare(ctx, "SELECT a FROM t")
		if err != nil {
			t.Fatal(err)
		}
		s.Query = "ListT"
		if row, err := s.Step(); !row || err != nil {
			t.Fatal(row, err)
		}
		if want != nil {
			c.InterruptFor(want)
			c.InterruptFor(second)
		}
		c.Interrupt()
		_, err = s.Step()
		if !errors.Is(err, lido.ErrInterrupted) || (want != nil) != errors.Is(err, first) || errors.Is(err, second) {
			t.Errorf("%v, want for the reason %v", err, want)
		}
		if e, ok := errors.AsType[*lido.Error](err); !ok || e.Query != "ListT" {
			t.Errorf("%v does not name the query", err)
		}
		if state, ok := c.WALState(); ok && state.Reading {
			t.Error("the snapshot is still pinned")
		}
		// What begins is refused for the same reason.
		if _, err := c.QueryInt64(ctx, "SELECT 1"); want != nil && !errors.Is(err, want) {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		c.ClearInterrupt()
		if _, err := c.QueryInt64(context.Background(), "SELECT 1"); err != nil {
			t.Error(err)
		}
	}
}
