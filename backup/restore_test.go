package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// bystander is a file at the target that no refused restore may touch.
const bystander = "not a database, and still not ours to touch"

// refuse tries to restore and to verify a backup that must be refused, and
// checks that the target stays as it is.
func refuse(t *testing.T, dir, id string, want error) {
	t.Helper()
	store := backup.NewDirStore(dir)
	folder := t.TempDir()
	target := filepath.Join(folder, "target.db")
	if err := os.WriteFile(target, []byte(bystander), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := backup.Restore(t.Context(), store, id, target, backup.RestoreOptions{Overwrite: true})
	if !errors.Is(err, want) {
		t.Errorf("restore: got %v, want %v", err, want)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != bystander {
		t.Errorf("the target was touched: %q %v", data, err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("left beside the target: %v %v", entries, err)
	}
	if _, err := backup.Verify(t.Context(), store, id, backup.VerifyOptions{ScratchDir: filepath.Join(folder, "scratch")}); !errors.Is(err, want) {
		t.Errorf("verify: got %v, want %v", err, want)
	}
	absent(t, filepath.Join(folder, "scratch"))
}

func edit(t *testing.T, dir, name string, change func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func parts(m *backup.Manifest) []string {
	return []string{m.Artifact.Name, m.Checksums.Name, m.ID + backup.ManifestSuffix}
}

func TestFlippedBitAnywhereIsRefused(t *testing.T) {
	dir, m := newBackup(t)
	for _, name := range parts(m) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		const regions = 16
		for n := range int64(regions + 1) {
			at := min(n*info.Size()/regions, info.Size()-1)
			flip := func(data []byte) []byte {
				data[at] ^= 1 << (n % 8)
				return data
			}
			edit(t, dir, name, flip)
			err := refusal(t, dir, m.ID)
			edit(t, dir, name, flip)
			if !errors.Is(err, backup.ErrDamaged) && (name != parts(m)[2] || !refused(err)) {
				t.Errorf("%s, byte %d: %v", name, at, err)
			}
		}
	}
	if err := refusal(t, dir, m.ID); err != nil {
		t.Errorf("the backup itself: %v", err)
	}
	edit(t, dir, m.Artifact.Name, func(data []byte) []byte { data[len(data)/3] ^= 4; return data })
	refuse(t, dir, m.ID, backup.ErrDamaged)
}

// refusal verifies a backup and returns the error.
func refusal(t *testing.T, dir, id string) error {
	t.Helper()
	_, err := backup.Verify(t.Context(), backup.NewDirStore(dir), id, backup.VerifyOptions{ScratchDir: filepath.Join(t.TempDir(), "s")})
	return err
}

func TestTruncatedBackupIsRefused(t *testing.T) {
	dir, m := newBackup(t)
	for _, name := range parts(m) {
		for _, part := range []float64{0, 0.001, 0.5, 0.999} {
			dir := copyDir(t, dir)
			edit(t, dir, name, func(data []byte) []byte { return data[:int(part*float64(len(data)))] })
			want := backup.ErrTruncated
			if name == parts(m)[2] && part == 0.001 { // nothing is left to know it by
				want = backup.ErrForeign
			}
			refuse(t, dir, m.ID, want)
		}
	}
}

func TestLongerBackupIsRefused(t *testing.T) {
	dir, m := newBackup(t)
	for _, name := range parts(m)[:2] {
		dir := copyDir(t, dir)
		edit(t, dir, name, func(data []byte) []byte { return append(data, 0) })
		refuse(t, dir, m.ID, backup.ErrDamaged)
	}
}

func TestIncompleteBackupIsRefused(t *testing.T) {
	dir, m := newBackup(t)
	for i, want := range []error{backup.ErrTruncated, backup.ErrTruncated, backup.ErrNoManifest} {
		dir := copyDir(t, dir)
		if err := os.Remove(filepath.Join(dir, parts(m)[i])); err != nil {
			t.Fatal(err)
		}
		refuse(t, dir, m.ID, want)
		refuse(t, dir, "", backup.ErrNoBackup)
	}
	refuse(t, t.TempDir(), m.ID, backup.ErrNoBackup)
}

func TestSwappedPartsAreRefused(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, newDBPath(t))
	cfg := fast(backup.NewDirStore(dir))
	one := take(t, db, cfg)
	execSQL(t, db, transfer)
	two := take(t, db, cfg)
	for i, name := range parts(one) {
		dir := copyDir(t, dir)
		other := filepath.Join(dir, parts(two)[i])
		data, err := os.ReadFile(other)
		if err != nil {
			t.Fatal(err)
		}
		edit(t, dir, name, func([]byte) []byte { return data })
		if err := refusal(t, dir, one.ID); !refused(err) {
			t.Errorf("%s in the place of %s: %v", parts(two)[i], name, err)
		}
		refuse(t, dir, one.ID, refusalKind(refusal(t, dir, one.ID)))
	}
}

func refusalKind(err error) error {
	for _, kind := range []error{backup.ErrDamaged, backup.ErrTruncated} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return backup.ErrForeign
}

func TestForeignBackupIsRefused(t *testing.T) {
	dir, m := newBackup(t)
	refuse(t, dir, "../"+m.ID, backup.ErrForeign)
	refuse(t, dir, "/etc/passwd", backup.ErrForeign)
	refuse(t, dir, "holiday", backup.ErrForeign)

	_, err := backup.Restore(t.Context(), backup.NewDirStore(dir), m.ID, newDBPath(t), backup.RestoreOptions{Database: "other.db"})
	if !errors.Is(err, backup.ErrForeign) {
		t.Errorf("a backup of another database: %v", err)
	}
	for _, database := range []string{m.Database.ID, "books.db"} {
		if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), m.ID, newDBPath(t), backup.RestoreOptions{Database: database}); err != nil {
			t.Errorf("a backup of %s: %v", database, err)
		}
	}

	edit(t, dir, m.ID+backup.ManifestSuffix, func([]byte) []byte { return []byte(`{"made by": "another program"}`) })
	refuse(t, dir, m.ID, backup.ErrForeign)
}

