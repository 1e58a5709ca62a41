package pool_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// A guard at open, and what provokes it. What needs a user without rights is
// in guard_access_test.go.
var guards = []struct {
	name string
	// prepare lays files in dir and returns the path to open.
	prepare func(t *testing.T, dir string) string
	cfg     pool.Config
	around  pool.Surroundings
	want    string
	is      error
}{
	{
		name: "a SQLite that can corrupt a WAL, or a libc that does not fit",
		around: pool.Surroundings{
			EngineErr: errors.New("run: go get modernc.org/sqlite@v1"),
		},
		want: "run: go get",
	},
	{
		name:   "a network file system",
		around: pool.Surroundings{Filesystem: "NFS"},
		want:   "the folder is on NFS, where WAL is not safe",
	},
	{
		name:   "a file system on which WAL does not work",
		around: pool.Surroundings{VFS: "unix-none"},
		want:   `PRAGMA journal_mode: wanted wal, the engine answers "delete"; the pool works in WAL mode only`,
	},
	{
		name:    "a text",
		prepare: write("notes.db", []byte(strings.Repeat("not a database ", 100))),
		want:    "not a SQLite database: restore a backup or name another file",
		is:      lido.ErrCorrupt,
	},
	{
		name:    "a few bytes",
		prepare: write("short.db", []byte("SQLite format 3")),
		want:    "not a SQLite database",
		is:      lido.ErrCorrupt,
	},
	{
		name:    "an encrypted file",
		prepare: write("secret.db", random(4*4096)),
		want:    "encrypted or not a SQLite database",
		is:      lido.ErrCorrupt,
	},
	{
		name:    "a folder",
		prepare: func(_ *testing.T, dir string) string { return dir },
		want:    "is a directory; name a file in it",
	},
	{
		name: "a socket",
		prepare: func(t *testing.T, dir string) string {
			// A socket's path must be short.
			short, err := os.MkdirTemp("", "s")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(short) })
			l, err := net.Listen("unix", filepath.Join(short, "s"))
			if err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			return l.Addr().String()
		},
		want: "is not a regular file",
	},
	{
		name:    "a folder that is not there",
		prepare: func(_ *testing.T, dir string) string { return filepath.Join(dir, "no", "folder.db") },
		want:    "the folder must exist",
	},
	{
		name: "a link in a circle",
		prepare: func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "circle.db")
			if err := os.Symlink(path, path); err != nil {
				t.Fatal(err)
			}
			return path
		},
		want: "too many links",
	},
	{
		name: "a file that must exist",
		cfg:  pool.Config{MustExist: true},
		want: "absent.db",
		is:   fs.ErrNotExist,
	},
	{
		name: "nothing to read",
		cfg:  pool.Config{ReadOnly: true},
		want: "absent.db",
		is:   fs.ErrNotExist,
	},
	{
		name:    "the data source name of another driver",
		prepare: func(_ *testing.T, dir string) string { return "file:" + filepath.Join(dir, "app.db") + "?mode=rwc" },
		want:    "is a URI; Open takes the name of a file",
	},
	{
		name: "options in the name",
		prepare: func(_ *testing.T, dir string) string {
			return filepath.Join(dir, "app.db?_pragma=foreign_keys(1)")
		},
		want: "fields of Config",
	},
	{
		name:    "a zero byte",
		prepare: func(_ *testing.T, dir string) string { return filepath.Join(dir, "a\x00b") },
		want:    "invalid",
	},
}

