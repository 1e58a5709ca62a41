package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/backup"
)

func TestFallback_aDamagedNewestBackupIsNotPassedOverInSilence(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, newDBPath(t))
	one := take(t, db, fast(backup.NewDirStore(dir)))
	two := take(t, db, fast(backup.NewDirStore(dir)))
	flip := func(data []byte) []byte { data[len(data)/2] ^= 1; return data }
	half := func(data []byte) []byte { return data[:len(data)/2] }
	zero := func(data []byte) []byte { return make([]byte, len(data)) }
	for name, damage := range map[string]func(dir string){
		"a flipped bit in the manifest": func(dir string) { edit(t, dir, two.ID+backup.ManifestSuffix, flip) },
		"a zeroed manifest":             func(dir string) { edit(t, dir, two.ID+backup.ManifestSuffix, zero) },
		"a flipped bit in the artifact": func(dir string) { edit(t, dir, two.Artifact.Name, flip) },
		"half an artifact":              func(dir string) { edit(t, dir, two.Artifact.Name, half) },
		"no artifact": func(dir string) {
			if err := os.Remove(filepath.Join(dir, two.Artifact.Name)); err != nil {
				t.Fatal(err)
			}
		},
		"a flipped bit in the page checksums": func(dir string) { edit(t, dir, two.Checksums.Name, flip) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyDir(t, dir)
			damage(dir)
			store, target := backup.NewDirStore(dir), newDBPath(t)
			_, restoreErr := backup.Restore(t.Context(), store, "", target, backup.RestoreOptions{})
			absent(t, target, target+backup.ScratchSuffix)
			_, verifyErr := backup.Verify(t.Context(), store, "", backup.VerifyOptions{})
			for _, err := range []error{restoreErr, verifyErr} {
				if err == nil || !strings.Contains(err.Error(), two.ID) || !strings.Contains(err.Error(), one.ID) {
					t.Errorf("the error does not name both backups: %v", err)
				}
			}
			rep, err := backup.Restore(t.Context(), store, "", target, backup.RestoreOptions{Fallback: true})
			if err != nil || rep.Manifest.ID != one.ID {
				t.Fatalf("fallback took %+v, %v", rep.Manifest, err)
			}
			if len(rep.Skipped) != 1 || rep.Skipped[0].ID != two.ID || rep.Skipped[0].Err == nil {
				t.Errorf("skipped %+v", rep.Skipped)
			}
		})
	}
}

// What has no manifest yet is a backup that is being made.
func TestFallback_anUnfinishedBackupIsNotTheNewest(t *testing.T) {
	dir, m := newBackup(t)
	if err := os.WriteFile(filepath.Join(dir, "lido-0000000002-20260101T000000Z-0123456789abcdef"+backup.ArtifactSuffix), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	rep, err := backup.Verify(t.Context(), backup.NewDirStore(dir), "", backup.VerifyOptions{})
	if err != nil || rep.Manifest.ID != m.ID {
		t.Errorf("%+v, %v", rep.Manifest, err)
	}
}

func TestFallback_noSoundBackupAtAll(t *testing.T) {
	dir, m := newBackup(t)
	edit(t, dir, m.Artifact.Name, func(data []byte) []byte { data[9] ^= 1; return data })
	_, err := backup.Verify(t.Context(), backup.NewDirStore(dir), "", backup.VerifyOptions{Fallback: true})
	if !errors.Is(err, backup.ErrDamaged) || !errors.Is(err, backup.ErrNoBackup) {
		t.Error(err)
	}
}

func TestFallback_aDamagedBackupThatWasNamedNamesTheSoundOne(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, newDBPath(t))
	one := take(t, db, fast(backup.NewDirStore(dir)))
	two := take(t, db, fast(backup.NewDirStore(dir)))
	edit(t, dir, one.Artifact.Name, func(data []byte) []byte { data[9] ^= 1; return data })
	target := newDBPath(t)
	_, err := backup.Restore(t.Context(), backup.NewDirStore(dir), one.ID, target, backup.RestoreOptions{Fallback: true})
	if !errors.Is(err, backup.ErrDamaged) || !strings.Contains(err.Error(), two.ID) {
		t.Error(err)
	}
	absent(t, target, target+backup.ScratchSuffix)
}