func TestNewestOfSeveralDatabasesMustBeNamed(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, newDBPath(t))
	cfg := fast(backup.NewDirStore(dir))
	take(t, db, cfg)
	cfg.Name = "other"
	other := take(t, db, cfg)
	refuse(t, dir, "", backup.ErrForeign)
	rep, err := backup.Restore(t.Context(), cfg.Store, "", newDBPath(t), backup.RestoreOptions{Database: "other"})
	if err != nil || rep.Manifest.ID != other.ID {
		t.Errorf("restored %+v, %v", rep.Manifest, err)
	}
}

func TestDamagedPageChecksumsCanBeLeftOut(t *testing.T) {
	dir, m := newBackup(t)
	edit(t, dir, m.Checksums.Name, func(data []byte) []byte { data[9] ^= 1; return data })
	refuse(t, dir, m.ID, backup.ErrDamaged)
	target := newDBPath(t)
	if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), m.ID, target, backup.RestoreOptions{WithoutPageChecksums: true}); err != nil {
		t.Fatal(err)
	}
	if n := query(t, target, "SELECT count(*) FROM posting"); n != "6000" {
		t.Errorf("%s rows", n)
	}
}

func TestRestoreOntoSomethingIsRefused(t *testing.T) {
	dir, m := newBackup(t)
	store := backup.NewDirStore(dir)
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		target := newDBPath(t)
		if err := os.WriteFile(target+suffix, []byte(bystander), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := backup.Restore(t.Context(), store, m.ID, target, backup.RestoreOptions{}); !errors.Is(err, backup.ErrExists) {
			t.Errorf("with %q there: %v", suffix, err)
		}
		if data, err := os.ReadFile(target + suffix); err != nil || string(data) != bystander {
			t.Errorf("%q was touched: %q %v", suffix, data, err)
		}
	}
	if _, err := backup.Restore(t.Context(), store, m.ID, t.TempDir(), backup.RestoreOptions{Overwrite: true}); !errors.Is(err, backup.ErrExists) {
		t.Errorf("onto a folder: %v", err)
	}
	if _, err := backup.Restore(t.Context(), store, m.ID, filepath.Join(t.TempDir(), "no", "x.db"), backup.RestoreOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into a folder that is not there: %v", err)
	}
}

