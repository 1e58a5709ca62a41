package backup_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/lidodb/lido/backup"
)

// forge publishes what somebody made who knows the format: every hash fits.
func forge(t *testing.T, plain, artifact []byte, change func(*backup.Manifest)) (dir string, m *backup.Manifest) {
	t.Helper()
	hash := func(data []byte) string {
		sum := sha256.Sum256(data)
		return hex.EncodeToString(sum[:])
	}
	var sums []byte
	for at := 0; at+4096 <= len(plain); at += 4096 {
		sum := backup.PageSum(plain[at : at+4096])
		sums = append(sums, sum[:]...)
	}
	m = sampleManifest(1, "books.db", time.Now())
	m.Database.PageCount = int64(len(plain) / 4096)
	m.Plain = backup.PlainInfo{Bytes: int64(len(plain)), SHA256: hash(plain)}
	m.Artifact.Bytes, m.Artifact.SHA256 = int64(len(artifact)), hash(artifact)
	m.Checksums.Bytes, m.Checksums.SHA256 = int64(len(sums)), hash(sums)
	if change != nil {
		change(m)
	}
	dir = t.TempDir()
	s := backup.NewDirStore(dir)
	put(t, s, m.Artifact.Name, string(artifact))
	put(t, s, m.Checksums.Name, string(sums))
	put(t, s, m.ID+backup.ManifestSuffix, string(encode(t, m)))
	return dir, m
}

