package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/lidodb/lido/cmd/lido/internal/cli"
	"github.com/lidodb/lido/sqlite"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

// leakChecked fails the run when a goroutine is left.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	code := l.m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"lido": func() {
		code := cli.Run(context.Background(), cli.Program{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr})
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "leaked:", err)
			code = 99
		}
		os.Exit(code)
	}})
}

// TestCommandsSayWhatTheScriptsExpect runs testdata/script: every command, its
// output, its exit status, and what it makes of bad input.
func TestCommandsSayWhatTheScriptsExpect(t *testing.T) {
	source, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	goEnv := toolchain(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: false,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("SOURCE", source)
			for name, value := range goEnv {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": cmdStatus,
			"fields": cmdFields,
			"damage": cmdDamage,
			"sql":    cmdSQL,
		},
	})
}

// toolchain lets the go command work with the caches it has outside.
func toolchain(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "env", "-json", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOSUMDB").Output()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	if err := json.Unmarshal(out, &env); err != nil {
		t.Fatal(err)
	}
	return env
}

// cmdStatus runs "lido" and asserts its exit status: status 2 lido doctor
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cmdFields writes the names of the fields in the JSON on stdout to a file,
// one a line: fields got.txt
func cmdFields(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fields FILE")
	}
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &value))
	names := map[string]bool{}
	collect(names, "", value)
	text := strings.Join(slices.Sorted(maps.Keys(names)), "\n") + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func collect(names map[string]bool, prefix string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, v := range value {
			names[prefix+name] = true
			collect(names, prefix+name+".", v)
		}
	case []any:
		for _, v := range value {
			collect(names, prefix, v)
		}
	}
}

// cmdDamage overwrites bytes of a file with 0xff: damage FILE OFFSET LENGTH
func cmdDamage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: damage FILE OFFSET LENGTH")
	}
	offset, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	length, err := strconv.Atoi(args[2])
	ts.Check(err)
	matches, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, name := range matches {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		ts.Check(err)
		_, err = f.WriteAt([]byte(strings.Repeat("\xff", length)), offset)
		ts.Check(errors.Join(err, f.Close()))
	}
	if len(matches) == 0 {
		ts.Fatalf("no file %s", args[0])
	}
}

// cmdSQL runs statements on a database: sql FILE STATEMENTS
func cmdSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql FILE STATEMENTS")
	}
	ctx := context.Background()
	c, err := sqlite.Open(ctx, ts.MkAbs(args[0]), sqlite.Options{Create: true})
	ts.Check(err)
	ts.Check(errors.Join(c.Exec(ctx, args[1]), c.Close()))
}
