package health_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// openAt opens a pool on a file and closes it when the test ends. What is
// wrong with a damaged database may make Close fail, which is not the point.
func openAt(t *testing.T, path string, cfg pool.Config) *pool.DB {
	t.Helper()
	db, err := pool.Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := db.Close(ctx); err != nil {
			t.Logf("closing: %v", err)
		}
	})
	return db
}

func open(t *testing.T, cfg pool.Config) *pool.DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "app.db"), cfg)
}

// exec runs statements on the writer, outside what the pool counts as commits.
func exec(t *testing.T, db *pool.DB, sql string) {
	t.Helper()
	err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, sql) })
	if err != nil {
		t.Fatal(err)
	}
}

// rows fills a table with about n kB.
const rows = `CREATE TABLE item (id INTEGER PRIMARY KEY, text TEXT);
	CREATE INDEX item_text ON item (text);
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)
	INSERT INTO item SELECT i, hex(randomblob(400)) FROM n;`

// builtin is one built-in check of cfg.
func builtin(t *testing.T, cfg health.Config, name string) health.Check {
	t.Helper()
	checks, err := health.Builtin(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if c.Name == name {
			c.Timeout = max(c.Timeout, time.Minute) // what it finds is asked for, not how fast
			return c
		}
	}
	t.Fatalf("no built-in check is called %q", name)
	return health.Check{}
}

// run runs one built-in check once.
func run(t *testing.T, db *pool.DB, cfg health.Config, name string) health.Result {
	t.Helper()
	return runCheck(t, db, builtin(t, cfg, name))
}

func runCheck(t *testing.T, db *pool.DB, c health.Check) health.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), c.Timeout)
	defer cancel()
	return c.Run(ctx, db)
}

// want asserts a status, and that a reason contains every part; a result that
// is not OK must come with a remedy.
func want(t *testing.T, got health.Result, status health.Status, parts ...string) {
	t.Helper()
	if got.Status != status {
		t.Errorf("status %s, want %s; reason %q", got.Status, status, got.Reason)
	}
	if got.Status > health.OK && got.Remedy == "" {
		t.Errorf("%s without a remedy: %q", got.Status, got.Reason)
	}
	for _, p := range parts {
		if !strings.Contains(got.Reason, p) {
			t.Errorf("reason %q does not contain %q", got.Reason, p)
		}
	}
}

func TestAHealthyDatabasePassesEveryCheck(t *testing.T) {
	t.Run("default", func(t *testing.T) { passEveryCheck(t, filepath.Join(t.TempDir(), "test.db"), pool.Config{}) })
	t.Run("in memory", func(t *testing.T) { passEveryCheck(t, pool.Memory, pool.Config{}) })
	t.Run("temporary", func(t *testing.T) { passEveryCheck(t, "", pool.Config{}) })
	t.Run("exclusive", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("pool.Config.Exclusive needs unix")
		}
		passEveryCheck(t, filepath.Join(t.TempDir(), "test.db"), pool.Config{Exclusive: true})
	})
}

