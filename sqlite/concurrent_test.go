package sqlite_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// Each method that enters the engine stays out of it beside another call, and
// says where it was called and what the other runs.
func TestConcurrentUse_ofAConnectionIsAnError(t *testing.T) {
	ctx := t.Context()
	c := open(t, sqlite.Options{Create: true})
	inside, leave := make(chan struct{}), make(chan struct{})
	if err := c.CreateFunction("gate", 0, false, func([]sqlite.Value) (any, error) {
		inside <- struct{}{}
		<-leave
		return 7, nil
	}); err != nil {
		t.Fatal(err)
	}
	exec(t, c, "CREATE TABLE a(b)")
	other, gate := prepare(t, c, "SELECT 1"), prepare(t, c, "SELECT gate()")
	dst := open(t, sqlite.Options{Create: true})
	stepped := make(chan error)
	go func() { _, err := gate.Step(); stepped <- err }()
	<-inside
	_, prepareErr := c.Prepare(ctx, "SELECT 2")
	_, onceErr := c.PrepareOnce(ctx, "SELECT 2")
	_, stepErr := other.Step()
	_, queryErr := c.QueryInt64(ctx, "SELECT 3")
	_, textErr := c.QueryText(ctx, "SELECT 3")
	_, checkpointErr := c.Checkpoint(ctx, sqlite.Passive)
	_, versionErr := c.DataVersion()
	for name, err := range map[string]error{
		"Prepare": prepareErr, "PrepareOnce": onceErr, "Step": stepErr, "Reset": other.Reset(), "Close of a statement": other.Close(),
		"Exec": c.Exec(ctx, "INSERT INTO a VALUES(1)"), "QueryInt64": queryErr, "QueryText": textErr,
		"Begin": c.Begin(ctx, sqlite.Immediate), "Commit": c.Commit(), "Control": c.Control(ctx, "SAVEPOINT s"),
		"Checkpoint": checkpointErr, "DataVersion": versionErr, "SyncFile": c.SyncFile(),
		"Backup from it": c.Backup(ctx, dst, sqlite.BackupOptions{}), "Backup to it": dst.Backup(ctx, c, sqlite.BackupOptions{}),
		"CreateCollation": c.CreateCollation("c", strings.Compare),
	} {
		if !errors.Is(err, lido.ErrConcurrentUse) || !strings.Contains(err.Error(), "sqlite/concurrent_test.go:") || !strings.Contains(err.Error(), "SELECT gate()") {
			t.Errorf("%s: %v", name, err)
		}
	}
	leave <- struct{}{}
	if err := <-stepped; err != nil {
		t.Error(err)
	}
	if n := gate.ColumnInt64(0); n != 7 {
		t.Error(n)
	}
	// Nothing is left of the attempts.
	if err := errors.Join(gate.Close(), other.Close(), dst.Exec(ctx, "SELECT 1")); err != nil || c.OpenStatements() || c.InTransaction() {
		t.Error(err, c.OpenStatements(), c.InTransaction())
	}
	if n, err := c.QueryInt64(ctx, "SELECT count(*) FROM a"); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// A function runs in the middle of a statement, where the engine would take a
// call on its connection for one of its own.
func TestConcurrentUse_byAFunctionOfItsOwnConnection(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	if err := c.CreateFunction("nested", 0, false, func([]sqlite.Value) (any, error) {
		return c.QueryInt64(t.Context(), "SELECT 1")
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.QueryInt64(t.Context(), "SELECT nested()"); err == nil || !strings.Contains(err.Error(), lido.ErrConcurrentUse.Error()) {
		t.Error(err)
	}
	if n, err := c.QueryInt64(t.Context(), "SELECT 5"); n != 5 || err != nil {
		t.Error(n, err)
	}
}

// Close interrupts the call that is under way and waits for it.
func TestConcurrentUse_endsWithClose(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	inside := make(chan struct{})
	var once sync.Once
	if err := c.CreateFunction("gate", 1, false, func([]sqlite.Value) (any, error) {
		once.Do(func() { close(inside) })
		return 1, nil
	}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := c.QueryInt64(t.Context(), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(gate(i)) FROM n")
		ended <- err
	}()
	<-inside
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, lido.ErrInterrupted) {
		t.Error(err)
	}
	if _, err := c.Prepare(t.Context(), "SELECT 1"); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
}
