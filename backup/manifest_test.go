package backup_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido/backup"
)

// sampleManifest returns a manifest that is valid, and describes nothing.
func sampleManifest(seq int64, database string, snapshot time.Time) *backup.Manifest {
	snapshot = snapshot.Round(0).UTC()
	id := backup.NewID(seq, snapshot)
	sum := strings.Repeat("0123456789abcdef", 4)
	return &backup.Manifest{
		Format: backup.ManifestFormat, Version: backup.ManifestVersion, ID: id, Sequence: seq,
		Database: backup.DatabaseInfo{
			ID: strings.Repeat("ab", 16), Name: database, Source: database,
			PageSize: 4096, PageCount: 3, ApplicationID: -7, UserVersion: 2, SchemaSHA256: sum,
			Migration: &backup.Migration{Table: "goose_db_version", Version: 4},
		},
		Artifact:  backup.ArtifactInfo{Name: id + backup.ArtifactSuffix, Compression: "zstd", Bytes: 100, SHA256: sum},
		Plain:     backup.PlainInfo{Bytes: 3 * 4096, SHA256: sum},
		Checksums: backup.PagesInfo{Name: id + backup.PagesSuffix, Algorithm: "sha256-64", Bytes: 24, SHA256: sum},
		Times:     backup.Times{Started: snapshot, Snapshot: snapshot, Copied: snapshot, Verified: snapshot},
		Tools:     backup.Tools{Lido: "v0", SQLite: "3", SQLiteSource: "x", Go: "go", Platform: "any"},
	}
}

func encode(t testing.TB, m *backup.Manifest) []byte {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// refused reports whether err is one of the refusals that Restore promises.
func refused(err error) bool {
	for _, target := range []error{backup.ErrDamaged, backup.ErrTruncated, backup.ErrForeign, backup.ErrNewer,
		backup.ErrNoManifest, backup.ErrNoBackup, backup.ErrLimit} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func TestManifestSurvivesEncodingAndDecoding(t *testing.T) {
	want := sampleManifest(12, "books.db", time.Now())
	data := encode(t, want)
	if !json.Valid(data) {
		t.Errorf("not JSON:\n%s", data)
	}
	got, err := backup.DecodeManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestManifestWithAnyBitFlippedIsRefused(t *testing.T) {
	data := encode(t, sampleManifest(1, "books.db", time.Now()))
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			if _, err := backup.DecodeManifest(bad); !refused(err) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
	}
}

func TestManifestCutAnywhereIsRefused(t *testing.T) {
	data := encode(t, sampleManifest(1, "books.db", time.Now()))
	for n := range data {
		if _, err := backup.DecodeManifest(data[:n]); !refused(err) {
			t.Fatalf("%d of %d bytes: %v", n, len(data), err)
		}
	}
	if _, err := backup.DecodeManifest(data[:len(data)-40]); !errors.Is(err, backup.ErrTruncated) {
		t.Errorf("a short manifest: %v", err)
	}
}

func TestManifestThatContradictsItselfIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, old, new string
		want           error
	}{
		{"another format", `"lido-backup"`, `"tar"`, backup.ErrForeign},
		{"a newer version", `"version": 1`, `"version": 2`, backup.ErrNewer},
		{"no version", `"version": 1`, `"version": 0`, backup.ErrDamaged},
		{"a newer compression", `"zstd"`, `"zpaq"`, backup.ErrNewer},
		{"encryption", `"encryption": ""`, `"encryption": "age"`, backup.ErrNewer},
		{"an id that is a path", `"id": "lido-`, `"id": "../../`, backup.ErrDamaged},
		{"an artifact elsewhere", `"artifact": {` + "\n    " + `"name": "`, `"artifact": {"name": "../`, backup.ErrDamaged},
		{"checksums elsewhere", `"page_checksums": {` + "\n    " + `"name": "`, `"page_checksums": {"name": "/etc/`, backup.ErrDamaged},
		{"a name that is a path", `"name": "books.db"`, `"name": "../books.db"`, backup.ErrDamaged},
		{"another sequence", `"sequence": 1`, `"sequence": 2`, backup.ErrDamaged},
		{"an odd page size", `"page_size": 4096`, `"page_size": 4095`, backup.ErrDamaged},
		{"no pages", `"page_count": 3`, `"page_count": 0`, backup.ErrDamaged},
		{"pages that overflow", `"page_count": 3`, `"page_count": 9007199254740993`, backup.ErrDamaged},
		{"another size", `"bytes": 12288`, `"bytes": 12289`, backup.ErrDamaged},
		{"too few checksums", `"bytes": 24`, `"bytes": 16`, backup.ErrDamaged},
		{"an empty artifact", `"bytes": 100`, `"bytes": 0`, backup.ErrDamaged},
		{"no number", `"bytes": 100`, `"bytes": "100"`, backup.ErrDamaged},
		{"a table with a NUL", `"goose_db_version"`, `"goose\u0000"`, backup.ErrDamaged},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := string(encode(t, sampleManifest(1, "books.db", time.Now())))
			changed := strings.Replace(data, test.old, test.new, 1)
			if changed == data {
				t.Fatalf("%q is not in the manifest:\n%s", test.old, data)
			}
			if _, err := backup.DecodeManifest(backup.Reseal([]byte(changed))); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestManifestWithUnknownFieldsIsRead(t *testing.T) {
	data := string(encode(t, sampleManifest(1, "books.db", time.Now())))
	data = strings.Replace(data, `"sequence": 1`, `"sequence": 1, "later": {"x": [1]}`, 1)
	if _, err := backup.DecodeManifest(backup.Reseal([]byte(data))); err != nil {
		t.Error(err)
	}
}

func TestManifestTooLargeIsRefused(t *testing.T) {
	if _, err := backup.DecodeManifest(make([]byte, backup.MaxManifest+1)); !errors.Is(err, backup.ErrForeign) {
		t.Error(err)
	}
}

func TestNamesAreExactlyThoseThatLidoGives(t *testing.T) {
	id := backup.NewID(42, time.Now())
	if seq, ok := backup.ParseID(id); !ok || seq != 42 {
		t.Errorf("%s: %d %v", id, seq, ok)
	}
	for _, bad := range []string{"", "lido-", id + "x", id[1:], strings.ToUpper(id), strings.Replace(id, "0000000042", "0000000000", 1),
		strings.Replace(id, "0000000042", "+000000042", 1), "../" + id[3:], strings.Replace(id, "T", "/", 1)} {
		if _, ok := backup.ParseID(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzDecodeManifest(f *testing.F) {
	data, err := sampleManifest(3, "books.db", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("{}"))
	f.Add([]byte(`{"format": "lido-backup", "version": 1`))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Once as it is, once with a checksum that fits: otherwise hardly
		// anything would get past it.
		for _, data := range [][]byte{data, backup.Reseal(data)} {
			m, err := backup.DecodeManifest(data)
			if err != nil {
				if !refused(err) {
					t.Fatalf("an error of no kind: %v", err)
				}
				continue
			}
			if strings.ContainsAny(m.Artifact.Name+m.Checksums.Name+m.Database.Name+m.Database.Source, "/\\\x00") {
				t.Fatalf("a name that is a path: %+v", m)
			}
			again, err := m.Encode()
			if err != nil {
				t.Fatalf("accepted, and cannot be written: %v", err)
			}
			if n, err := backup.DecodeManifest(again); err != nil || n.ID != m.ID || n.Plain != m.Plain {
				t.Fatalf("changes when written again: %v", err)
			}
		}
	})
}
