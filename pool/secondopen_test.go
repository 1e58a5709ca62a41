package pool_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

var (
	createT   = &lido.Query{Name: "CreateT", SQL: "CREATE TABLE t (a)", Writes: []string{"t"}}
	countRows = &lido.Query{Name: "Count", SQL: "SELECT count(*) FROM t", ReadOnly: true, Reads: []string{"t"}}
	addTwo    = &lido.Query{Name: "AddTwo", SQL: "INSERT INTO t VALUES (1), (2)", Writes: []string{"t"}}
)

func TestSecondOpen_namesTheWaysOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	linked := filepath.Join(t.TempDir(), "linked.db")
	openDBAt(t, path, pool.Config{})
	if err := os.Link(path, linked); err != nil {
		t.Fatal(err)
	}
	exclusive := filepath.Join(t.TempDir(), "exclusive.db")
	openDBAt(t, exclusive, pool.Config{Exclusive: true})
	for _, c := range []struct {
		path string
		cfg  pool.Config
		want []string
	}{
		{path, pool.Config{}, []string{"use that *pool.DB", "stdlib.OpenDB", "close it first", "Config.ReadOnly"}},
		{path, pool.Config{Exclusive: true}, []string{"Config.Exclusive wants it alone"}},
		{linked, pool.Config{}, []string{"open it by that name"}},
		{linked, pool.Config{ReadOnly: true}, []string{"open it by that name"}},
		{exclusive, pool.Config{}, []string{"with Config.Exclusive"}},
		{exclusive, pool.Config{ReadOnly: true}, []string{"with Config.Exclusive"}},
	} {
		db, err := pool.Open(t.Context(), c.path, c.cfg)
		if err == nil {
			t.Errorf("%s is opened a second time with %+v", c.path, c.cfg)
			_ = db.Close(t.Context())
			continue
		}
		for _, want := range append(c.want, "has the file open already") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not contain %q", err, want)
			}
		}
	}
}

// One pool writes and checkpoints, two that only read are beside it: each commit
// is in the next read of both, whole, and the one that writes closes last.
func TestSecondOpen_readsBesideTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	writer := openDBAt(t, path, pool.Config{WALAutocheckpointPages: 50})
	if err := run(t.Context(), writer, createT); err != nil {
		t.Fatal(err)
	}
	var readers []*pool.DB
	for range 2 {
		reader, err := pool.Open(t.Context(), path, pool.Config{ReadOnly: true, MaxReaders: 2})
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, reader)
	}
	commits := 400
	if testing.Short() {
		commits = 50
	}
	for n := range commits {
		if err := run(t.Context(), writer, addTwo); err != nil {
			t.Fatal(err)
		}
		for _, db := range append(readers, writer) {
			if got, err := scalar(t.Context(), db, countRows); err != nil || got != int64(n+1)*2 {
				t.Fatalf("after commit %d: %d rows, %v", n+1, got, err)
			}
		}
		if n%100 == 50 {
			if _, err := writer.Checkpoint(t.Context(), sqlite.Truncate); err != nil {
				t.Error(err)
			}
		}
	}
	if err := run(t.Context(), readers[0], addTwo); !errors.Is(err, lido.ErrReadOnly) {
		t.Errorf("a write through a pool that reads: %v", err)
	}
	for _, db := range append(readers, writer) {
		if err := db.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", suffix, err)
		}
	}
}

func TestSecondOpen_outlivesTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	writer := openDBAt(t, path, pool.Config{})
	if err := run(t.Context(), writer, createT); err != nil {
		t.Fatal(err)
	}
	reader, err := pool.Open(t.Context(), path, pool.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, db *pool.DB, want int64) {
		t.Helper()
		if got, err := scalar(t.Context(), db, countRows); err != nil || got != want {
			t.Errorf("%s: %d rows, %v, want %d", when, got, err, want)
		}
	}
	if err := run(t.Context(), writer, addTwo); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("the writer is closed", reader, 2)
	writer = openDBAt(t, path, pool.Config{})
	if err := run(t.Context(), writer, addTwo); err != nil {
		t.Fatal(err)
	}
	check("the writer is open again", reader, 4)
	if err := errors.Join(writer.Close(t.Context()), reader.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	check("all were closed", openDBAt(t, path, pool.Config{}), 4)
}

// The bound of the WAL holds against reads of the other pool: the writer cannot
// name the reader, but waits for it, and fails.
func TestSecondOpen_readsCountForTheBoundOfTheWAL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	writer := openDBAt(t, path, pool.Config{WALMaxBytes: walMax, BusyTimeout: 30 * time.Millisecond})
	addItems(t, writer, "first", 3)
	reader, err := pool.Open(t.Context(), path, pool.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	s := stand(t, t.Context(), reader)
	if err := fill(t, t.Context(), writer); !errors.Is(err, lido.ErrBusy) || !strings.Contains(err.Error(), "WALMaxBytes") {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	addItems(t, writer, "later", 3)
	if err := reader.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
