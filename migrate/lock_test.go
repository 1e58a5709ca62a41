package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/lidodb/lido/migrate"
)

// Migrator A holds the lock in its backup; B gives up when its context ends.
//
//	A                          B
//	Up: lock
//	backup begins  ---------->
//	                           Up: waits for the lock
//	                           context ends: error
//	backup ends  <-----------
//	applies everything
func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	db := openNew(t)
	if _, err := migrator(t, db, family()).UpTo(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	inBackup, goOn := make(chan struct{}), make(chan struct{})
	a := migrator(t, db, family(), migrate.WithBackup(func(context.Context) error {
		close(inBackup)
		<-goOn
		return nil
	}))
	aDone := make(chan error, 1)
	go func() {
		_, err := a.Up(context.Background())
		aDone <- err
	}()
	<-inBackup
	ctx, cancel := context.WithCancel(context.Background())
	bDone := make(chan error, 1)
	go func() {
		_, err := migrate.Up(ctx, db, family())
		bDone <- err
	}()
	cancel()
	err := <-bDone
	if !errors.Is(err, context.Canceled) {
		t.Errorf("B: %v, want context.Canceled", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 1)
	defer cancel()
	if _, err := migrator(t, db, family()).Redo(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "is migrating") {
		t.Errorf("Redo: %v, want context.DeadlineExceeded and the reason", err)
	}
	// Looking needs no lock.
	if st, err := a.Status(context.Background()); err != nil || st.Pending() != 2 {
		t.Errorf("status meanwhile: %+v, %v", st, err)
	}
	close(goOn)
	if err := <-aDone; err != nil {
		t.Errorf("A: %v", err)
	}
}

func TestTheLockIsBesideTheRealFileWhateverItIsCalled(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real.db")
	if err := open(t, real).Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(real, link); err != nil {
		t.Skip(err)
	}
	db := open(t, link)
	up(t, db, files("00001_parents.sql", parents))
	// Whoever may read a file that any program makes there can take the lock.
	usual := filepath.Join(dir, "usual")
	f, err := os.OpenFile(usual, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(usual)
	if err != nil {
		t.Fatal(err)
	}
	var got os.FileInfo
	up(t, db, family(), migrate.WithBackup(func(context.Context) (err error) {
		got, err = os.Stat(real + "-migrate.lock")
		return err
	}))
	if got == nil || got.Mode() != want.Mode() {
		t.Errorf("the lock file beside the file that the link names: %v, want one of mode %s", got, want.Mode())
	}
}

func TestAMigrationThatAnotherProgramRecordedMeanwhileIsRolledBack(t *testing.T) {
	db := openNew(t)
	second := goose.NewGoMigration(2, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `CREATE TABLE twice (x);
			INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, 1)`)
		return err
	}}, nil)
	_, err := migrate.Up(context.Background(), db, files("00001_parents.sql", parents), migrate.WithGoMigrations(second))
	if !errors.Is(err, goose.ErrAlreadyApplied) {
		t.Errorf("error %v, want goose.ErrAlreadyApplied", err)
	}
	same(t, "tables", query(t, db, "SELECT name FROM sqlite_schema WHERE name = 'twice'"), []string(nil))
}
