package health_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// command runs a program, as somebody beside this process would.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := osexec.LookPath(name)
	if err != nil {
		t.Skipf("needs the program %s", name)
	}
	if out, err := osexec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

// backupAt is a BackupAger with an answer.
type backupAt struct {
	at  time.Time
	ok  bool
	err error
}

func (b backupAt) LastVerified(context.Context) (time.Time, bool, error) { return b.at, b.ok, b.err }

// soundAt is a backup in which no row breaks the schema, unless broken is set.
type soundAt struct {
	backupAt
	broken bool
}

func (s soundAt) LastSound(context.Context) (time.Time, bool, error) {
	return s.at, s.ok && !s.broken, s.err
}

func TestTheWriteProbeTakesTheLockOrCountsARecentCommit(t *testing.T) {
	db := open(t, pool.Config{})
	want(t, run(t, db, health.Config{}, health.WriteProbe), health.OK, "lock was had")
	err := db.Write(t.Context(), func(context.Context, lido.Tx) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	want(t, run(t, db, health.Config{}, health.WriteProbe), health.OK, "a commit succeeded")
	// In a bubble the clock begins in the year 2000: that commit is to come.
	c := builtin(t, health.Config{}, health.WriteProbe)
	synctest.Test(t, func(t *testing.T) {
		want(t, runCheck(t, db, c), health.OK, "lock was had")
	})
	before := db.Stat().WALBytes
	want(t, run(t, db, health.Config{RecentCommit: -1}, health.WriteProbe), health.OK, "lock was had")
	if info, err := os.Stat(db.Path() + "-wal"); err != nil || info.Size() != before {
		t.Errorf("the probe wrote to the WAL: %v, %v", info, err)
	}
}

func TestABusyWriterIsDegradedAndNotFailed(t *testing.T) {
	db := open(t, pool.Config{})
	c, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	want(t, run(t, db, health.Config{ProbeWait: time.Millisecond}, health.WriteProbe), health.Degraded, "writer was busy", "1ms")
}

func TestSaturatedReadersAreDegradedAndNotFailed(t *testing.T) {
	db := open(t, pool.Config{MaxReaders: 1})
	c, err := db.AcquireReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	want(t, run(t, db, health.Config{ProbeWait: time.Millisecond}, health.FileIdentity), health.Degraded, "no reader", "1ms")
	want(t, run(t, db, health.Config{}, health.FreshRead), health.OK) // has a connection of its own
	slow := builtin(t, health.Config{Migrations: func(ctx context.Context, db *pool.DB) (int64, int64, error) {
		_, err := db.AcquireReader(ctx)
		return 0, 0, err
	}}, health.MigrationVersion)
	slow.Timeout = time.Millisecond
	want(t, runCheck(t, db, slow), health.Degraded, "in time")
}

func TestALockOfAnotherProgramIsDegradedAndNotFailed(t *testing.T) {
	db := open(t, pool.Config{})
	exec(t, db, "CREATE TABLE t (v)")
	// A connection beside the pool has locks of its own, like a shell.
	other, err := sqlite.Open(t.Context(), db.Path(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Begin(t.Context(), sqlite.Immediate); err != nil {
		t.Fatal(err)
	}
	want(t, run(t, db, health.Config{ProbeWait: 50 * time.Millisecond, RecentCommit: -1}, health.WriteProbe), health.Degraded, "write lock")
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	want(t, run(t, db, health.Config{RecentCommit: -1}, health.WriteProbe), health.OK)
}

func TestAReadOnlyPoolIsNotProbedForWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db := openAt(t, path, pool.Config{})
	exec(t, db, "CREATE TABLE t (v)")
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	db = openAt(t, path, pool.Config{ReadOnly: true})
	want(t, run(t, db, health.Config{}, health.WriteProbe), health.Unknown, "read-only")
	for _, name := range []string{health.FreshRead, health.FileIdentity, health.PoolSaturation, health.QuickCheck, health.ForeignKeys} {
		want(t, run(t, db, health.Config{}, name), health.OK)
	}
}

func TestSaturationIsJudgedByWhatHappenedSinceTheLastLook(t *testing.T) {
	const limit = 100 * time.Millisecond
	base := pool.PoolStat{Max: 4, InUse: 4, AcquireCount: 1000, AcquireWait: time.Hour, CanceledCount: 50}
	for name, c := range map[string]struct {
		change func(*pool.PoolStat)
		want   string
	}{
		"nothing happened":       {func(*pool.PoolStat) {}, ""},
		"quick":                  {func(s *pool.PoolStat) { s.AcquireCount += 100; s.AcquireWait += time.Second }, ""},
		"slow":                   {func(s *pool.PoolStat) { s.AcquireCount += 10; s.AcquireWait += 2 * time.Second }, "waited 200ms"},
		"full, and moving":       {func(s *pool.PoolStat) { s.AcquireCount++; s.Waiting = 3 }, ""},
		"full, and nobody moves": {func(s *pool.PoolStat) { s.Waiting = 3 }, "3 callers"},
		"few gave up":            {func(s *pool.PoolStat) { s.AcquireCount += 1000; s.CanceledCount++ }, ""},
		"many gave up":           {func(s *pool.PoolStat) { s.AcquireCount += 10; s.CanceledCount += 5 }, "5 callers gave up"},
	} {
		now := base
		c.change(&now)
		got := health.JudgeSaturation(base, now, limit)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestWaitingForTheWriterIsSeenAsSaturation(t *testing.T) {
	db := open(t, pool.Config{})
	c := builtin(t, health.Config{AcquireWait: time.Nanosecond}, health.PoolSaturation)
	runCheck(t, db, c)
	held, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		w, err := db.AcquireWriter(context.Background())
		if err == nil {
			w.Release()
		}
		got <- err
	}()
	poll(t, func() bool { return db.Stat().Writer.Waiting == 1 })
	// Two looks closer to each other than a wait that is too long say nothing.
	patient := builtin(t, health.Config{AcquireWait: time.Hour}, health.PoolSaturation)
	for range 2 {
		want(t, runCheck(t, db, patient), health.OK)
	}
	hasty := builtin(t, health.Config{AcquireWait: time.Nanosecond}, health.PoolSaturation)
	runCheck(t, db, hasty)
	want(t, runCheck(t, db, hasty), health.Degraded, "1 caller waiting")
	held.Release()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	want(t, runCheck(t, db, c), health.Degraded, "writer")
	want(t, runCheck(t, db, c), health.OK, "writer: 0 of 1 in use")
}

// poll waits for cond, which something else brings about.
func poll(t *testing.T, cond func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the condition does not hold after a minute")
		}
	}
}

func TestTheSizeOfTheWALIsJudged(t *testing.T) {
	db := open(t, pool.Config{WALAutocheckpointPages: -1})
	exec(t, db, fmt.Sprintf(rows, 100))
	want(t, run(t, db, health.Config{}, health.WALSize), health.OK, "kB")
	want(t, run(t, db, health.Config{WALDegradedBytes: 10_000}, health.WALSize), health.Degraded, "10 kB or more")
	want(t, run(t, db, health.Config{WALDegradedBytes: 10_000, WALFailedBytes: 20_000}, health.WALSize), health.Failed, "20 kB or more")
}

func TestWALSize_readsThatOverlapMakeItGrowAlthoughFramesAreMoved(t *testing.T) {
	// reader 1           writer                reader 2
	//                    300 rows
	// begins
	//                    one row
	//                                          begins
	// ends
	//                    all is moved but for one frame or so
	db := open(t, pool.Config{WALAutocheckpointPages: -1})
	begin := func() *pool.Conn {
		t.Helper()
		c, err := db.AcquireReader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Release)
		if err := c.Exec(t.Context(), "BEGIN; SELECT * FROM item LIMIT 1"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	exec(t, db, fmt.Sprintf(rows, 300))
	begin()
	exec(t, db, "INSERT INTO item(text) VALUES ('one more')")
	if _, err := db.Checkpoint(t.Context(), sqlite.Passive); err != nil {
		t.Fatal(err)
	}
	s := db.Stat()
	if s.WALMoved == s.WALFrames || s.WALMoved < s.WALFrames/2 {
		t.Fatalf("%+v", s)
	}
	want(t, run(t, db, health.Config{WALDegradedBytes: 30_000}, health.WALSize), health.Degraded, "in use", "30 kB or more")
}

func TestWALSize_isFailedWhereWritesWait(t *testing.T) {
	db := open(t, pool.Config{WALMaxBytes: 1 << 20, BusyTimeout: 10 * time.Millisecond})
	exec(t, db, fmt.Sprintf(rows, 1))
	c, err := db.AcquireReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if err := c.Exec(t.Context(), "BEGIN; SELECT * FROM item LIMIT 1"); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "UPDATE item SET text = hex(randomblob(2000000))")
	want(t, run(t, db, health.Config{}, health.WALSize), health.Failed, "writes wait", "WALMaxBytes")
}

func TestALongWALWhoseFramesAreAllInTheDatabaseIsNothingToWorryAbout(t *testing.T) {
	db := open(t, pool.Config{})
	cfg := health.Config{WALDegradedBytes: 1e6, WALFailedBytes: 2e6}
	exec(t, db, fmt.Sprintf(rows, 3000))
	if _, err := db.Checkpoint(t.Context(), sqlite.Passive); err != nil {
		t.Fatal(err)
	}
	want(t, run(t, db, cfg, health.WALSize), health.OK, "MB", "0 bytes of it not yet in the database")

	c, err := db.AcquireReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if err := c.Begin(t.Context(), sqlite.Deferred); err != nil {
		t.Fatal(err)
	}
	if _, err := c.QueryInt64(t.Context(), "SELECT count(*) FROM item"); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "UPDATE item SET text = hex(randomblob(400))")
	want(t, run(t, db, cfg, health.WALSize), health.Failed, "2 MB or more")
	if err := c.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Checkpoint(t.Context(), sqlite.Passive); err != nil {
		t.Fatal(err)
	}
	want(t, run(t, db, cfg, health.WALSize), health.OK, "0 bytes")
}

