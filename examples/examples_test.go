package examples_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/lidodb/lido/internal/codegen/gentest"
)

func TestMain(m *testing.M) {
	gentest.Plugin()
	goleak.VerifyTestMain(m)
}

var update = flag.Bool("update", false, "write the generated code anew")

// configurations are the folders with a sqlc.yaml.
var configurations = []string{".", "fromsqlc/before", "fromsqlc/after"}

// generated are the folders that sqlc writes.
var generated = []string{"authors/db", "booktest/db", "ondeck/db", "fromsqlc/before/db", "fromsqlc/after/db"}

func TestTheGeneratedCodeIsWhatTheConfigurationsGive(t *testing.T) {
	if testing.Short() {
		t.Skip("runs sqlc, which takes minutes to compile")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	for _, g := range generated {
		if err := os.RemoveAll(filepath.Join(dir, g)); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range configurations {
		path := filepath.Join(dir, c, "sqlc.yaml")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for i, line := range lines { // the plugin is this program
			if indent, _, ok := strings.Cut(line, "cmd: "); ok {
				lines[i] = indent + "cmd: '" + self + "'"
			}
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := gentest.Run(t.Context(), filepath.Join(dir, c)); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
	}
	for _, g := range generated {
		got, want := files(t, filepath.Join(dir, g)), files(t, g)
		if *update {
			if err := os.RemoveAll(g); err != nil {
				t.Fatal(err)
			}
			if err := gentest.WriteFiles(g, got); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for name, text := range got {
			if text != want[name] {
				t.Errorf("%s/%s is not what sqlc.yaml gives; run \"go test ./examples -update\"", g, name)
			}
			delete(want, name)
		}
		for name := range want {
			t.Errorf("%s/%s is not generated any more", g, name)
		}
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[filepath.Base(path)] = string(text)
		return err
	})
	if err != nil && !(*update && os.IsNotExist(err)) {
		t.Fatal(err)
	}
	return all
}