func compress(t *testing.T, plain []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	enc, err := zstd.NewWriter(&out, append([]zstd.EOption{zstd.WithEncoderConcurrency(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	// Flushed half way: otherwise a small stream says how long it is and needs
	// no window.
	half := len(plain) / 2
	if _, err := enc.Write(plain[:half]); err != nil {
		t.Fatal(err)
	}
	if err := enc.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := enc.Write(plain[half:]); err != nil {
		t.Fatal(err)
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// noise is data that looks like nothing.
func noise(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

func TestForgedBackupIsRefused(t *testing.T) {
	plain := noise(8 * 4096)
	t.Run("not a database", func(t *testing.T) {
		dir, m := forge(t, plain, compress(t, plain), nil)
		refuse(t, dir, m.ID, backup.ErrDamaged)
	})
	t.Run("not compressed", func(t *testing.T) {
		dir, m := forge(t, plain, plain, nil)
		refuse(t, dir, m.ID, backup.ErrDamaged)
	})
	t.Run("more inside than it says", func(t *testing.T) {
		dir, m := forge(t, plain, compress(t, append(bytes.Clone(plain), make([]byte, 256<<20)...)), nil)
		refuse(t, dir, m.ID, backup.ErrDamaged)
	})
	t.Run("less inside than it says", func(t *testing.T) {
		dir, m := forge(t, plain, compress(t, plain[:4096]), nil)
		refuse(t, dir, m.ID, backup.ErrDamaged)
	})
	t.Run("a second frame", func(t *testing.T) {
		dir, m := forge(t, plain, append(compress(t, plain), compress(t, plain)...), nil)
		refuse(t, dir, m.ID, backup.ErrDamaged)
	})
	t.Run("a window that takes all memory", func(t *testing.T) {
		dir, good := newBackup(t) // sound in every other way
		plain := plainOf(t, dir, good.ID)
		dir, m := forge(t, plain, compress(t, plain, zstd.WithWindowSize(1<<29)),
			func(m *backup.Manifest) { m.Database = good.Database })
		refuse(t, dir, m.ID, backup.ErrDamaged)
	})
	t.Run("larger than allowed", func(t *testing.T) {
		dir, m := forge(t, plain, compress(t, plain), func(m *backup.Manifest) {
			m.Database.PageCount = 1 << 31
			m.Plain.Bytes = m.Database.PageCount * m.Database.PageSize
			m.Checksums.Bytes = m.Database.PageCount * 8
		})
		refuse(t, dir, m.ID, backup.ErrLimit)
	})
}

func TestProofThatTakesTooLongIsRefused(t *testing.T) {
	dir, m := newBackup(t)
	for name, limits := range map[string]backup.Limits{
		"time": {Timeout: time.Nanosecond},
		"size": {MaxBytes: 4096},
	} {
		_, err := backup.Verify(t.Context(), backup.NewDirStore(dir), m.ID, backup.VerifyOptions{ScratchDir: t.TempDir(), Limits: limits})
		if !errors.Is(err, backup.ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// plainOf returns the database inside a backup.
func plainOf(t *testing.T, dir, id string) []byte {
	t.Helper()
	target := filepath.Join(t.TempDir(), "plain.db")
	if _, err := backup.Restore(t.Context(), backup.NewDirStore(dir), id, target, backup.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestManifestThatDoesNotFitTheDatabaseIsRefused(t *testing.T) {
	dir, good := newBackup(t)
	plain := plainOf(t, dir, good.ID)
	for check, change := range map[string]func(*backup.Manifest){
		"":                  func(*backup.Manifest) {},
		"artifact sha256":   func(m *backup.Manifest) { m.Artifact.SHA256 = strings.Repeat("0", 64) },
		"plain sha256":      func(m *backup.Manifest) { m.Plain.SHA256 = strings.Repeat("0", 64) },
		"page checksums":    func(m *backup.Manifest) { m.Checksums.SHA256 = strings.Repeat("0", 64) },
		"identity":          func(m *backup.Manifest) { m.Database.UserVersion++ },
		"schema hash":       func(m *backup.Manifest) { m.Database.SchemaSHA256 = strings.Repeat("0", 64) },
		"migration version": func(m *backup.Manifest) { m.Database.Migration.Version++ },
		"foreign_key_check": func(m *backup.Manifest) { m.Database.ForeignKeyViolations++ },
		"size": func(m *backup.Manifest) {
			m.Database.PageSize, m.Database.PageCount = 2048, 2*m.Database.PageCount
			m.Checksums.Bytes *= 2
		},
	} {
		t.Run(check, func(t *testing.T) {
			dir, m := forge(t, plain, compress(t, plain), func(m *backup.Manifest) {
				db := good.Database
				db.Migration = &backup.Migration{Table: db.Migration.Table, Version: db.Migration.Version}
				m.Database = db
				change(m)
			})
			if check == "size" { // its page checksums are those of other pages
				refuse(t, dir, m.ID, backup.ErrTruncated)
				_, err := backup.Restore(t.Context(), backup.NewDirStore(dir), m.ID, newDBPath(t), backup.RestoreOptions{WithoutPageChecksums: true})
				var damage *backup.DamageError
				if !errors.As(err, &damage) || damage.Check != check {
					t.Errorf("got %v", err)
				}
				return
			}
			err := refusal(t, dir, m.ID)
			var damage *backup.DamageError
			if check == "" && err != nil || check != "" && (!errors.As(err, &damage) || damage.Check != check) {
				t.Errorf("got %v", err)
			}
			if check != "" {
				refuse(t, dir, m.ID, backup.ErrDamaged)
			}
		})
	}
}

func TestDamageInsideADatabaseIsRefused(t *testing.T) {
	dir, good := newBackup(t)
	plain := plainOf(t, dir, good.ID)
	for name, damage := range map[string]func([]byte){
		"a page of zeros": func(b []byte) { clear(b[5*4096 : 6*4096]) },
		"a page of noise": func(b []byte) { copy(b[7*4096:], noise(4096)) },
		"two pages swap": func(b []byte) {
			x := bytes.Clone(b[8*4096 : 9*4096])
			copy(b[8*4096:], b[9*4096:10*4096])
			copy(b[9*4096:], x)
		},
		"a schema of junk": func(b []byte) { copy(b[100:4096], noise(3996)) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := bytes.Clone(plain)
			damage(bad)
			dir, m := forge(t, bad, compress(t, bad), func(m *backup.Manifest) { m.Database = good.Database })
			refuse(t, dir, m.ID, backup.ErrDamaged)
		})
	}
}

func TestDamagedPagesAreNamed(t *testing.T) {
	dir, good := newBackup(t)
	plain := plainOf(t, dir, good.ID)
	bad := bytes.Clone(plain)
	bad[3*4096+17] ^= 1
	dir, m := forge(t, plain, compress(t, bad), func(m *backup.Manifest) { m.Database = good.Database })
	var damage *backup.DamageError
	if err := refusal(t, dir, m.ID); !errors.As(err, &damage) || len(damage.Pages) != 1 || damage.Pages[0] != 4 {
		t.Errorf("got %v", err)
	}
}

func TestLocateFindsWhatAnOperatorMeans(t *testing.T) {
	dir, m := newBackup(t)
	for _, name := range parts(m) {
		if s, id, err := backup.Locate(filepath.Join(dir, name)); err != nil || s.Dir() != dir || id != m.ID {
			t.Errorf("%s: %q %v", name, id, err)
		}
	}
	if _, id, err := backup.Locate(dir); err != nil || id != "" {
		t.Errorf("a folder: %q %v", id, err)
	}
	other := filepath.Join(t.TempDir(), "x.tar")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := backup.Locate(other); !errors.Is(err, backup.ErrForeign) {
		t.Errorf("another file: %v", err)
	}
	if _, _, err := backup.Locate(other + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
