package migrate_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
)

// The tests of this file run this test binary again as another process, which
// migrates the database named in the environment.
const (
	childPath  = "LIDO_TEST_MIGRATE_PATH"
	childCount = "LIDO_TEST_MIGRATE_COUNT" // how many of the counted migrations; the family if empty
	childKill  = "LIDO_TEST_MIGRATE_KILL"  // the statement before which the process kills itself
)

// runChild does the work of the other process, if this is one.
func runChild() bool {
	path := os.Getenv(childPath)
	if path == "" {
		return false
	}
	if err := child(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func child(path string) error {
	fsys := family()
	if n, err := strconv.Atoi(os.Getenv(childCount)); err == nil {
		fsys = counted(n)
	}
	killAt, err := strconv.Atoi(os.Getenv(childKill))
	if err != nil {
		killAt = -1
	}
	// The parent closes the pipe when all its children are there.
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	ctx := context.Background()
	seen := 0
	trace := migrate.WithTrace(func(context.Context, string) {
		if seen == killAt {
			killSelf()
		}
		seen++
	})
	db, err := pool.Open(ctx, path, pool.Config{Prepare: func(ctx context.Context, db *pool.DB) error {
		res, err := migrate.Up(ctx, db, fsys, trace)
		fmt.Println("applied", len(res.Applied))
		return err
	}})
	if err != nil {
		return err
	}
	return db.Close(ctx)
}

// killSelf ends the process as a power cut ends it for the program: without
// another instruction.
func killSelf() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// start runs another process, which waits until release is closed.
func start(t *testing.T, path string, env ...string) (release io.Closer, wait func() (string, error)) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), append(env, childPath+"="+path)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the other process said %q, %v\n%s", line, err, stderr.String())
	}
	return in, func() (string, error) {
		rest, err := io.ReadAll(lines)
		err = errors.Join(err, cmd.Wait())
		return string(rest) + stderr.String(), err
	}
}

// counted makes n migrations, each of which shows if it has run twice.
func counted(n int) fstest.MapFS {
	fsys := files("00001_log.sql", "-- +goose Up\nCREATE TABLE log (version INTEGER NOT NULL);\nINSERT INTO log VALUES (1);\n")
	for v := 2; v <= n; v++ {
		text := fmt.Sprintf("-- +goose Up\nINSERT INTO log VALUES (%d);\n", v)
		fsys[fmt.Sprintf("%05d_count.sql", v)] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// onceEach checks that every counted migration has run once, and returns how
// many there are.
func onceEach(t *testing.T, db *pool.DB, n int) {
	t.Helper()
	var want []string
	for v := 1; v <= n; v++ {
		want = append(want, strconv.Itoa(v))
	}
	same(t, "what ran", query(t, db, "SELECT version FROM log ORDER BY rowid"), want)
	same(t, "versions", query(t, db, "SELECT version_id FROM goose_db_version WHERE version_id > 0 ORDER BY id"), want)
}

func TestProcessesThatMigrateAtOnceApplyEachMigrationOnce(t *testing.T) {
	const migrations, processes = 12, 3
	rounds := 5
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		path := filepath.Join(t.TempDir(), "test.db")
		var releases []io.Closer
		var waits []func() (string, error)
		for range processes {
			release, wait := start(t, path, childCount+"="+strconv.Itoa(migrations))
			releases = append(releases, release)
			waits = append(waits, wait)
		}
		for _, r := range releases {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		total := 0
		for _, wait := range waits {
			out, err := wait()
			var n int
			if _, scanErr := fmt.Sscanf(out, "applied %d", &n); err != nil || scanErr != nil {
				t.Fatalf("the other process: %v, %v\n%s", err, scanErr, out)
			}
			total += n
		}
		same(t, "applied by all together", total, migrations)
		onceEach(t, open(t, path), migrations)
	}
}

func TestGoroutinesThatMigrateAtOnceApplyEachMigrationOnce(t *testing.T) {
	const migrations = 12
	db := openNew(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := migrate.Up(context.Background(), db, counted(migrations)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	onceEach(t, db, migrations)
}

func TestAMigrationKilledAtAnyStatementConvergesOnRerun(t *testing.T) {
	// What the file may hold: nothing, or all of the first few migrations.
	allowed := map[string]bool{"": true}
	var complete string
	whole := openNew(t)
	m := migrator(t, whole, family())
	for v := int64(1); v <= 3; v++ {
		if _, err := m.UpTo(context.Background(), v); err != nil {
			t.Fatal(err)
		}
		complete = contents(t, whole)
		allowed[complete] = true
	}
	created := openNew(t) // the version table is a transaction of its own
	none := files("00001_none.sql", "-- +goose Up\n-- +goose Down\nSELECT 1;\n")
	up(t, created, none)
	if _, err := migrator(t, created, none).Down(context.Background()); err != nil {
		t.Fatal(err)
	}
	allowed[contents(t, created)] = true

	step := 1
	if testing.Short() {
		step = 7
	}
	killed := 0
	for at := 0; ; at += step {
		path := filepath.Join(t.TempDir(), "test.db")
		release, wait := start(t, path, childKill+"="+strconv.Itoa(at))
		if err := release.Close(); err != nil {
			t.Fatal(err)
		}
		out, err := wait()
		ended := strings.HasPrefix(out, "applied 3")
		if !ended {
			killed++
		}
		if ended != (err == nil) {
			t.Fatalf("killed at %d: %v\n%s", at, err, out)
		}
		db := open(t, path)
		if got := contents(t, db); !allowed[got] {
			t.Fatalf("killed before statement %d, the file holds part of a migration:\n%s", at, got)
		}
		same(t, "violations", query(t, db, "PRAGMA foreign_key_check"), []string(nil))
		up(t, db, family())
		same(t, fmt.Sprintf("killed at %d, after the next run", at), contents(t, db), complete)
		if ended {
			break
		}
	}
	if want := 30 / step; killed < want {
		t.Errorf("only %d processes were killed, want %d or more", killed, want)
	}
}
