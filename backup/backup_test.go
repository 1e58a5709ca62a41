package backup_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// spy lets a test look into the very snapshot that is being copied.
type spy struct {
	*pool.DB
	conn *sqlite.Conn
}

func (s *spy) OpenConn(ctx context.Context) (c *sqlite.Conn, err error) {
	s.conn, err = s.DB.OpenConn(ctx)
	return s.conn, err
}

// TestBackupUnderWritersIsExactlyItsSnapshot:
//
//	backup                        writers
//	BEGIN, read                   commit after commit
//	copy a few pages
//	hash the rows (same snapshot)
//	wait                          two more commits
//	copy the rest
//	restore, hash: equal
func TestBackupUnderWritersIsExactlyItsSnapshot(t *testing.T) {
	db := openDB(t, newDBPath(t))
	store := backup.NewDirStore(t.TempDir())
	committed := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	writers.Go(func() {
		for ctx.Err() == nil {
			err := db.WithWriter(context.WithoutCancel(ctx), func(ctx context.Context, c *sqlite.Conn) error {
				return c.Exec(ctx, transfer)
			})
			if err != nil {
				t.Error(err)
			}
			select {
			case committed <- struct{}{}:
			default:
			}
		}
	})
	defer writers.Wait()
	defer stop()

	for round := range 5 {
		src := &spy{DB: db}
		want := ""
		cfg := backup.Config{Store: store, StepPages: 20, StepPause: time.Millisecond}
		cfg.Progress = func(p backup.Progress) {
			if p.Phase != backup.PhaseCopy || want != "" {
				return
			}
			want = hashRows(t, src.conn)
			<-committed
			<-committed
		}
		res, err := backup.TakeFrom(t.Context(), src, cfg)
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(t.TempDir(), "restored.db")
		if _, err := backup.Restore(t.Context(), store, res.Manifest.ID, target, backup.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		restored, err := sqlite.Open(t.Context(), target, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := hashRows(t, restored); got != want {
			t.Errorf("round %d: restored rows are not those of the snapshot", round)
		}
		if err := restored.Close(); err != nil {
			t.Error(err)
		}
		if sum := query(t, target, "SELECT sum(amount) FROM posting"); sum != "0" {
			t.Errorf("round %d: the postings sum to %s", round, sum)
		}
	}
}

func TestManifestSaysWhatTheSnapshotWas(t *testing.T) {
	path := newDBPath(t)
	db := openDB(t, path)
	before := time.Now()
	dir := t.TempDir()
	m := take(t, db, fast(backup.NewDirStore(dir)))
	d := m.Database
	if d.Name != "books.db" || d.Source != "books.db" || d.ApplicationID != 1818846319 || d.UserVersion != 3 {
		t.Errorf("database: %+v", d)
	}
	if d.Migration == nil || d.Migration.Version != 7 {
		t.Errorf("migration: %+v", d.Migration)
	}
	for _, at := range []time.Time{m.Times.Started, m.Times.Snapshot, m.Times.Copied, m.Times.Verified} {
		if at.Before(before) || at.After(time.Now()) {
			t.Errorf("times: %+v", m.Times)
		}
		before = at
	}
	if m.Tools.SQLite != sqlite.Version() || m.Tools.Go == "" {
		t.Errorf("tools: %+v", m.Tools)
	}
	var sums []byte
	target := filepath.Join(t.TempDir(), "restored.db")
	if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), m.ID, target, backup.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	plain, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	for page := range slices.Chunk(plain, int(d.PageSize)) {
		sum := backup.PageSum(page)
		sums = append(sums, sum[:]...)
	}
	if got := read(t, backup.NewDirStore(dir), m.Checksums.Name); got != string(sums) {
		t.Error("the page checksums are not those of the pages")
	}
	absent(t, path+backup.ScratchSuffix, target+backup.ScratchSuffix)
}

func TestBackupsOfOneDatabaseShareItsIdentity(t *testing.T) {
	store := backup.NewDirStore(t.TempDir())
	db := openDB(t, newDBPath(t))
	one, two := take(t, db, fast(store)), take(t, db, fast(store))
	cfg := fast(store)
	cfg.Name = "other"
	other := take(t, db, cfg)
	if one.Database.ID != two.Database.ID || one.Database.ID == other.Database.ID {
		t.Errorf("ids: %s, %s and %s", one.Database.ID, two.Database.ID, other.Database.ID)
	}
	if one.Sequence != 1 || two.Sequence != 2 || other.Sequence != 3 {
		t.Errorf("sequence: %d %d %d", one.Sequence, two.Sequence, other.Sequence)
	}
}

func TestEmptyDatabaseCanBeBackedUp(t *testing.T) {
	db, err := pool.Open(t.Context(), newDBPath(t), pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	store := backup.NewDirStore(t.TempDir())
	if m := take(t, db, fast(store)); m.Database.Migration != nil {
		t.Errorf("migration of an empty database: %+v", m.Database.Migration)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A copy that would rest for an hour between steps ends at once when the time
// for pacing is over, or the WAL has grown.
func TestCopyStopsRestingPastItsBounds(t *testing.T) {
	db := openDB(t, newDBPath(t))
	for name, cfg := range map[string]backup.Config{
		"time": {PaceTimeout: time.Nanosecond},
		"wal":  {PaceWALBytes: -1},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Store, cfg.StepPages, cfg.StepPause = backup.NewDirStore(t.TempDir()), 1, time.Hour
			take(t, db, cfg)
		})
	}
}

// phases are those of a backup in which something can still be cancelled.
var phases = []backup.Phase{backup.PhaseLock, backup.PhaseCopy, backup.PhasePack, backup.PhaseRead, backup.PhaseCheck, backup.PhasePublish}

func TestCancelledBackupLeavesNothing(t *testing.T) {
	path := newDBPath(t)
	db := openDB(t, path)
	store := backup.NewDirStore(t.TempDir())
	for _, phase := range phases {
		t.Run(string(phase), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg := fast(store)
			cfg.StepPages, cfg.StepPause = 1, time.Hour
			cfg.PaceTimeout = time.Nanosecond
			if phase == backup.PhaseCopy {
				cfg.PaceTimeout = time.Hour // cancelled while it rests
			}
			cfg.Progress = func(p backup.Progress) {
				if p.Phase == phase {
					cancel()
				}
			}
			if _, err := backup.Take(ctx, db, cfg); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if got := names(t, store); len(got) != 0 {
				t.Errorf("left %v", got)
			}
			absent(t, path+backup.ScratchSuffix)
		})
	}
	take(t, db, fast(store)) // and the lock is free
}

// failing is a store whose n-th call of one kind fails.
type failing struct {
	backup.Store
	puts int
}

var errStore = errors.New("the store has failed")

func (f *failing) Put(ctx context.Context, name string, r io.Reader) error {
	if f.puts--; f.puts == 0 {
		return errStore
	}
	return f.Store.Put(ctx, name, r)
}

func TestFailedStoreLeavesNothingThatCounts(t *testing.T) {
	path := newDBPath(t)
	db := openDB(t, path)
	for n := 1; n <= 3; n++ {
		inner := backup.NewDirStore(t.TempDir())
		if _, err := backup.Take(t.Context(), db, fast(&failing{Store: inner, puts: n})); !errors.Is(err, errStore) {
			t.Errorf("put %d: %v", n, err)
		}
		if got := names(t, inner); len(got) != 0 {
			t.Errorf("put %d: left %v", n, got)
		}
		absent(t, path+backup.ScratchSuffix)
	}
}

// lossy is a store that changes what it is given, as a bad disk does.
type lossy struct{ *backup.DirStore }

func (l lossy) Put(ctx context.Context, name string, r io.Reader) error {
	if err := l.DirStore.Put(ctx, name, r); err != nil || !strings.HasSuffix(name, backup.ArtifactSuffix) {
		return err
	}
	path := filepath.Join(l.Dir(), name)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 1
	return os.WriteFile(path, data, 0o600)
}

func TestProofReadsWhatWasPublished(t *testing.T) {
	db := openDB(t, newDBPath(t))
	store := lossy{backup.NewDirStore(t.TempDir())}
	if _, err := backup.Take(t.Context(), db, fast(store)); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("a backup that the store has damaged: %v", err)
	}
	if got := names(t, store); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

// TestKilledBackupIsSweptByTheNext:
//
//	this process     another process
//	                 backup, up to some phase
//	kill -9
//	backup: sweeps what the other left
func TestKilledBackupIsSweptByTheNext(t *testing.T) {
	for _, phase := range phases[1:] {
		t.Run(string(phase), func(t *testing.T) {
			path, dir := newDBPath(t), t.TempDir()
			store := backup.NewDirStore(dir)
			p := startHelper(t, "backup", dir, path, string(phase))
			p.expect(t, string(phase))
			p.kill(t)
			if left, err := os.ReadDir(path + backup.ScratchSuffix); err != nil || len(left) == 0 {
				t.Fatalf("the killed process left nothing to sweep: %v %v", left, err)
			}
			if _, ok, err := lastOf(t, store); ok || err != nil {
				t.Errorf("half a backup counts: %v %v", ok, err)
			}
			m := take(t, openDB(t, path), fast(store))
			if got := names(t, store); len(got) != 3 || !strings.HasPrefix(got[0], m.ID) {
				t.Errorf("left %v", got)
			}
			absent(t, path+backup.ScratchSuffix)
		})
	}
}

func lastOf(t *testing.T, store backup.Store) (id string, ok bool, err error) {
	entries, err := backup.List(t.Context(), store)
	for _, e := range entries {
		if e.Err == nil {
			return e.ID, true, err
		}
	}
	return "", false, err
}

func TestScratchOfARunningProcessIsNotSwept(t *testing.T) {
	base := filepath.Join(t.TempDir(), "scratch")
	alive, err := backup.NewRun(base)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := backup.NewRun(base)
	if err != nil {
		t.Fatal(err)
	}
	dead.Abandon()
	if err := os.Mkdir(filepath.Join(base, "run-0123456789abcdef"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := backup.SweepRun(base); err != nil {
		t.Fatal(err)
	}
	absent(t, dead.Dir(), dead.Dir()+".lock", filepath.Join(base, "run-0123456789abcdef"))
	info, err := os.Stat(alive.Dir())
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of a living run: %v %v", info, err)
	}
	if err := alive.Close(); err != nil {
		t.Error(err)
	}
	absent(t, base)
}

func TestABackupCarriesValuesThatAreLongerThanThePoolReads(t *testing.T) {
	path := newDBPath(t)
	wide := openDB(t, path)
	execSQL(t, wide, "CREATE TABLE note(body TEXT CHECK (body <> '')); INSERT INTO note VALUES (hex(zeroblob(500000))); CREATE INDEX note_body ON note(body)")
	if err := wide.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := pool.Open(t.Context(), path, pool.Config{MaxLengthBytes: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	store := backup.NewDirStore(t.TempDir())
	take(t, db, fast(store))
	target := filepath.Join(t.TempDir(), "restored.db")
	if _, err := backup.Restore(t.Context(), store, "", target, backup.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := query(t, target, "SELECT length(body) FROM note"); got != "1000000" {
		t.Error(got)
	}
}

func TestADatabaseThatIsOpenExclusivelyIsBackedUp(t *testing.T) {
	db, err := pool.Open(t.Context(), newDBPath(t), pool.Config{Exclusive: true})
	if err != nil {
		t.Skip(err) // it needs unix
	}
	t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	execSQL(t, db, "BEGIN;"+schema+"COMMIT;")
	store := backup.NewDirStore(t.TempDir())
	take(t, db, fast(store))
	target := filepath.Join(t.TempDir(), "restored.db")
	if _, err := backup.Restore(t.Context(), store, "", target, backup.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := query(t, target, "SELECT count(*) FROM posting"); got != "6000" {
		t.Error(got)
	}
	if _, err := backup.Restore(t.Context(), store, "", db.Path(), backup.RestoreOptions{Overwrite: true}); err == nil {
		t.Error("the database was overwritten under its pool")
	}
}
