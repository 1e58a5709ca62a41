package codegen_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/lidodb/lido/internal/codegen/gentest"
)

// The test binary is also the plugin that sqlc starts.
func TestMain(m *testing.M) {
	gentest.Plugin()
	goleak.VerifyTestMain(m)
}

// root is the folder of go.mod, as seen from this package.
var root = filepath.Join("..", "..")

// sqlc runs "sqlc generate" in dir and returns what it complained about.
func sqlc(t testing.TB, dir string) (stderr string, ok bool) {
	t.Helper()
	return complaint(t, dir, func() error { return gentest.Run(t.Context(), dir) })
}

// refusal is sqlc for a project that it is expected to refuse.
func refusal(t testing.TB, dir string) (stderr string, ok bool) {
	t.Helper()
	return complaint(t, dir, func() error { return gentest.RunAlone(t.Context(), dir) })
}

func complaint(t testing.TB, dir string, run func() error) (stderr string, ok bool) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs sqlc, which takes minutes to compile")
	}
	err := run()
	var refused *gentest.Refusal
	if errors.As(err, &refused) {
		return refused.Stderr, false
	}
	if err != nil {
		t.Fatal(err)
	}
	return "", true
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
	writeConfig(t, dir, command, entries...)
	return sqlc(t, dir)
}

func writeConfig(t testing.TB, dir, command string, entries ...map[string]any) {
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
}

// mustGenerate generates and returns the text of every file, by name.
func (p *project) mustGenerate(t testing.TB) map[string]string {
	t.Helper()
	if stderr, ok := p.generate(t); !ok {
		t.Fatalf("sqlc generate failed:\n%s", stderr)
	}
	return p.output(t)
}

// mustGenerateEach generates with each set of options: sqlc reads the project
// once. The projects that it returns have the output of one set each.
func (p *project) mustGenerateEach(t testing.TB, sets ...map[string]any) []*project {
	t.Helper()
	var each []*project
	var outputs []any
	for i, set := range sets {
		one := *p
		one.options = set
		name := fmt.Sprint("set", i)
		output := one.entry("")["codegen"].([]any)[0].(map[string]any)
		output["out"] = filepath.Join(name, "gen")
		outputs = append(outputs, output)
		one.dir = filepath.Join(p.dir, name)
		each = append(each, &one)
	}
	entry := p.entry("")
	entry["codegen"] = outputs
	if stderr, ok := configure(t, p.dir, p.command, entry); !ok {
		t.Fatalf("sqlc generate failed:\n%s", stderr)
	}
	return each
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
	writeConfig(t, p.dir, p.command, p.entry(""))
	stderr, ok := refusal(t, p.dir)
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
