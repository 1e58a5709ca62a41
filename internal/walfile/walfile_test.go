package walfile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/lidodb/lido/internal/walfile"
	"github.com/lidodb/lido/sqlite"
)

// database makes one with commits of a row each in its WAL, and returns copies
// of both files as a machine that stopped would leave them.
func database(t *testing.T, commits int) (main, wal []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	c, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "0"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	run := func(sql string) {
		if err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE TABLE a(b)")
	for range 3 * commits { // an earlier use of the file, which is longer
		run("INSERT INTO a VALUES(1)")
	}
	if _, err := c.Checkpoint(t.Context(), sqlite.Restart); err != nil {
		t.Fatal(err)
	}
	run("DELETE FROM a")
	for i := range commits {
		run(fmt.Sprintf("INSERT INTO a VALUES(%d)", i))
	}
	main, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if wal, err = os.ReadFile(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	return main, wal
}

// rows opens a copy of the files and counts what the engine finds.
func rows(t *testing.T, main, wal []byte) (n int64, damage *walfile.Damage) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	for name, content := range map[string][]byte{path: main, path + "-wal": wal} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damage, err := walfile.Examine(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	c, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err = c.QueryInt64(t.Context(), "SELECT count(*) FROM a"); err != nil {
		t.Fatal(err)
	}
	return n, damage
}

const frameBytes = 24 + 4096

// Whatever bit is flipped: the engine finds all commits, or the examination
// says how many are behind the damage. The last commit is the exception: it
// looks like one that was cut off.
func TestExamine_findsTheCommitsThatRecoveryLeavesOut(t *testing.T) {
	const commits = 12
	main, wal := database(t, commits)
	if n, damage := rows(t, main, wal); n != commits || damage != nil {
		t.Fatal(n, damage)
	}
	used := 32 + (commits+1)*frameBytes
	if used >= len(wal) {
		t.Fatal("nothing is left of the earlier use")
	}
	places := []int{0, 1, 3, 5, 8, 9, 10, 11, 14, 17, 21, 25, 30, 32, 36, 41, 50, 55, 60}
	for range 60 {
		places = append(places, rand.N(used))
	}
	for _, at := range places {
		damaged := append([]byte{}, wal...)
		damaged[at] ^= 1 << rand.N(8)
		n, damage := rows(t, main, damaged)
		switch {
		case n == commits && damage == nil, damage == nil && at >= used-2*frameBytes:
		case damage == nil:
			t.Errorf("byte %d: %d rows, and nothing is found", at, n)
		case damage.Commits == 0 || damage.Commits > commits+1: // and the DELETE
			t.Errorf("byte %d: %d rows, %+v", at, n, damage)
		}
	}
}

// A file that ends in the middle of a frame, or before its first.
func TestExamine_takesACutForACut(t *testing.T) {
	main, wal := database(t, 5)
	for _, length := range []int{0, 10, 32, 100, 32 + 2*frameBytes, 32 + 2*frameBytes + 1000, 32 + 3*frameBytes - 1} {
		if _, damage := rows(t, main, wal[:length]); damage != nil {
			t.Errorf("%d bytes: %+v", length, damage)
		}
	}
	if damage, err := walfile.Examine(filepath.Join(t.TempDir(), "none-wal")); damage != nil || err != nil {
		t.Error(damage, err)
	}
	if damage := examined(t, make([]byte, 40_000)); damage != nil {
		t.Error(damage)
	}
}

// A transaction that did not fit into memory, and was rolled back, leaves
// frames behind those of the next one.
func TestExamine_takesWhatWasRolledBackForThat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	c, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "0"}, {Name: "cache_size", Value: "10"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(t.Context(), `CREATE TABLE a(b); BEGIN;
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300) INSERT INTO a SELECT randomblob(2000) FROM n;
		ROLLBACK; INSERT INTO a VALUES(1)`); err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(path + "-wal")
	if err != nil || len(wal) < 50*frameBytes {
		t.Fatal(len(wal), err)
	}
	if damage := examined(t, wal); damage != nil {
		t.Errorf("%+v", damage)
	}
}

func examined(t *testing.T, wal []byte) *walfile.Damage {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x-wal")
	if err := os.WriteFile(path, wal, 0o600); err != nil {
		t.Fatal(err)
	}
	damage, err := walfile.Examine(path)
	if err != nil {
		t.Fatal(err)
	}
	return damage
}

func FuzzExamine(f *testing.F) {
	f.Add([]byte{0x37, 0x7f, 6, 0x82})
	f.Add(make([]byte, 32+frameBytes))
	f.Fuzz(func(t *testing.T, wal []byte) { examined(t, wal) })
}
