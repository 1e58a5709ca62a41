package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido/sqlite"
)

func TestAfterARestartTheNextWriteBeginsTheWALAnewInTheSameFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	w := openAt(t, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "0"}}})
	exec(t, w, "CREATE TABLE t(x)")
	for range 20 {
		exec(t, w, "INSERT INTO t VALUES(1)")
	}
	before, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if res, err := w.Checkpoint(t.Context(), sqlite.Restart); err != nil || res.Busy || res.WALFrames < 20 || res.MovedFrames != res.WALFrames {
		t.Errorf("%+v %v", res, err)
	}
	exec(t, w, "INSERT INTO t VALUES(1)")
	if s, ok := w.WALState(); ok && s.Frames != 1 {
		t.Errorf("%+v", s)
	}
	if after, err := os.Stat(path + "-wal"); err != nil || after.Size() != before.Size() {
		t.Error(after, err)
	}
}

func TestACommitMovesTheWALAtTheLengthThatWasSet(t *testing.T) {
	w := openAt(t, filepath.Join(t.TempDir(), "test.db"), sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "5"}}})
	exec(t, w, "CREATE TABLE t(x)")
	frames := func(n int) int {
		for range n {
			exec(t, w, "INSERT INTO t VALUES(1)")
		}
		s, ok := w.WALState()
		if !ok {
			t.Skip("the WAL is not looked at here")
		}
		return s.Frames
	}
	if n := frames(20); n > 5 {
		t.Errorf("%d frames", n)
	}
	w.SetAutocheckpoint(0)
	if n := frames(20); n < 20 {
		t.Errorf("%d frames, and nobody was to move them", n)
	}
	if what := w.Tainted(); what != "" {
		t.Errorf("changed by %s", what)
	}
	w.SetAutocheckpoint(5)
	if n := frames(5); n > 5 {
		t.Errorf("%d frames", n)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	w.SetAutocheckpoint(5) // of a closed connection does nothing
}
