//go:build unix

package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido/sqlite"
)

func TestTheStateOfTheWALIsWhatACheckpointSays(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "test.db")
	open := func(opt sqlite.Options) *sqlite.Conn {
		t.Helper()
		c, err := sqlite.Open(ctx, path, opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if _, ok := c.WALState(); ok {
				t.Error("a closed connection has a WAL")
			}
		})
		return c
	}
	writer := open(sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "0"},
	}})
	exec := func(c *sqlite.Conn, sql string) {
		t.Helper()
		if err := c.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(writer, "CREATE TABLE t(a)")
	reader, other := open(sqlite.Options{ReadOnly: true}), open(sqlite.Options{})
	look := func(c *sqlite.Conn) sqlite.WALState {
		t.Helper()
		s, ok := c.WALState()
		if !ok {
			t.Fatal("no state")
		}
		return s
	}
	checkpoint := func(mode sqlite.CheckpointMode) sqlite.CheckpointResult {
		t.Helper()
		res, err := other.Checkpoint(ctx, mode)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*sqlite.Conn{writer, reader, other} {
			if s := look(c); s.Frames != res.WALFrames || s.Moved != res.MovedFrames || s.PageBytes != 4096 {
				t.Errorf("%+v after a checkpoint that said %+v", s, res)
			}
		}
		return res
	}
	checkpoint(sqlite.Passive)
	if s := look(reader); s.Reading {
		t.Errorf("%+v, but nothing is read", s)
	}
	pinned := func(want bool, frames string) {
		t.Helper()
		if s := look(reader); s.Reading != want || fmt.Sprint(s.Pinned) != frames {
			t.Errorf("%+v, want reading %v, %s pinned", s, want, frames)
		}
	}

	// All is in the file: the reader holds the lock of those that need no WAL.
	exec(reader, "BEGIN; SELECT * FROM t")
	pinned(true, "0")
	exec(writer, "INSERT INTO t VALUES(1)") // begins the WAL anew
	pinned(true, fmt.Sprint(look(writer).Frames))
	if res := checkpoint(sqlite.Passive); res.MovedFrames != 0 {
		t.Errorf("%+v: the reader did not pin the WAL, so this test proves nothing", res)
	}
	exec(reader, "COMMIT")
	pinned(false, "0")

	// From the middle of the WAL: what lies before can be moved, the rest not.
	exec(reader, "BEGIN; SELECT * FROM t")
	pinned(true, "0")
	before := look(writer).Frames
	for range 7 {
		exec(writer, "INSERT INTO t VALUES(1)")
	}
	after := look(writer).Frames
	pinned(true, fmt.Sprint(after-before))
	if res := checkpoint(sqlite.Passive); res.MovedFrames != before {
		t.Errorf("%+v, want %d moved", res, before)
	}
	exec(reader, "COMMIT")
	pinned(false, "0")
	if res := checkpoint(sqlite.Truncate); res.WALFrames != 0 {
		t.Errorf("%+v", res)
	}

	exec(other, "PRAGMA locking_mode=EXCLUSIVE")
	if s, ok := other.WALState(); ok {
		t.Errorf("%+v of a connection that may use no shared memory", s)
	}
}

func TestThereIsNoStateWithoutAWAL(t *testing.T) {
	for name, path := range map[string]string{"memory": ":memory:", "rollback journal": filepath.Join(t.TempDir(), "test.db")} {
		c, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := c.WALState(); ok {
			t.Errorf("%s: %+v", name, s)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if s, ok := new(sqlite.Conn).WALState(); ok {
		t.Errorf("zero Conn: %+v", s)
	}
}
