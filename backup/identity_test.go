package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lidodb/lido/backup"
)

// twoOfOneName returns the paths of x/app.db and y/app.db.
func twoOfOneName(t *testing.T) (x, y string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"x", "y"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "x", "app.db"), filepath.Join(dir, "y", "app.db")
}

func TestIdentity_twoFilesOfOneNameAreNotMixed(t *testing.T) {
	pathX, pathY := twoOfOneName(t)
	x, y := openDB(t, pathX), openDB(t, pathY)
	cfg := fast(backup.NewDirStore(t.TempDir()))
	cfg.Keep = backup.Keep{Count: 1}
	one := take(t, x, cfg)

	_, err := backup.Take(t.Context(), y, cfg)
	if !errors.Is(err, backup.ErrForeign) {
		t.Fatalf("a backup of another app.db: %v", err)
	}
	for _, word := range []string{"x/app.db", "y/app.db", "Config.Name", "--name", "--moved"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the refusal does not say %q: %v", word, err)
		}
	}
	cfg.Name = "y"
	two := take(t, y, cfg)
	take(t, y, cfg)
	if two.Database.ID == one.Database.ID {
		t.Error("the two share an id")
	}
	if got := complete(t, cfg.Store); !slices.Equal(got, []int64{3, 1}) {
		t.Errorf("left: %v", got)
	}
}

func TestIdentity_staysThroughRestartVacuumAndRestore(t *testing.T) {
	path := newDBPath(t)
	store := backup.NewDirStore(t.TempDir())
	var ids []string
	for range 2 {
		db, err := openDatabase(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		execSQL(t, db, "DELETE FROM posting WHERE id % 3 = 0; VACUUM")
		ids = append(ids, take(t, db, fast(store)).Database.ID)
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := backup.Restore(t.Context(), store, "", path, backup.RestoreOptions{Overwrite: true}); err != nil {
			t.Fatal(err)
		}
	}
	ids = append(ids, take(t, openDB(t, path), fast(store)).Database.ID)
	if ids[0] != ids[1] || ids[1] != ids[2] {
		t.Errorf("ids: %v", ids)
	}
}

func TestIdentity_movedContinuesTheHistory(t *testing.T) {
	pathX, pathY := twoOfOneName(t)
	cfg := fast(backup.NewDirStore(t.TempDir()))
	x := openDB(t, pathX)
	one := take(t, x, cfg)
	y := openDB(t, pathY)
	cfg.Moved = true
	two := take(t, y, cfg)
	cfg.Moved = false
	three := take(t, y, cfg) // once is enough
	if one.Database.ID != two.Database.ID || two.Database.ID != three.Database.ID {
		t.Errorf("ids: %s, %s, %s", one.Database.ID, two.Database.ID, three.Database.ID)
	}
	if _, err := backup.Take(t.Context(), x, cfg); !errors.Is(err, backup.ErrForeign) {
		t.Errorf("the file that was left behind is backed up as the one that moved: %v", err)
	}
}

// A manifest of an earlier Lido does not say which file of that name it is of:
// no other database may prune it, and no later backup claims it.
func TestIdentity_backupsWithoutAnOriginStayOnTheirOwn(t *testing.T) {
	cfg := fast(backup.NewDirStore(t.TempDir()))
	cfg.Keep = backup.Keep{Count: 1}
	plant(t, cfg.Store, 1, "books.db", day)
	db := openDB(t, newDBPath(t))
	take(t, db, cfg)
	last := take(t, db, cfg)
	if got := complete(t, cfg.Store); !slices.Equal(got, []int64{3, 1}) {
		t.Errorf("left: %v", got)
	}
	rep, err := backup.Verify(t.Context(), cfg.Store, "", backup.VerifyOptions{Database: "books.db"})
	if err != nil || rep.Manifest.ID != last.ID {
		t.Errorf("the newest is %+v, %v; not %s", rep.Manifest, err, last.ID)
	}
	// Newer than ours: from a Lido that is still in use somewhere.
	plant(t, cfg.Store, 9, "books.db", 0)
	_, err = backup.Verify(t.Context(), cfg.Store, "", backup.VerifyOptions{Database: "books.db"})
	if !errors.Is(err, backup.ErrForeign) || !strings.Contains(err.Error(), last.Database.ID) {
		t.Errorf("two databases of one name: %v", err)
	}
	if rep, err := backup.Verify(t.Context(), cfg.Store, "", backup.VerifyOptions{Database: last.Database.ID}); err != nil || rep.Manifest.ID != last.ID {
		t.Errorf("by id: %v", err)
	}
}

func TestIdentity_aForeignFileWithTheHighestNumberStopsNoBackup(t *testing.T) {
	dir := t.TempDir()
	name := "lido-9999999999-20260101T000000Z-0123456789abcdef"
	for _, suffix := range []string{backup.ManifestSuffix, backup.ArtifactSuffix} {
		if err := os.WriteFile(filepath.Join(dir, name+suffix), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Nor do folders with the names of files of ours.
	for _, path := range []string{".tmp-0123456789abcdef/x", "lido-0000000001-20260101T000000Z-0123456789abcdef.json/x"} {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	db := openDB(t, newDBPath(t))
	cfg := fast(backup.NewDirStore(dir))
	take(t, db, cfg)
	if m := take(t, db, cfg); m.Sequence != 2 {
		t.Errorf("sequence %d", m.Sequence)
	}
	// It may as well be the newest backup, damaged: the reader must be asked.
	_, err := backup.Verify(t.Context(), cfg.Store, "", backup.VerifyOptions{})
	if !errors.Is(err, backup.ErrForeign) || !strings.Contains(err.Error(), name) {
		t.Errorf("verify: %v", err)
	}
}