func write(name string, content []byte) func(t *testing.T, dir string) string {
	return func(t *testing.T, dir string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func TestOpenRefusesAndSaysWhy(t *testing.T) {
	for _, g := range guards {
		t.Run(g.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "absent.db")
			if g.prepare != nil {
				path = g.prepare(t, dir)
			}
			before, _ := os.ReadFile(path)
			db, err := pool.OpenIn(t.Context(), path, g.cfg, g.around)
			if err == nil {
				t.Error("it was opened")
				_ = db.Close(t.Context())
				return
			}
			if !strings.Contains(err.Error(), g.want) || !errors.Is(err, cmpOr(g.is, err)) {
				t.Errorf("%v\nwant %q and %v", err, g.want, g.is)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
			for _, suffix := range []string{"-wal", "-shm", "-journal"} {
				if _, err := os.Lstat(path + suffix); err == nil {
					t.Errorf("%s is left", suffix)
				}
			}
		})
	}
}

func cmpOr(is, err error) error {
	if is == nil {
		return err
	}
	return is
}

func TestANetworkFilesystemCanBeAllowed(t *testing.T) {
	db, err := pool.OpenIn(t.Context(), filepath.Join(t.TempDir(), "test.db"), pool.Config{AllowNetworkFilesystem: true}, pool.Surroundings{Filesystem: "NFS"})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestASecondOpenOfTheSameFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := openDBAt(t, path, pool.Config{})
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "second.db")
	if err := os.Link(path, second); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link, second} {
		if _, err := pool.Open(t.Context(), p, pool.Config{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	openDBAt(t, path, pool.Config{})
}

func TestTheSameNewFileThroughALinkedFolderIsTheSameFile(t *testing.T) {
	real := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		name := "x.db"
		opened := make(chan *pool.DB, 2)
		for _, dir := range []string{real, link} {
			go func() {
				db, _ := pool.Open(t.Context(), filepath.Join(dir, name), pool.Config{})
				opened <- db
			}()
		}
		a, b := <-opened, <-opened
		if (a == nil) == (b == nil) {
			t.Error("want one of two pools on one file")
		}
		for _, db := range []*pool.DB{a, b} {
			if db != nil {
				if err := errors.Join(run(t.Context(), db, &lido.Query{Name: "Create", SQL: "CREATE TABLE t(a)"})); err != nil {
					t.Error(err)
				}
				if s := db.Stat(); s.WALBytes == 0 || !strings.HasPrefix(db.Path(), real) {
					t.Errorf("the WAL of %s is not seen: %+v", db.Path(), s)
				}
				if err := db.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		if err := os.Remove(filepath.Join(real, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALinkToAFileThatIsNotThereYetNamesThatFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "real.db")
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	db := openDBAt(t, link, pool.Config{})
	if err := run(t.Context(), db, insertItem, "a"); err != nil {
		t.Fatal(err)
	}
	if s := db.Stat(); db.Path() != path || s.WALBytes == 0 {
		t.Errorf("%s, whose WAL has %d bytes", db.Path(), s.WALBytes)
	}
}

// foreignFile makes a file as another program would: with foreign keys off.
func foreignFile(t *testing.T, journalMode, sql string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.db")
	withConn(t, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: journalMode}}}, sql)
	return path
}

func withConn(t *testing.T, path string, opt sqlite.Options, sql string) {
	t.Helper()
	c, err := sqlite.Open(t.Context(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Exec(t.Context(), sql), c.Close()); err != nil {
		t.Fatal(err)
	}
}

const (
	familySchema = "CREATE TABLE parent(id INTEGER PRIMARY KEY); CREATE TABLE child(id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent(id));"
	twoOrphans   = familySchema + "INSERT INTO child VALUES (7, 99), (8, 99);"
)

func TestRowsThatBreakForeignKeysAreWarnedOfOnceWhenTheFileIsOpened(t *testing.T) {
	opened := func(path string, s pool.Surroundings) string {
		t.Helper()
		var log bytes.Buffer
		db, err := pool.OpenIn(t.Context(), path, pool.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	var none pool.Surroundings
	for _, mode := range []string{"delete", "wal"} {
		path := foreignFile(t, mode, twoOrphans)
		log := opened(path, none)
		if strings.Count(log, "\n") != 1 || !strings.Contains(log, "rows=2") || !strings.Contains(log, "2 rows of child refer to a row of parent that does not exist (first: row 7)") {
			t.Errorf("%s: %q", mode, log)
		}
		withConn(t, path, sqlite.Options{}, "DELETE FROM child")
		if log := opened(path, none); log != "" {
			t.Errorf("%s, repaired: %q", mode, log)
		}
	}
	if log := opened(foreignFile(t, "delete", "CREATE TABLE child(parent_id REFERENCES nowhere(id)); INSERT INTO child VALUES (1)"), none); !strings.Contains(log, "refers to the table nowhere, which does not exist") {
		t.Errorf("a table without rowids, or a parent that is no table: %q", log)
	}
	if log := opened(foreignFile(t, "delete", "CREATE TABLE p(a, b); CREATE TABLE c(a REFERENCES p(b)); INSERT INTO c VALUES (1)"), none); !strings.Contains(log, "foreign key mismatch: p has no unique index") || !strings.Contains(log, "make a unique index on p (b)") {
		t.Errorf("a reference that cannot be: %q", log)
	}
	if log := opened(filepath.Join(t.TempDir(), "new.db"), none); log != "" {
		t.Errorf("a new file: %q", log)
	}

	// The look at a large file is bounded.
	large := familySchema + `INSERT INTO parent VALUES (1);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO child SELECT i, 1 FROM n;`
	if log := opened(foreignFile(t, "delete", large), pool.Surroundings{ForeignCheckTime: time.Nanosecond}); !strings.Contains(log, "too large to look at all") {
		t.Errorf("a large file: %q", log)
	}
	if log := opened(foreignFile(t, "wal", large), pool.Surroundings{ForeignCheckTime: time.Nanosecond}); log != "" {
		t.Errorf("a large file in WAL mode: %q", log)
	}
}

func TestEveryPageSizeIsKept(t *testing.T) {
	for size := 512; size <= 65536; size *= 2 {
		path := filepath.Join(t.TempDir(), "test.db")
		withConn(t, path, sqlite.Options{Create: true}, "PRAGMA page_size="+strconv.Itoa(size)+"; CREATE TABLE other(x)")
		db := openDBAt(t, path, pool.Config{})
		if err := run(t.Context(), db, insertItem, strings.Repeat("x", 100_000)); err != nil {
			t.Error(size, err)
		}
		got, err := scalar(t.Context(), db, &lido.Query{Name: "PageSize", SQL: "SELECT page_size FROM pragma_page_size", ReadOnly: true})
		if got != int64(size) || err != nil {
			t.Error(size, got, err)
		}
	}
}

// hotJournal lays a database and the rollback journal of a transaction that was
// cut off: 2,000 rows of 1, which the transaction was changing to 2.
func hotJournal(t *testing.T, path string) {
	t.Helper()
	ctx := t.Context()
	work := filepath.Join(t.TempDir(), "work.db")
	c, err := sqlite.Open(ctx, work, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "delete"}}})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Exec(ctx, `CREATE TABLE hot(n, filler);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO hot SELECT 1, zeroblob(3000) FROM n;
		PRAGMA cache_size = 5; BEGIN; UPDATE hot SET n = 2`)
	for _, suffix := range []string{"", "-journal"} {
		content, readErr := os.ReadFile(work + suffix)
		err = errors.Join(err, readErr, os.WriteFile(path+suffix, content, 0o666))
	}
	if err := errors.Join(err, c.Rollback(), c.Close()); err != nil {
		t.Fatal(err)
	}
}

var hotRows = &lido.Query{Name: "HotRows", SQL: "SELECT sum(n) FROM hot", ReadOnly: true}

func TestATransactionThatAnotherProgramLeftUnfinishedIsRolledBackAtOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	hotJournal(t, path)
	db := openDBAt(t, path, pool.Config{})
	if n, err := scalar(t.Context(), db, hotRows); n != 2000 || err != nil {
		t.Error(n, err)
	}
	if _, err := os.Stat(path + "-journal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("-journal is left: %v", err)
	}
}

// walFiles makes a database in WAL mode and returns its files as they are while it
// is open. What sql writes after its last checkpoint is in the WAL alone.
func walFiles(t *testing.T, sql string) (db, wal []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "work.db")
	c, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Exec(t.Context(), sql)
	db, dbErr := os.ReadFile(path)
	wal, walErr := os.ReadFile(path + "-wal")
	if err := errors.Join(err, dbErr, walErr, c.Close()); err != nil {
		t.Fatal(err)
	}
	return db, wal
}

