package backup_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido/backup"
)

// plant publishes a backup with the right names and sizes and no content, and
// returns its ID.
func plant(t *testing.T, s backup.Store, seq int64, database string, age time.Duration) string {
	t.Helper()
	m := sampleManifest(seq, database, time.Now().Add(-age))
	m.Database.ID = strings.Repeat(string("0123456789abcdef"[len(database)%16]), 32)
	put(t, s, m.Artifact.Name, strings.Repeat("z", int(m.Artifact.Bytes)))
	put(t, s, m.Checksums.Name, strings.Repeat("p", int(m.Checksums.Bytes)))
	put(t, s, m.ID+backup.ManifestSuffix, string(encode(t, m)))
	return m.ID
}

// complete returns the sequence numbers of the backups that are complete.
func complete(t *testing.T, s backup.Store) []int64 {
	t.Helper()
	entries, err := backup.List(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var seqs []int64
	for _, e := range entries {
		if e.Err == nil {
			seqs = append(seqs, e.Manifest.Sequence)
		}
	}
	return seqs
}

const day = 24 * time.Hour

func TestKeep(t *testing.T) {
	for _, test := range []struct {
		name string
		keep backup.Keep
		want []int64
	}{
		{"count", backup.Keep{Count: 2}, []int64{5, 4}},
		{"age", backup.Keep{Age: 3*day + time.Hour}, []int64{5, 4, 3}},
		{"either rule is enough", backup.Keep{Count: 1, Age: 2*day + time.Hour}, []int64{5, 4}},
		{"either rule is enough, the other way", backup.Keep{Count: 4, Age: day}, []int64{5, 4, 3, 2}},
		{"the newest stays however old", backup.Keep{Age: time.Second}, []int64{5}},
		{"all", backup.Keep{Count: -1}, []int64{5, 4, 3, 2, 1}},
		{"zero keeps fourteen", backup.Keep{}, []int64{5, 4, 3, 2, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := backup.NewDirStore(t.TempDir())
			for seq := range int64(5) {
				plant(t, s, seq+1, "books.db", time.Duration(5-seq)*day)
			}
			res, err := backup.Prune(t.Context(), s, test.keep)
			if err != nil {
				t.Fatal(err)
			}
			if got := complete(t, s); !slices.Equal(got, test.want) {
				t.Errorf("kept %v, want %v", got, test.want)
			}
			if len(res.Removed) != 5-len(test.want) {
				t.Errorf("says it removed %v", res.Removed)
			}
			if got := names(t, s); len(got) != 3*len(test.want) {
				t.Errorf("objects left: %v", got)
			}
		})
	}
}

func TestZeroKeepKeepsFourteen(t *testing.T) {
	s := backup.NewDirStore(t.TempDir())
	for seq := range int64(16) {
		plant(t, s, seq+1, "books.db", day)
	}
	if _, err := backup.Prune(t.Context(), s, backup.Keep{}); err != nil {
		t.Fatal(err)
	}
	if got := complete(t, s); len(got) != 14 || got[13] != 3 {
		t.Errorf("kept %v", got)
	}
}

func TestNegativeAgeIsRefused(t *testing.T) {
	if _, err := backup.Prune(t.Context(), backup.NewDirStore(t.TempDir()), backup.Keep{Age: -1}); err == nil {
		t.Error("accepted")
	}
}

func TestDatabasesOfOneStoreDoNotPushEachOtherOut(t *testing.T) {
	s := backup.NewDirStore(t.TempDir())
	plant(t, s, 1, "rare.db", 300*day)
	for seq := range int64(4) {
		plant(t, s, seq+2, "often.db", day)
	}
	if _, err := backup.Prune(t.Context(), s, backup.Keep{Count: 2}); err != nil {
		t.Fatal(err)
	}
	if got := complete(t, s); !slices.Equal(got, []int64{5, 4, 1}) {
		t.Errorf("kept %v", got)
	}
}

func TestUnfinishedBackupsAreSweptAndStrangersStay(t *testing.T) {
	s := backup.NewDirStore(t.TempDir())
	plant(t, s, 1, "books.db", day)
	orphan := backup.NewID(2, time.Now())
	put(t, s, orphan+backup.ArtifactSuffix, "half")
	put(t, s, "README.txt", "mine")
	put(t, s, "lido-notes.json", "mine too")
	res, err := backup.Prune(t.Context(), s, backup.Keep{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(res.Swept, []string{orphan}) {
		t.Errorf("swept %v", res.Swept)
	}
	if got := names(t, s); len(got) != 5 {
		t.Errorf("left: %v", got)
	}
}

// A damaged backup must not take the place of a good one, and nobody but its
// owner should throw it away.
func TestBrokenBackupsCountForNothingAndStay(t *testing.T) {
	dir := t.TempDir()
	s := backup.NewDirStore(dir)
	plant(t, s, 1, "books.db", 9*day)
	plant(t, s, 2, "books.db", 8*day)
	short := plant(t, s, 3, "books.db", 2*day)
	flipped := plant(t, s, 4, "books.db", day)
	if err := os.Truncate(filepath.Join(dir, short+backup.ArtifactSuffix), 50); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, flipped+backup.ManifestSuffix), []byte(`{"format": "lido-backup"`), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := backup.Prune(t.Context(), s, backup.Keep{Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := complete(t, s); !slices.Equal(got, []int64{2}) {
		t.Errorf("kept %v", got)
	}
	if len(res.Broken) != 2 || res.Broken[0].ID != flipped || !errors.Is(res.Broken[1].Err, backup.ErrTruncated) {
		t.Errorf("broken: %+v", res.Broken)
	}
}

// recorder notes what is removed, in order.
type recorder struct {
	backup.Store
	removed []string
}

func (r *recorder) Remove(ctx context.Context, name string) error {
	r.removed = append(r.removed, name)
	return r.Store.Remove(ctx, name)
}

// The other order would leave a manifest that promises what is gone.
func TestManifestIsTheFirstToGo(t *testing.T) {
	s := &recorder{Store: backup.NewDirStore(t.TempDir())}
	id := plant(t, s, 1, "books.db", 2*day)
	plant(t, s, 2, "books.db", day)
	if _, err := backup.Prune(t.Context(), s, backup.Keep{Count: 1}); err != nil {
		t.Fatal(err)
	}
	if len(s.removed) < 3 || s.removed[0] != id+backup.ManifestSuffix {
		t.Errorf("removed %v", s.removed)
	}
}
