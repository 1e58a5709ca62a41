package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/lidodb/lido/cmd/lido/internal/cli"
)

// FuzzFromSQLC converts any text. Either it is refused and stays as it is, or
// what comes out is YAML that a second time finds nothing left to convert.
func FuzzFromSQLC(f *testing.F) {
	text, err := os.ReadFile("testdata/script/from-sqlc.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range txtar.Parse(text).Files {
		if strings.HasSuffix(file.Name, ".yaml") {
			f.Add(string(file.Data))
		}
	}
	f.Add("version: 2\nsql:\n- engine: sqlite\n  gen: &a\n    go:\n      out: x\n  again: *a")
	f.Add(`{"version": "2", "sql": [{"engine": "sqlite", "gen": {"go": {"out": "x", "package": "y"}}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"sqlc.yaml", "sqlc.json"} {
			convertTwice(t, name, text)
		}
	})
}

func convertTwice(t *testing.T, file, text string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	convert := func() (status int, now, said string) {
		var out, errs bytes.Buffer
		status = cli.Run(context.Background(), cli.Program{
			Args: []string{"init", "--from-sqlc", filepath.Dir(name)}, Stdout: &out, Stderr: &errs,
		})
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return status, string(data), errs.String()
	}
	status, once, said := convert()
	if status != cli.ExitOK {
		if once != text || said == "" {
			t.Fatalf("refused %q with %q, and left %q", text, said, once)
		}
		return
	}
	if status, twice, said := convert(); status != cli.ExitOK || twice != once {
		t.Fatalf("a second time %q became %q: %s", once, twice, said)
	}
}
