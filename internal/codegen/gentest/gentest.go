// Package gentest runs sqlc with Lido's plugin on projects that a test lays
// out, and compiles what comes out.
//
// The program that uses it is also the plugin that sqlc starts, so that what
// is tested is the code as it stands: call [Plugin] first in TestMain or main.
package gentest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/lidodb/lido/internal/codegen"
)

// Plugin answers sqlc and exits when it was sqlc that started this program.
func Plugin() {
	if len(os.Args) == 2 && os.Args[1] == codegen.Method {
		os.Exit(codegen.RunPlugin(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
}

// Root is the folder of go.mod.
var Root = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod in this folder or above")
		}
		dir = parent
	}
	return "", err
})

// environment is that of the go command: without cgo, and without settings of
// a user that belong to another module.
func environment() []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
}

// output runs a program without cgo and returns what it printed; an error
// holds what it complained about.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = environment()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// Entry is one entry under "sql" of a configuration. Paths are relative to the
// folder that sqlc runs in, slash-separated.
type Entry struct {
	Schema, Queries any  // a path or a list of paths
	Database        bool // have sqlc ask an engine too
	Own             *Output
	Lido            []Output
}

// Output is what one generator is to write.
type Output struct {
	Dir     string
	Options map[string]any
}

func (e *Entry) config() map[string]any {
	set := map[string]any{"engine": "sqlite", "schema": e.Schema, "queries": e.Queries}
	if e.Database {
		set["database"] = map[string]any{"uri": ":memory:"}
	}
	if e.Own != nil {
		own := map[string]any{"out": e.Own.Dir}
		for k, v := range e.Own.Options {
			own[k] = v
		}
		set["gen"] = map[string]any{"go": own}
	}
	var plugins []any
	for _, o := range e.Lido {
		options := o.Options
		if options == nil {
			options = map[string]any{}
		}
		plugins = append(plugins, map[string]any{"plugin": "lido", "out": o.Dir, "options": options})
	}
	if plugins != nil {
		set["codegen"] = plugins
	}
	return set
}

// Refusal is sqlc's complaint.
type Refusal struct{ Stderr string }

func (r *Refusal) Error() string { return "sqlc generate: " + strings.TrimSpace(r.Stderr) }

// Generate writes the configuration into dir and runs sqlc there, with this
// program as the plugin. One failure holds back every output; the error is
// then a *Refusal. Each of env is a NAME=value that the plugin sees too.
func Generate(ctx context.Context, dir string, entries []Entry, env ...string) error {
	if err := Configure(dir, entries, env...); err != nil {
		return err
	}
	return Run(ctx, dir, env...)
}

// Configure writes the configuration of Generate into dir.
func Configure(dir string, entries []Entry, env ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var names []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		names = append(names, name)
	}
	var sets []any
	for i := range entries {
		sets = append(sets, entries[i].config())
	}
	data, err := json.MarshalIndent(map[string]any{
		"version": "2",
		"plugins": []any{map[string]any{"name": "lido", "env": names, "process": map[string]any{"cmd": self}}},
		"sql":     sets,
	}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "sqlc.json"), data, 0o644)
}

// Run runs "sqlc generate" on the configuration that lies in dir.
func Run(ctx context.Context, dir string, env ...string) error {
	return shared.generate(ctx, dir, env)
}

// RunAlone is Run in a process of its own, for a project that sqlc is expected
// to refuse: a refusal ends the process, which the next project would miss.
func RunAlone(ctx context.Context, dir string) error {
	var s server
	return errors.Join(s.generate(ctx, dir, nil), s.stop())
}
