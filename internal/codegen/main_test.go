package codegen_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/lidodb/lido/internal/codegen"
)

// The test binary is also the plugin that sqlc starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == codegen.Method {
		os.Exit(codegen.RunPlugin(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// root is the folder of go.mod, as seen from this package.
var root = filepath.Join("..", "..")

// sqlcBinary is sqlc as "go generate" builds it: from go.mod, without cgo, into
// bin/. Linked into the tests it would be built with them, race detector, cgo
// and all. The first build takes some minutes.
var sqlcBinary = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "run", "./internal/generate", "version")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build sqlc: %w\n%s", err, out)
	}
	lines := strings.Fields(string(out))
	name := "sqlc-" + lines[len(lines)-1]
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Abs(filepath.Join(root, "bin", name))
})

// sqlc runs sqlc in dir and returns what it complained about.
func sqlc(t testing.TB, dir string, args ...string) (stderr string, ok bool) {
	t.Helper()
	path, err := sqlcBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err = cmd.Run()
	return errs.String(), err == nil
}

// project is a folder with a schema, queries and a configuration.
type project struct {
	dir string
	// what goes into the configuration
	schema, queries any
	sqlcOptions     map[string]any // for sqlc's own generator; nil leaves it out
	options         map[string]any // for the plugin
	database        bool           // have sqlc ask an engine too
	command         string         // of the plugin; this program if empty
}

// newProject writes files into a new folder.
func newProject(t testing.TB, files map[string]string) *project {
	t.Helper()
	p := &project{dir: t.TempDir(), schema: "schema.sql", queries: "query.sql", database: true}
	for name, text := range files {
		write(t, filepath.Join(p.dir, name), text)
	}
	return p
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// generate runs sqlc on the project.
func (p *project) generate(t testing.TB) (stderr string, ok bool) {
	t.Helper()
	return configure(t, p.dir, p.command, p.entry(""))
}

// entry is the project's entry under "sql", with its paths below folder.
func (p *project) entry(folder string) map[string]any {
	options := map[string]any{"package": "gen"}
	for k, v := range p.options {
		options[k] = v
	}
	set := map[string]any{
		"engine": "sqlite", "schema": below(folder, p.schema), "queries": below(folder, p.queries),
		"codegen": []any{map[string]any{"plugin": "lido", "out": below(folder, "gen"), "options": options}},
	}
	if p.database {
		set["database"] = map[string]any{"uri": ":memory:"}
	}
	if p.sqlcOptions != nil {
		own := map[string]any{"package": "gen", "out": below(folder, "sqlcgen")}
		for k, v := range p.sqlcOptions {
			own[k] = v
		}
		set["gen"] = map[string]any{"go": own}
	}
	return set
}

func below(folder string, paths any) any {
	list, ok := paths.([]any)
	if !ok {
		return filepath.Join(folder, paths.(string))
	}
	var out []any
	for _, p := range list {
		out = append(out, below(folder, p))
	}
	return out
}

// configure writes a configuration into dir and runs sqlc on it.
func configure(t testing.TB, dir, command string, entries ...map[string]any) (stderr string, ok bool) {
	t.Helper()
	if command == "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		command = self
	}
	data, err := json.Marshal(map[string]any{
		"version": "2",
		"plugins": []any{map[string]any{"name": "lido", "process": map[string]any{"cmd": command}}},
		"sql":     entries,
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "sqlc.json"), string(data))
	return sqlc(t, dir, "generate")
}

// mustGenerate generates and returns the text of every file, by name.
func (p *project) mustGenerate(t testing.TB) map[string]string {
	t.Helper()
	if stderr, ok := p.generate(t); !ok {
		t.Fatalf("sqlc generate failed:\n%s", stderr)
	}
	return p.output(t)
}

func (p *project) output(t testing.TB) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(p.dir, "gen", "*"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, path := range paths {
		files[filepath.Base(path)] = read(t, path)
	}
	return files
}

// mustFail generates and returns the complaint, which has to hold every want.
func (p *project) mustFail(t testing.TB, want ...string) string {
	t.Helper()
	stderr, ok := p.generate(t)
	if ok {
		t.Fatal("sqlc generate succeeded")
	}
	for _, w := range want {
		if !strings.Contains(stderr, w) {
			t.Errorf("the complaint lacks %q:\n%s", w, stderr)
		}
	}
	return stderr
}