// leaveWAL makes a database at path whose last commits are in its -wal only,
// as a killed program leaves it.
func leaveWAL(t *testing.T, path string) {
	t.Helper()
	src := newDBPath(t)
	c, err := sqlite.Open(t.Context(), src, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(t.Context(), "CREATE TABLE old(x); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO old VALUES (1), (2);"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(src + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+suffix, data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOverwriteReplacesADatabaseWithItsWAL(t *testing.T) {
	dir, m := newBackup(t)
	target := newDBPath(t)
	leaveWAL(t, target)
	if err := os.Chmod(target, 0o640); err != nil {
		t.Fatal(err)
	}
	rep, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", target, backup.RestoreOptions{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Manifest.ID != m.ID {
		t.Errorf("restored %s", rep.Manifest.ID)
	}
	absent(t, target+"-wal", target+"-shm", target+"-journal", target+backup.ScratchSuffix)
	if n := query(t, target, "SELECT count(*) FROM posting"); n != "6000" {
		t.Errorf("%s rows", n)
	}
	info, err := os.Stat(target)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v; it was 0640", info.Mode(), err)
	}
}

func TestOverwriteFollowsALinkToTheDatabase(t *testing.T) {
	dir, _ := newBackup(t)
	target := newDBPath(t)
	leaveWAL(t, target)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", link, backup.RestoreOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if n := query(t, target, "SELECT count(*) FROM posting"); n != "6000" {
		t.Errorf("%s rows", n)
	}
	absent(t, target+"-wal")
}

func TestOverwriteReplacesWhatIsNoDatabase(t *testing.T) {
	dir, _ := newBackup(t)
	whole := newDBPath(t)
	leaveWAL(t, whole)
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"garbage":   []byte(strings.Repeat(bystander, 100)),
		"empty":     {},
		"cut":       data[:len(data)/2+100],
		"bad pages": append(bytes.Clone(data[:4096]), bytes.Repeat([]byte{0xa5}, len(data)-4096)...),
	} {
		target := newDBPath(t)
		leaveWAL(t, target) // a stale -wal would put the old rows over the new file
		for path, content := range map[string][]byte{target: content, target + "-journal": []byte(bystander)} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", target, backup.RestoreOptions{Overwrite: true}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		absent(t, target+"-wal", target+"-shm", target+"-journal")
		if n := query(t, target, "SELECT count(*) FROM posting"); n != "6000" {
			t.Errorf("%s: %s rows", name, n)
		}
	}
}

