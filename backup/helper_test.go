package backup_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// schema is that of the tests: enough rows for many pages, an index, a foreign
// key, and sums that every transaction leaves at zero.
const schema = `
	CREATE TABLE account(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
	CREATE TABLE posting(id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES account, amount INTEGER NOT NULL, note TEXT);
	CREATE INDEX posting_account ON posting(account_id, amount);
	CREATE TABLE goose_db_version(id INTEGER PRIMARY KEY, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL);
	INSERT INTO goose_db_version(version_id, is_applied) VALUES (0, 1), (7, 1);
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
		INSERT INTO account(id, name) SELECT i, 'account ' || i FROM n;
	WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 5999)
		INSERT INTO posting(account_id, amount, note)
		SELECT i % 50 + 1, iif(i % 2, -(i - 1), i), hex(randomblob(40)) FROM n;
	PRAGMA application_id = 1818846319;
	PRAGMA user_version = 3;`

// transfer is one transaction of a writer: rows come, change and go, and the
// sum stays zero.
const transfer = `BEGIN IMMEDIATE;
	INSERT INTO posting(account_id, amount, note) SELECT abs(random()) % 50 + 1, 10, hex(randomblob(200));
	INSERT INTO posting(account_id, amount, note) SELECT abs(random()) % 50 + 1, -10, hex(randomblob(200));
	UPDATE posting SET note = hex(randomblob(30)) WHERE id = abs(random()) % 6000 + 1;
	DELETE FROM posting WHERE id IN (SELECT id FROM posting WHERE amount = 0 LIMIT 1);
	COMMIT;`

// hashRows is a digest of every value of every row that writers change.
func hashRows(t testing.TB, c *sqlite.Conn) string {
	t.Helper()
	h := sha256.New()
	for _, table := range []string{"account", "posting"} {
		s, err := c.Prepare(t.Context(), "SELECT * FROM "+table+" ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		row, err := s.Step()
		for ; row && err == nil; row, err = s.Step() {
			for i := range s.ColumnCount() {
				fmt.Fprintf(h, "%d:%q,", s.ColumnType(i), s.ColumnText(i))
			}
		}
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func newDBPath(t testing.TB) string { return filepath.Join(t.TempDir(), "books.db") }

// openDB opens a database with the schema and closes it at the end.
func openDB(t testing.TB, path string, services ...pool.Service) *pool.DB {
	t.Helper()
	db, err := openDatabase(t.Context(), path, services...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := db.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return db
}

func openDatabase(ctx context.Context, path string, services ...pool.Service) (*pool.DB, error) {
	return pool.Open(ctx, path, pool.Config{
		Services: services,
		Prepare: func(ctx context.Context, db *pool.DB) error {
			return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
				if n, err := c.QueryInt64(ctx, "SELECT count(*) FROM sqlite_schema"); err != nil || n > 0 {
					return err
				}
				return c.Exec(ctx, "BEGIN;"+schema+"COMMIT;")
			})
		},
	})
}

// execSQL runs SQL on the writer.
func execSQL(t testing.TB, db *pool.DB, sql string) {
	t.Helper()
	err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, sql) })
	if err != nil {
		t.Fatal(err)
	}
}

// query opens the file at path on its own and returns one text.
func query(t testing.TB, path, sql string) string {
	t.Helper()
	c, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.QueryText(t.Context(), sql)
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	return text
}

// fast is a configuration that does not rest.
func fast(store backup.Store) backup.Config {
	return backup.Config{Store: store, StepPause: -1, Interval: -1}
}

// take makes a backup and fails the test if it cannot.
func take(t testing.TB, db *pool.DB, cfg backup.Config) *backup.Manifest {
	t.Helper()
	res, err := backup.Take(t.Context(), db, cfg)
	if err := errors.Join(err, res.PruneErr); err != nil {
		t.Fatal(err)
	}
	return res.Manifest
}

// newBackup makes a database, backs it up and returns the folder of the store.
func newBackup(t testing.TB) (dir string, m *backup.Manifest) {
	t.Helper()
	dir = t.TempDir()
	return dir, take(t, openDB(t, newDBPath(t)), fast(backup.NewDirStore(dir)))
}

// absent fails the test if something lies at one of the paths.
func absent(t testing.TB, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there (%v)", path, err)
		}
	}
}

// copyDir copies the files of a flat folder.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// Helper processes: the test binary runs itself with a role.
const helperRole = "LIDO_BACKUP_TEST_ROLE"

type helper struct {
	cmd *exec.Cmd
	out *bufio.Reader
	in  io.WriteCloser
}

func startHelper(t *testing.T, role string, args ...string) *helper {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), helperRole+"="+role)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe() // its end tells a helper whose parent is gone
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &helper{cmd: cmd, out: bufio.NewReader(out), in: in}
	t.Cleanup(func() { h.kill(t) })
	return h
}

// expect waits for the helper to say word.
func (h *helper) expect(t *testing.T, word string) {
	t.Helper()
	line, err := h.out.ReadString('\n')
	if err != nil || line != word+"\n" {
		t.Fatalf("helper said %q (%v), not %q", line, err, word)
	}
}

// kill ends the helper as a crash would. Killing twice is fine.
func (h *helper) kill(t *testing.T) {
	t.Helper()
	if h.cmd.ProcessState != nil {
		return
	}
	h.cmd.Process.Kill()
	h.cmd.Wait() // reports the kill
}

// runHelper plays a role until it is killed.
func runHelper(role string) int {
	ctx := context.Background()
	hold := func(word string) {
		fmt.Println(word)
		io.Copy(io.Discard, os.Stdin)
	}
	var err error
	switch role {
	case "lock":
		if _, _, err = backup.NewDirStore(os.Args[1]).Lock(ctx); err == nil {
			hold("locked")
		}
	case "backup": // store, database, the phase to stop in
		cfg := fast(backup.NewDirStore(os.Args[1]))
		cfg.Progress = holdAt(os.Args[3], hold)
		var db *pool.DB
		if db, err = openDatabase(ctx, os.Args[2]); err == nil {
			_, err = backup.Take(ctx, db, cfg)
		}
	case "restore", "restore in place": // store, target, the phase to stop in
		if os.Args[3] == "" {
			fmt.Println("begin")
		}
		_, err = backup.Restore(ctx, backup.NewDirStore(os.Args[1]), "", os.Args[2],
			backup.RestoreOptions{Overwrite: true, InPlace: role != "restore", Progress: holdAt(os.Args[3], hold)})
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "helper:", err)
		return 1
	}
	return 0
}

func holdAt(phase string, hold func(string)) backup.ProgressFunc {
	return func(p backup.Progress) {
		if string(p.Phase) == phase {
			hold(phase)
		}
	}
}