func passEveryCheck(t *testing.T, path string, cfg pool.Config) {
	t.Helper()
	m, err := health.New(health.Config{
		ExpensiveDelay:  -1,
		DiskFailedBytes: 1, DiskDegradedBytes: 1, // the machine that runs the tests may be nearly full
		AcquireWait: time.Hour, // or slow
		BackupDir:   t.TempDir(),
		Backups:     backupAt{at: time.Now().Add(-25 * time.Hour), ok: true},
		Migrations: func(context.Context, *pool.DB) (int64, int64, error) {
			return 7, 7, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Services = []pool.Service{m}
	db := openAt(t, path, cfg)
	exec(t, db, fmt.Sprintf(rows, 500))
	rep, err := m.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range rep.Checks {
		if c.Status != health.OK && !(runtime.GOOS != "linux" && c.Status == health.Unknown) {
			t.Errorf("%s is %s: %s", c.Name, c.Status, c.Reason)
		}
	}
	if rep.Status != health.OK || rep.State != health.Ready {
		t.Errorf("overall %s, %s", rep.Status, rep.State)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m.State() != health.Stopped {
		t.Errorf("state %s after the pool is closed", m.State())
	}
}

// overwrite replaces a page by a copy of another one, or by zeros if from is
// 0, in a file that nobody has open.
func overwrite(t *testing.T, path string, page, from int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := make([]byte, 4096)
	if from > 0 {
		if _, err := f.ReadAt(content, (from-1)*4096); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.WriteAt(content, (page-1)*4096); err != nil {
		t.Fatal(err)
	}
}

// pageOf finds a page of a table or index that is not its root.
func pageOf(t *testing.T, path, name string) (page int64) {
	t.Helper()
	db, err := pool.Open(t.Context(), path, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = db.WithReader(t.Context(), func(ctx context.Context, c *sqlite.Conn) (err error) {
		page, err = c.QueryInt64(ctx, `SELECT pageno FROM dbstat WHERE name = '`+name+`' AND pagetype = 'leaf' ORDER BY pageno LIMIT 1 OFFSET 9`)
		return err
	})
	if err := errors.Join(err, db.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return page
}

func TestAZeroedPageIsFoundByQuickCheck(t *testing.T) {
	for _, mmap := range []int{-1, 0} { // off, and the default
		for _, whole := range []int64{0, -1} { // in one statement, and table by table
			for _, where := range []string{"item", "item_text"} {
				t.Run(fmt.Sprintf("mmap %d, whole %d, %s", mmap, whole, where), func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "app.db")
					db := openAt(t, path, pool.Config{})
					exec(t, db, fmt.Sprintf(rows, 2000)+"CREATE TABLE other (id INTEGER PRIMARY KEY);")
					if err := db.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
					overwrite(t, path, pageOf(t, path, where), 0)

					db = openAt(t, path, pool.Config{MmapBytes: mmap})
					c := builtin(t, health.Config{WholeCheckBytes: whole}, health.QuickCheck)
					for range 2 { // the second look finds it too
						res := runCheck(t, db, c)
						want(t, res, health.Failed, "quick_check")
						if !strings.Contains(res.Remedy, "restore the last verified backup") {
							t.Errorf("remedy %q", res.Remedy)
						}
					}
				})
			}
		}
	}
}

func TestALargeDatabaseIsCheckedTableByTableWithinTheBudget(t *testing.T) {
	db := open(t, pool.Config{})
	for i := range 9 {
		exec(t, db, fmt.Sprintf("CREATE TABLE t%d (id INTEGER PRIMARY KEY, v)", i))
	}
	c := builtin(t, health.Config{WholeCheckBytes: -1, QuickCheckBudget: 1}, health.QuickCheck)
	for i := range 10 { // nine tables and the schema, one with every run
		res := runCheck(t, db, c)
		want(t, res, health.OK, "1 table of 10")
		if first := strings.Contains(res.Reason, "first round"); first != (i < 9) {
			t.Errorf("run %d: %q", i, res.Reason)
		}
	}
	want(t, runCheck(t, db, c), health.OK, "the last full round ended")
	all := builtin(t, health.Config{WholeCheckBytes: -1}, health.QuickCheck)
	want(t, runCheck(t, db, all), health.OK, "10 tables of 10")
	want(t, run(t, db, health.Config{}, health.QuickCheck), health.OK, "quick_check passed in")
}

// The last table of the round runs into the timeout. It must not be taken for
// checked, neither by the next run nor by those after it.
func TestATableThatRanIntoTheTimeoutStaysUncheckedUntilItIsChecked(t *testing.T) {
	db := open(t, pool.Config{})
	exec(t, db, `CREATE TABLE a (x); CREATE TABLE z (x TEXT UNIQUE);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200000) INSERT INTO z SELECT hex(randomblob(20)) FROM n`)
	c := builtin(t, health.Config{WholeCheckBytes: -1}, health.IntegrityCheck)
	stop := func() {
		t.Helper()
		for timeout := 10 * time.Millisecond; ; timeout *= 2 {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			res := c.Run(ctx, db)
			cancel()
			if res.Status != health.Failed {
				t.Fatalf("within %s: %+v", timeout, res)
			}
			if strings.Contains(res.Reason, "table z:") {
				return
			}
		}
	}
	stop()
	// One table with each run from here on: the round begins anew, and is a
	// full one only when it has come through z.
	stop()
	want(t, runCheck(t, db, c), health.OK, "passed for 3 tables of 3")

	c = builtin(t, health.Config{WholeCheckBytes: -1, QuickCheckBudget: 1}, health.QuickCheck)
	runCheck(t, db, c) // a
	runCheck(t, db, c) // sqlite_schema
	stop()
	want(t, runCheck(t, db, c), health.Degraded, "1 table of 3", "first round", "unchecked", "z") // a
	want(t, runCheck(t, db, c), health.Degraded, "unchecked")                                     // sqlite_schema
	want(t, runCheck(t, db, c), health.OK, "1 table of 3")                                        // z
	want(t, runCheck(t, db, c), health.OK, "the last full round ended")

	runCheck(t, db, c)
	stop()
	exec(t, db, "DROP TABLE z")
	want(t, runCheck(t, db, c), health.OK)
}

// One goroutine drops tables and makes them again while a check lists them and
// looks at them, with a schema that never stays as it was read.
func TestASchemaThatChangesMeanwhileIsNoFinding(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  health.Config
	}{
		{health.QuickCheck, health.Config{WholeCheckBytes: -1}}, {health.QuickCheck, health.Config{}},
		{health.IntegrityCheck, health.Config{WholeCheckBytes: -1}}, {health.ForeignKeys, health.Config{}}, {health.FreshRead, health.Config{}},
	} {
		t.Run(fmt.Sprintf("%s, %d", c.name, c.cfg.WholeCheckBytes), func(t *testing.T) {
			db := open(t, pool.Config{})
			const tables = 60
			var create strings.Builder
			for i := range tables {
				fmt.Fprintf(&create, "CREATE TABLE t%02d (id INTEGER PRIMARY KEY, x REFERENCES t%02d);", i, (i+1)%tables)
			}
			exec(t, db, create.String())
			check := builtin(t, c.cfg, c.name)
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					name := fmt.Sprintf("t%02d", tables-1-i%tables)
					err := db.WithWriter(t.Context(), func(ctx context.Context, w *sqlite.Conn) error {
						if err := w.Exec(ctx, "DROP TABLE "+name); err != nil {
							return err
						}
						return w.Exec(ctx, "CREATE TABLE "+name+" (id INTEGER PRIMARY KEY, x)")
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			}()
			for range 30 {
				if res := runCheck(t, db, check); res.Status != health.OK {
					t.Errorf("%+v", res)
					break
				}
			}
			close(stop)
			<-stopped
		})
	}
}

func TestWhatARoundHasFoundIsRememberedUntilTheTableIsSound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db := openAt(t, path, pool.Config{})
	exec(t, db, "CREATE TABLE a (id INTEGER PRIMARY KEY);"+fmt.Sprintf(rows, 200)+
		"DROP INDEX item_text; VACUUM; CREATE TABLE z (id INTEGER PRIMARY KEY);")
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A sound page in the wrong place: it can be deleted, unlike a zeroed one.
	leaf := pageOf(t, path, "item")
	overwrite(t, path, leaf, leaf+1)

	db = openAt(t, path, pool.Config{})
	c := builtin(t, health.Config{WholeCheckBytes: -1, QuickCheckBudget: 1}, health.QuickCheck)
	want(t, runCheck(t, db, c), health.OK) // a
	for range 3 {                          // item, schema, z: one each
		want(t, runCheck(t, db, c), health.Failed, "table item", "out of order")
	}
	exec(t, db, "DELETE FROM item")
	want(t, runCheck(t, db, c), health.Failed, "table item") // a; item has not been looked at again
	want(t, runCheck(t, db, c), health.OK)
}

func TestTheRemedyFitsTheFinding(t *testing.T) {
	const reindex, rows, restore = "REINDEX", "correct the rows", "restore the last verified backup"
	for _, c := range []struct {
		found []string
		want  []string
	}{
		{[]string{"row 7 missing from index item_text"}, []string{reindex}},
		{[]string{"wrong # of entries in index item_text", "non-unique entry in index item_u"}, []string{reindex}},
		{[]string{"NULL value in item.text"}, []string{rows}},
		{[]string{"CHECK constraint failed in item", "row 7 missing from index item_text"}, []string{reindex, rows}},
		{[]string{"row 7 missing from index item_text", "Tree 4 page 12: btreeInitPage() returns error code 11"}, []string{restore}},
		{[]string{"database disk image is malformed (SQLite code 11)"}, []string{restore}},
	} {
		got := health.RemedyFound(c.found)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%q: %q does not say %q", c.found, got, w)
			}
		}
	}
}

func TestNamesThatNeedQuotesAreChecked(t *testing.T) {
	db := open(t, pool.Config{})
	exec(t, db, `CREATE TABLE "it's ""a"" table" (id INTEGER PRIMARY KEY, v);
		CREATE TABLE "12" (k TEXT PRIMARY KEY) WITHOUT ROWID;
		CREATE TABLE "select" (_rowid_ TEXT, v);
		CREATE VIRTUAL TABLE search USING fts5(body);
		INSERT INTO "it's ""a"" table" VALUES (1, 2); INSERT INTO "12" VALUES ('x'); INSERT INTO search VALUES ('some words');`)
	want(t, run(t, db, health.Config{WholeCheckBytes: -1}, health.QuickCheck), health.OK)
	want(t, run(t, db, health.Config{WholeCheckBytes: -1}, health.IntegrityCheck), health.OK)
	want(t, run(t, db, health.Config{}, health.FreshRead), health.OK)
}

func TestOrphansAreCountedByForeignKeyCheck(t *testing.T) {
	db := open(t, pool.Config{})
	exec(t, db, `CREATE TABLE parent (id INTEGER PRIMARY KEY);
		CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent);
		CREATE TABLE note (child INTEGER PRIMARY KEY REFERENCES child) WITHOUT ROWID;
		INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1);`)
	want(t, run(t, db, health.Config{}, health.ForeignKeys), health.OK)
	exec(t, db, `PRAGMA foreign_keys = OFF; INSERT INTO child VALUES (2, 5), (3, 6); INSERT INTO note VALUES (9);`)
	res := run(t, db, health.Config{}, health.ForeignKeys)
	want(t, res, health.Failed, "3 rows", "2 rows of child refer to a row of parent", "1 row of note refers to a row of child")
}

func TestAVerifiedBackupStandsForTheNightlyChecks(t *testing.T) {
	db := open(t, pool.Config{})
	exec(t, db, `PRAGMA foreign_keys = OFF; CREATE TABLE parent (id INTEGER PRIMARY KEY);
		CREATE TABLE child (parent INTEGER REFERENCES parent); INSERT INTO child VALUES (5);`)
	for name, c := range map[string]struct {
		backup health.BackupAger
		proved bool
	}{
		"young":               {soundAt{backupAt: backupAt{at: time.Now().Add(-time.Hour), ok: true}}, true},
		"old":                 {soundAt{backupAt: backupAt{at: time.Now().Add(-25 * time.Hour), ok: true}}, false},
		"none":                {soundAt{}, false},
		"from future":         {soundAt{backupAt: backupAt{at: time.Now().Add(time.Hour), ok: true}}, false},
		"unreachable":         {soundAt{backupAt: backupAt{at: time.Now(), ok: true, err: errors.New("no route")}}, false},
		"with broken rows":    {soundAt{backupAt: backupAt{at: time.Now().Add(-time.Hour), ok: true}, broken: true}, false},
		"of unknown contents": {backupAt{at: time.Now().Add(-time.Hour), ok: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := health.Config{Backups: c.backup}
			res := run(t, db, cfg, health.ForeignKeys)
			if c.proved {
				want(t, res, health.OK, "proved by the verified backup")
				want(t, run(t, db, cfg, health.IntegrityCheck), health.OK, "proved by the verified backup")
			} else {
				want(t, res, health.Failed, "1 row")
				want(t, run(t, db, cfg, health.IntegrityCheck), health.OK, "integrity_check passed")
			}
		})
	}
}

// The WAL is emptied by another program while the pool has it open. The
// connections of the pool go on as if nothing had happened.
func TestATruncatedWALIsFoundByAFreshRead(t *testing.T) {
	for _, size := range []int64{0, 4152} { // all of it, and all but the first frame
		for _, mmap := range []int{-1, 0} {
			t.Run(fmt.Sprintf("to %d bytes, mmap %d", size, mmap), func(t *testing.T) {
				db := open(t, pool.Config{MmapBytes: mmap, WALAutocheckpointPages: -1})
				exec(t, db, fmt.Sprintf(rows, 100))
				if _, err := db.Checkpoint(t.Context(), sqlite.Truncate); err != nil {
					t.Fatal(err)
				}
				want(t, run(t, db, health.Config{}, health.FreshRead), health.OK)
				// In the middle of the table: reading its ends does not need these pages.
				exec(t, db, "UPDATE item SET text = 'new' WHERE id BETWEEN 40 AND 45")
				want(t, run(t, db, health.Config{}, health.FreshRead), health.OK)
				if err := os.Truncate(db.Path()+"-wal", size); err != nil {
					t.Fatal(err)
				}
				res := run(t, db, health.Config{}, health.FreshRead)
				want(t, res, health.Failed)
				if !strings.Contains(res.Remedy, "-wal") {
					t.Errorf("remedy %q", res.Remedy)
				}
			})
		}
	}
}

func TestADamagedSchemaIsFoundByAFreshRead(t *testing.T) {
	db := open(t, pool.Config{MmapBytes: -1})
	exec(t, db, fmt.Sprintf(rows, 100))
	if _, err := db.Checkpoint(t.Context(), sqlite.Truncate); err != nil {
		t.Fatal(err)
	}
	// Written through a name of its own: the test must not open the file.
	other := db.Path() + ".other"
	page, err := os.ReadFile(copyOf(t, db.Path(), other))
	if err != nil {
		t.Fatal(err)
	}
	copy(page[100:], make([]byte, 400))
	if err := os.WriteFile(other, page, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, db.Path()); err != nil {
		t.Fatal(err)
	}
	want(t, run(t, db, health.Config{}, health.FreshRead), health.Failed)
}

// copyOf copies a file with another process, which may open it.
func copyOf(t *testing.T, from, to string) string {
	t.Helper()
	command(t, "cp", from, to)
	return to
}

func TestRenamedReplacedAndRemovedFilesAreReported(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells which files are open")
	}
	rename := func(suffix string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.Rename(path+suffix, path+suffix+".moved"); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(suffix string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.Remove(path + suffix); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(suffix string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			copyOf(t, path+suffix, path+".copy")
			if err := os.Rename(path+".copy", path+suffix); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, touch := range map[string]func(*testing.T, string){
		"app.db renamed": rename(""), "app.db removed": remove(""), "app.db replaced": replace(""),
		"app.db-wal renamed": rename("-wal"), "app.db-wal removed": remove("-wal"), "app.db-wal replaced": replace("-wal"),
		"app.db-shm removed": remove("-shm"), "app.db-shm replaced": replace("-shm"),
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, pool.Config{MmapBytes: -1})
			exec(t, db, fmt.Sprintf(rows, 10))
			want(t, run(t, db, health.Config{}, health.FileIdentity), health.OK, "the ones that are open")
			touch(t, db.Path())
			want(t, run(t, db, health.Config{}, health.FileIdentity), health.Failed, strings.Fields(name)[0])
		})
	}
	t.Run("a fresh read does not find the file that was renamed", func(t *testing.T) {
		db := open(t, pool.Config{})
		exec(t, db, fmt.Sprintf(rows, 10))
		rename("")(t, db.Path())
		want(t, run(t, db, health.Config{}, health.FreshRead), health.Failed, "new connection")
		want(t, run(t, db, health.Config{}, health.QuickCheck), health.Failed, "not there")
	})
}

func TestTheFilesMayComeAndGoWithTheConnections(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	for range 2 { // the WAL of the second pool is another file
		db, err := pool.Open(t.Context(), path, pool.Config{})
		if err != nil {
			t.Fatal(err)
		}
		exec(t, db, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY)")
		want(t, run(t, db, health.Config{}, health.FileIdentity), health.OK)
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	db := openAt(t, link, pool.Config{})
	exec(t, db, "INSERT INTO t VALUES (1)")
	for _, name := range []string{health.FileIdentity, health.FreshRead} {
		want(t, run(t, db, health.Config{}, name), health.OK)
	}
	if res := run(t, db, health.Config{}, health.WALSize); strings.Contains(res.Reason, "no WAL") {
		t.Errorf("through a link: %q", res.Reason)
	}
}

// The files of a healthy database change all the time: connections come and
// go, the WAL is emptied, another program opens and closes the file.
func TestABusyDatabaseIsNotTakenForADamagedOne(t *testing.T) {
	db := open(t, pool.Config{IdleTimeout: time.Millisecond, MaxLifetime: 2 * time.Millisecond, JournalSizeLimitBytes: 1})
	exec(t, db, fmt.Sprintf(rows, 50))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	loop := func(fn func() error) {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := fn(); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	loop(func() error {
		return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
			return c.Exec(ctx, "UPDATE item SET text = hex(randomblob(20)) WHERE id = abs(random() % 50)")
		})
	})
	loop(func() error { _, err := db.Checkpoint(ctx, sqlite.Truncate); return err })
	loop(func() error {
		c, err := sqlite.Open(ctx, db.Path(), sqlite.Options{})
		if err != nil {
			return err
		}
		return c.Close()
	})
	names := []string{health.FreshRead, health.FileIdentity, health.QuickCheck, health.WALSize, health.ForeignKeys}
	for range 150 {
		for _, name := range names {
			want(t, run(t, db, health.Config{}, name), health.OK)
		}
	}
	cancel()
	wg.Wait()
}

// With the file mapped, reading what was cut off is a fault that would end the
// process if the engine's callers did not catch it.
func TestATruncatedFileIsFoundAndTheProcessGoesOn(t *testing.T) {
	for _, mmap := range []int{-1, 0} {
		for _, name := range []string{health.QuickCheck, health.FreshRead} {
			t.Run(fmt.Sprintf("mmap %d, %s", mmap, name), func(t *testing.T) {
				db := open(t, pool.Config{MmapBytes: mmap})
				exec(t, db, fmt.Sprintf(rows, 2000))
				if _, err := db.Checkpoint(t.Context(), sqlite.Truncate); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(db.Path(), 40_960); err != nil {
					t.Fatal(err)
				}
				want(t, run(t, db, health.Config{}, name), health.Failed)
			})
		}
	}
}

func TestFaultsOfThePoolAreReportedOnce(t *testing.T) {
	db := open(t, pool.Config{})
	exec(t, db, fmt.Sprintf(rows, 2000))
	if _, err := db.Checkpoint(t.Context(), sqlite.Truncate); err != nil {
		t.Fatal(err)
	}
	c := builtin(t, health.Config{}, health.FreshRead)
	want(t, runCheck(t, db, c), health.OK)
	const all = "SELECT sum(length(text)) FROM item NOT INDEXED"
	hold, err := db.AcquireReader(t.Context()) // maps the file and keeps it mapped
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Release()
	if _, err := hold.QueryInt64(t.Context(), "SELECT count(*) FROM item WHERE id < 5"); err != nil {
		t.Fatal(err)
	}
	size, err := os.Stat(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(db.Path(), 40_960); err != nil {
		t.Fatal(err)
	}
	if _, err := hold.QueryInt64(t.Context(), all); err == nil {
		t.Skip("the file was not mapped")
	}
	hold.Release()
	// Somebody puts the length back; what was in the file is gone.
	if err := os.Truncate(db.Path(), size.Size()); err != nil {
		t.Fatal(err)
	}
	if db.Stat().Faults == 0 {
		t.Skip("the file was not mapped")
	}
	want(t, runCheck(t, db, c), health.Failed, "1 fault in mapped memory")
}

func TestAValueThatIsLongerThanThePoolReadsIsNoDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	wide := openAt(t, path, pool.Config{})
	exec(t, wide, "CREATE TABLE note(body TEXT CHECK (body <> '')); INSERT INTO note VALUES (hex(zeroblob(500000))); CREATE INDEX note_body ON note(body)")
	if err := wide.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	db := openAt(t, path, pool.Config{MaxLengthBytes: 100_000})
	for _, name := range []string{health.QuickCheck, health.IntegrityCheck, health.FreshRead} {
		want(t, run(t, db, health.Config{}, name), health.OK)
	}
}