func TestOverwriteRemovesSidecarsThatAreNoneEither(t *testing.T) {
	dir, _ := newBackup(t)
	target := newDBPath(t)
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.WriteFile(target+suffix, []byte(strings.Repeat(bystander, 2000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", target, backup.RestoreOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	absent(t, target+"-wal", target+"-shm", target+"-journal")
	if n := query(t, target, "SELECT count(*) FROM posting"); n != "6000" {
		t.Errorf("%s rows", n)
	}
}

func TestOverwriteOfADatabaseInUseIsRefused(t *testing.T) {
	dir, m := newBackup(t)
	target := newDBPath(t)
	db := openDB(t, target)
	execSQL(t, db, "INSERT INTO account(name) VALUES ('mine')")
	_, err := backup.Restore(t.Context(), backup.NewDirStore(dir), m.ID, target, backup.RestoreOptions{Overwrite: true})
	if !errors.Is(err, backup.ErrInUse) {
		t.Errorf("got %v", err)
	}
	err = db.WithReader(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		n, err := c.QueryInt64(ctx, "SELECT count(*) FROM account WHERE name = 'mine'")
		if n != 1 {
			t.Errorf("the row is there %d times", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	execSQL(t, db, transfer) // and the pool goes on working
}

func TestOverwriteOfADatabaseInUseByAnotherProcessIsRefused(t *testing.T) {
	dir, m := newBackup(t)
	target := newDBPath(t)
	p := startHelper(t, "backup", t.TempDir(), target, string(backup.PhaseCheck)) // holds the pool open
	p.expect(t, string(backup.PhaseCheck))
	_, err := backup.Restore(t.Context(), backup.NewDirStore(dir), m.ID, target, backup.RestoreOptions{Overwrite: true})
	if !errors.Is(err, backup.ErrInUse) {
		t.Errorf("got %v", err)
	}
	p.kill(t)
	if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), m.ID, target, backup.RestoreOptions{Overwrite: true}); err != nil {
		t.Errorf("after the other has gone: %v", err)
	}
}

func TestCancelledRestoreLeavesTheTargetAlone(t *testing.T) {
	dir, m := newBackup(t)
	target := newDBPath(t)
	for _, phase := range []backup.Phase{backup.PhaseRead, backup.PhaseCheck, backup.PhaseInstall} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := backup.Restore(ctx, backup.NewDirStore(dir), m.ID, target, backup.RestoreOptions{
			Progress: func(p backup.Progress) {
				if p.Phase == phase {
					cancel()
				}
			},
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", phase, err)
		}
		absent(t, target, target+backup.ScratchSuffix)
	}
}

// A restore that is killed leaves the old database, and the next one sweeps.
func TestKilledRestoreLeavesTheOldDatabase(t *testing.T) {
	dir, _ := newBackup(t)
	for _, phase := range []backup.Phase{backup.PhaseRead, backup.PhaseCheck, backup.PhaseInstall} {
		target := newDBPath(t)
		leaveWAL(t, target)
		p := startHelper(t, "restore", dir, target, string(phase))
		p.expect(t, string(phase))
		p.kill(t)
		if n := query(t, target, "SELECT count(*) FROM old"); n != "2" {
			t.Errorf("%s: %s old rows", phase, n)
		}
		if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", target, backup.RestoreOptions{Overwrite: true}); err != nil {
			t.Errorf("%s: %v", phase, err)
		}
		if n := query(t, target, "SELECT count(*) FROM posting"); n != "6000" {
			t.Errorf("%s: %s rows", phase, n)
		}
		absent(t, target+backup.ScratchSuffix)
	}
}

// A restore that is killed at any moment leaves the old database or the new
// one, whole.
func TestRestoreKilledAtRandomLeavesOneOfTheTwo(t *testing.T) {
	dir, _ := newBackup(t)
	fresh := 0
	for round := range 12 {
		target := newDBPath(t)
		leaveWAL(t, target)
		p := startHelper(t, "restore", dir, target, "")
		p.expect(t, "begin")
		<-time.After(time.Duration(round) * 3 * time.Millisecond)
		p.kill(t)
		if ok := query(t, target, "PRAGMA integrity_check"); ok != "ok" {
			t.Fatalf("round %d: %s", round, ok)
		}
		switch tables := query(t, target, "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1)"); tables {
		case "old":
			if n := query(t, target, "SELECT count(*) FROM old"); n != "2" {
				t.Errorf("round %d: %s old rows", round, n)
			}
		case "account,goose_db_version,posting":
			fresh++
			if n := query(t, target, "SELECT count(*) FROM posting"); n != "6000" {
				t.Errorf("round %d: %s new rows", round, n)
			}
		default:
			t.Errorf("round %d: a mixture: %s", round, tables)
		}
	}
	t.Logf("%d of 12 were killed after the change", fresh)
}

// TestRestoreNeverReplacesWhatAppearedMeanwhile:
//
//	restore          somebody else
//	proof
//	                 creates the target
//	refuses
func TestRestoreNeverReplacesWhatAppearedMeanwhile(t *testing.T) {
	dir, m := newBackup(t)
	target := newDBPath(t)
	_, err := backup.Restore(t.Context(), backup.NewDirStore(dir), m.ID, target, backup.RestoreOptions{
		Progress: func(p backup.Progress) {
			if p.Phase == backup.PhaseInstall {
				if err := os.WriteFile(target, []byte(bystander), 0o600); err != nil {
					t.Error(err)
				}
			}
		},
	})
	if !errors.Is(err, backup.ErrExists) {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != bystander {
		t.Errorf("it was touched: %q %v", data, err)
	}
}

func TestVerifyKeepsToAFolderOfItsOwn(t *testing.T) {
	dir, m := newBackup(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	if _, err := backup.Verify(t.Context(), backup.NewDirStore(dir), m.ID, backup.VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(tmp, fmt.Sprintf("lido-verify-%d", os.Getuid()))
	absent(t, base)
	if err := errors.Join(os.Mkdir(base, 0o700), os.Chmod(base, 0o777)); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Verify(t.Context(), backup.NewDirStore(dir), m.ID, backup.VerifyOptions{}); !errors.Is(err, backup.ErrExists) {
		t.Errorf("in a folder that is everybody's: %v", err)
	}
}

func TestRestoredDatabaseIsOneThatThePoolOpens(t *testing.T) {
	dir, _ := newBackup(t)
	target := newDBPath(t)
	if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), "", target, backup.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(target)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	db, err := pool.Open(t.Context(), target, pool.Config{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	execSQL(t, db, transfer)
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