func TestRoomOnTheDiskIsJudged(t *testing.T) {
	db := open(t, pool.Config{})
	exec(t, db, "CREATE TABLE t (v)")
	dir := filepath.Join(t.TempDir(), "not", "made", "yet")
	for _, name := range []string{health.DiskDatabase, health.DiskBackup} {
		cfg := health.Config{BackupDir: dir, DiskFailedBytes: 1, DiskDegradedBytes: 1}
		if res := run(t, db, cfg, name); res.Status == health.Unknown {
			t.Skip(res.Reason)
		} else {
			want(t, res, health.OK, "are free for the")
		}
		cfg.DiskDegradedBytes = 1 << 61
		want(t, run(t, db, cfg, name), health.Degraded, "less than")
		cfg.DiskFailedBytes = 1 << 61
		want(t, run(t, db, cfg, name), health.Failed, "less than")
	}
	same := run(t, db, health.Config{BackupDir: filepath.Dir(db.Path()), DiskFailedBytes: 1, DiskDegradedBytes: 1}, health.DiskBackup)
	want(t, same, health.OK, "on the device of the database")
	want(t, run(t, db, health.Config{BackupDir: db.Path() + "/below/a/file"}, health.DiskBackup), health.Failed, "cannot measure")
}

func TestTheAgeOfTheLastVerifiedBackupIsJudged(t *testing.T) {
	ago := func(d time.Duration) backupAt { return backupAt{at: time.Now().Add(-d), ok: true} }
	for name, c := range map[string]struct {
		backup backupAt
		status health.Status
		part   string
	}{
		"young":       {ago(time.Hour), health.OK, "1h0m0s ago"},
		"late":        {ago(27 * time.Hour), health.Degraded, "26h0m0s or more"},
		"old":         {ago(100 * time.Hour), health.Failed, "72h0m0s or more"},
		"in future":   {ago(-time.Hour), health.Degraded, "in the future"},
		"none yet":    {backupAt{}, health.Unknown, "no verified backup yet"},
		"unreachable": {backupAt{err: errors.New("no route")}, health.Failed, "no route"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, run(t, nil, health.Config{Backups: c.backup}, health.BackupAge), c.status, c.part)
		})
	}
}