// A frame counts only if its salt is that of the WAL's header, so what a
// restarted WAL holds of its earlier life is left alone. But nothing ties a WAL
// to its database: one of another file, put beside this one, replaces what is
// in it, and neither SQLite nor Lido can tell. Restores therefore remove the
// WAL, and whoever copies files by hand has to.
func TestAFrameWithAnotherSaltIsIgnoredAndAWholeWALOfAnotherDatabaseIsNot(t *testing.T) {
	mine, _ := walFiles(t, "CREATE TABLE mine(x); INSERT INTO mine VALUES (1); PRAGMA wal_checkpoint(TRUNCATE)")
	_, other := walFiles(t, "CREATE TABLE other(x); INSERT INTO other VALUES (1)")
	tables := func(wal []byte) (string, string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "test.db")
		if err := errors.Join(os.WriteFile(path, mine, 0o600), os.WriteFile(path+"-wal", wal, 0o600)); err != nil {
			t.Fatal(err)
		}
		db, err := pool.Open(t.Context(), path, pool.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var names, integrity string
		err = db.WithReader(t.Context(), func(ctx context.Context, c *sqlite.Conn) (err error) {
			names, err = c.QueryText(ctx, "SELECT group_concat(name) FROM sqlite_schema")
			if err == nil {
				integrity, err = c.QueryText(ctx, "PRAGMA integrity_check")
			}
			return err
		})
		if err := errors.Join(err, db.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		return names, integrity
	}
	salted := bytes.Clone(other)
	salted[32+8] ^= 1 // the first frame's salt
	if names, integrity := tables(salted); names != "mine" || integrity != "ok" {
		t.Error("frames of another salt:", names, integrity)
	}
	torn := bytes.Clone(other)[:len(other)-100]
	if names, integrity := tables(torn); names == "" || integrity != "ok" {
		t.Error("a torn frame:", names, integrity)
	}
	if names, _ := tables(other); names != "other" {
		t.Error("a whole WAL of another database is no longer taken: say so in the documentation:", names)
	}
}

func TestAFileThatWasMovedRemovedOrReplacedGetsNoNewConnections(t *testing.T) {
	for name, c := range map[string]struct {
		change func(path string) error
		want   string
	}{
		"moved":   {func(path string) error { return os.Rename(path, path+".old") }, "was moved or removed"},
		"removed": {os.Remove, "was moved or removed"},
		"replaced": {func(path string) error {
			err := os.Rename(path, path+".old")
			return errors.Join(err, os.WriteFile(path, nil, 0o600))
		}, "was replaced"},
	} {
		path := filepath.Join(t.TempDir(), "test.db")
		// Connections end as soon as they are idle.
		db, err := pool.Open(t.Context(), path, pool.Config{MaxReaders: 2, MaxLifetime: time.Nanosecond, Prepare: func(ctx context.Context, db *pool.DB) error {
			return run(ctx, db, &lido.Query{Name: "Create", SQL: "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT)"})
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.change(path); err != nil {
			t.Fatal(err)
		}
		_, readErr := scalar(t.Context(), db, countItems)
		_, openErr := db.OpenConn(t.Context())
		for _, err := range []error{readErr, openErr, run(t.Context(), db, insertItem, "lost")} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			t.Errorf("%s: a new database was made", name)
		}
		if name == "moved" { // and back again
			if err := os.Rename(path+".old", path); err != nil {
				t.Fatal(err)
			}
			if err := run(t.Context(), db, insertItem, "kept"); err != nil {
				t.Error(err)
			}
		}
		if err := db.Close(t.Context()); err != nil {
			t.Error(name, err)
		}
	}
}

// Only where there is a rollback journal does the engine itself look whether
// its file is still the one of that name.
func TestAConnectionThatFindsItsFileMovedIsDestroyed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := pool.Open(t.Context(), path, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		err := c.Exec(ctx, "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT); PRAGMA journal_mode = DELETE")
		if err := errors.Join(err, os.Rename(path, path+".old")); err != nil {
			t.Fatal(err)
		}
		return c.Exec(ctx, "INSERT INTO item(name) VALUES ('lost')")
	})
	const readonlyDBMoved = 8 | 4<<8
	var e *lido.Error
	if !errors.As(err, &e) || e.Extended != readonlyDBMoved {
		t.Errorf("%v", err)
	}
	if s := db.Stat(); s.Writer.Destroyed.Total() != 1 {
		t.Errorf("%+v", s.Writer)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
