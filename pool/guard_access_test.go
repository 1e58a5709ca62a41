package pool_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/emulator"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// access are files that this user may not write to or make. The superuser may,
// so the test runs itself again as the user without rights.
var access = []struct {
	name    string
	prepare func(t *testing.T, dir string) // makes test.db, or not
	folder  os.FileMode
	cfg     pool.Config
	want    []string // of the error; none if it opens
	is      error
	query   *lido.Query // what is read then
	rows    int64
}{
	{
		name:    "a folder in which nothing can be made",
		prepare: func(*testing.T, string) {},
		folder:  0o555,
		want:    []string{"must be able to write", "create them in"},
	},
	{
		name:    "a file that may only be read",
		prepare: func(t *testing.T, dir string) { layWAL(t, dir, 0o444, 0o666) },
		folder:  0o777,
		want:    []string{"must be able to write to the file"},
		is:      lido.ErrReadOnly,
	},
	{
		name:    "a WAL that may not be touched",
		prepare: func(t *testing.T, dir string) { layWAL(t, dir, 0o666, 0) },
		folder:  0o777,
		want:    []string{"and to its -wal and -shm"},
	},
	{
		name:    "a WAL database on media that cannot be written",
		prepare: func(t *testing.T, dir string) { layClosed(t, dir, "wal") },
		folder:  0o555,
		cfg:     pool.Config{ReadOnly: true},
		want:    []string{"find or create -wal and -shm", "journal_mode=DELETE"},
	},
	{
		name:    "an unfinished transaction on media that cannot be written",
		prepare: func(t *testing.T, dir string) { hotJournal(t, filepath.Join(dir, "test.db")) },
		folder:  0o555,
		cfg:     pool.Config{ReadOnly: true},
		want:    []string{"whose last writer was cut off"},
	},
	{
		name:    "any other database on media that cannot be written",
		prepare: func(t *testing.T, dir string) { layClosed(t, dir, "delete") },
		folder:  0o555,
		cfg:     pool.Config{ReadOnly: true},
		query:   countItems,
		rows:    1,
	},
}

const oneItem = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO item(name) VALUES ('a')"

// layWAL lays a database whose row is in its WAL.
func layWAL(t *testing.T, dir string, dbMode, walMode os.FileMode) {
	t.Helper()
	db, wal := walFiles(t, oneItem)
	path := filepath.Join(dir, "test.db")
	err := errors.Join(os.WriteFile(path, db, 0o600), os.WriteFile(path+"-wal", wal, 0o600),
		os.Chmod(path, dbMode), os.Chmod(path+"-wal", walMode))
	if err != nil {
		t.Fatal(err)
	}
}

// layClosed lays a database that was closed in that journal mode.
func layClosed(t *testing.T, dir, mode string) {
	t.Helper()
	path := filepath.Join(dir, "test.db")
	withConn(t, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: mode}}}, oneItem)
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
}

func TestWhatThisUserMayNotDoIsNamed(t *testing.T) {
	if base := os.Getenv("LIDO_TEST_ACCESS"); base != "" {
		tryAccess(t, base)
		return
	}
	base, err := os.MkdirTemp("", "access-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range access {
			_ = os.Chmod(filepath.Join(base, strconv.Itoa(i)), 0o755)
		}
		if err := os.RemoveAll(base); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, a := range access {
		dir := filepath.Join(base, strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		a.prepare(t, dir)
		if err := os.Chmod(dir, a.folder); err != nil {
			t.Fatal(err)
		}
	}
	// Go builds the test where only its user can run it.
	self := filepath.Join(base, "pool.test")
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(self, program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := emulator.Command(self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "LIDO_TEST_ACCESS="+base)
	cmd.Dir = os.TempDir()
	if os.Geteuid() == 0 {
		asNobody(cmd)
	}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS: ") != len(access)+1 {
		t.Errorf("%v: %s", err, out)
	}
}

func tryAccess(t *testing.T, base string) {
	for i, a := range access {
		t.Run(a.name, func(t *testing.T) {
			dir := filepath.Join(base, strconv.Itoa(i))
			before, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			db, err := pool.Open(t.Context(), filepath.Join(dir, "test.db"), a.cfg)
			if err == nil {
				if a.want != nil {
					t.Error("it was opened")
				} else if n, err := scalar(t.Context(), db, a.query); n != a.rows || err != nil {
					t.Error(n, err)
				}
				if err := db.Close(t.Context()); err != nil {
					t.Error(err)
				}
				return
			}
			if a.want == nil {
				t.Fatal(err)
			}
			for _, want := range append(a.want, dir) {
				if !strings.Contains(err.Error(), want) || !errors.Is(err, cmpOr(a.is, err)) {
					t.Errorf("%v\nwant %q and %v", err, want, a.is)
				}
			}
			if after, err := os.ReadDir(dir); len(after) != len(before) || err != nil {
				t.Errorf("files were %v, are %v, %v", before, after, err)
			}
		})
	}
}
