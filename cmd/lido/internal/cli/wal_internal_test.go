package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/sqlite"
)

func TestCheckWAL_findsADamagedFrameBeforeACommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if f := checkWAL(path); f.Status != statusOK || f.Found != "there is no -wal file" {
		t.Error(f)
	}
	c, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(t.Context(), "CREATE TABLE a(b); INSERT INTO a VALUES(1); INSERT INTO a VALUES(2)"); err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if f := checkHeader(path); f.Status != statusOK {
		t.Error(f) // its first page is there
	}
	other := filepath.Join(t.TempDir(), "other.db")
	for flip, want := range map[byte]string{0: statusOK, 8: statusFail} {
		wal[100] ^= flip
		if err := os.WriteFile(other+"-wal", wal, 0o600); err != nil {
			t.Fatal(err)
		}
		wal[100] ^= flip
		f := checkWAL(other)
		if f.Status != want || (flip != 0) != (strings.Contains(f.Found, "damaged at byte 32") && strings.Contains(f.Remedy, "copy")) {
			t.Error(flip, f)
		}
		if err := os.WriteFile(other, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if f := checkHeader(other); f.Status != statusFail || !strings.Contains(f.Found, "truncated") {
			t.Error(f)
		}
	}
}
