package migrate_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lidodb/lido/migrate"
)

func TestCreateNumbersFilesAndWritesOneThatRuns(t *testing.T) {
	dir := t.TempDir()
	first, err := migrate.Create(dir, "Add accounts (again)")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "name", filepath.Base(first), "00001_add_accounts_again.sql")
	second, err := migrate.Create(dir, "balances")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "name", filepath.Base(second), "00002_balances.sql")
	if _, err := migrate.Create(dir, "--"); err == nil {
		t.Error("a name without letters is accepted")
	}
	text, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	db := openNew(t)
	if res := up(t, db, files("00001_a.sql", string(text))); res.To != 1 || !res.Applied[0].Empty {
		t.Errorf("result %+v", res)
	}
}

func TestCreateKeepsToTimestampsWhereTheyAreInUse(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "20240102030405_old.sql"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := migrate.Create(dir, "next")
	if err != nil {
		t.Fatal(err)
	}
	if name := filepath.Base(path); len(name) != len("20240102030405_next.sql") || name < "2024" {
		t.Errorf("name %s", name)
	}
}

func TestCreateAtTheSameTimeGivesEachNameItsNumber(t *testing.T) {
	dir := t.TempDir()
	const count = 20
	var wg sync.WaitGroup
	for i := range count {
		wg.Go(func() {
			if _, err := migrate.Create(dir, "name"+strings.Repeat("x", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	m, err := migrate.New(openNew(t), os.DirFS(dir)) // refuses a number that occurs twice
	if err != nil {
		t.Fatal(err)
	}
	status, err := m.Status(t.Context())
	if err != nil || status.Program != count || len(status.Migrations) != count {
		t.Errorf("%+v, %v", status, err)
	}
}

func TestCreateAtTheSameTimeGivesEachFileItsNumber(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := migrate.Create(dir, "same"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 8 || entries[7].Name() != "00008_same.sql" {
		t.Errorf("%v, %v", entries, err)
	}
}