func TestNoBackupAtAllIsDegradedAfterMinutesAndFailedAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := builtin(t, health.Config{Backups: backupAt{}}, health.BackupAge)
		want(t, runCheck(t, nil, c), health.Unknown)
		advance(5 * time.Minute)
		want(t, runCheck(t, nil, c), health.Degraded, "5m0s after the start")
		advance(25*time.Hour - 5*time.Minute)
		want(t, runCheck(t, nil, c), health.Degraded)
		advance(time.Hour)
		want(t, runCheck(t, nil, c), health.Failed, "26h0m0s")
	})
}

func TestTheMigrationVersionIsCompared(t *testing.T) {
	for name, c := range map[string]struct {
		current, wanted int64
		err             error
		status          health.Status
		part            string
	}{
		"same":   {7, 7, nil, health.OK, "migration 7"},
		"behind": {5, 7, nil, health.Failed, "at migration 5, the program needs 7"},
		"ahead":  {9, 7, nil, health.Failed, "newer than the program's 7"},
		"error":  {0, 0, errors.New("no table"), health.Failed, "no table"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := health.Config{Migrations: func(context.Context, *pool.DB) (int64, int64, error) {
				return c.current, c.wanted, c.err
			}}
			want(t, run(t, nil, cfg, health.MigrationVersion), c.status, c.part)
		})
	}
}

func TestTheEngineIsReported(t *testing.T) {
	want(t, run(t, nil, health.Config{}, health.EngineVersion), health.OK, "SQLite "+sqlite.Version())
}

func TestReadyzIsDrainingAsSoonAsThePoolCloses(t *testing.T) {
	let := make(chan struct{})
	m, err := health.New(only(check("slow", func(context.Context) health.Result {
		<-let
		return health.Result{Status: health.OK}
	})))
	if err != nil {
		t.Fatal(err)
	}
	db, err := pool.Open(t.Context(), filepath.Join(t.TempDir(), "app.db"), pool.Config{Services: []pool.Service{m}})
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, m.Handler(), "/readyz", 200, "ok")
	closed := make(chan error, 1)
	go func() { closed <- db.Close(context.Background()) }()
	poll(t, func() bool { return m.State() != health.Ready })
	wantAnswer(t, m.Handler(), "/livez", 200, "ok")
	if w := get(m.Handler(), "/readyz"); w.Code != 503 {
		t.Errorf("readyz while the pool closes: %d %s", w.Code, w.Body)
	}
	close(let)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
}

func TestStartWithoutADatabaseIsRefused(t *testing.T) {
	m, err := health.New(health.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context(), nil); err == nil {
		t.Error("no error")
	}
}
