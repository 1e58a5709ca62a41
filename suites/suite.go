package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// suite is a module with tests, and which of them run.
type suite struct {
	name string

	// module at version is what the module proxy serves, and sum what it must
	// hash to. An empty module is one that no proxy has: it runs only from a
	// folder.
	module, version, sum string

	// dir is where, in a checkout of the project, the module with the tests
	// lies; the folder that LIDO_SUITES names has a checkout under name.
	dir string

	// pins are modules, each with its version, that must not be raised to the
	// one that Lido's tools need.
	pins []string

	packages []string // as for go test; "./..." if empty
	run      string   // a regular expression of tests; all if empty
	others   string   // of tests that are for other databases
	slow     string   // of tests that the short form leaves out
	leftOut  bool     // of the short form
	flags    []string // more flags of go test
	args     []string // what the test programs are given
	env      []string

	// tests runs a suite that is no Go test.
	tests func(ctx context.Context, opt options, from origin) ([]result, error)
}

// origin is where a suite was found.
type origin struct {
	root    string // what is to be copied
	dir     string // the module in it; empty if there is none
	version string
	why     string // there is none
}

// find looks in the folder first, then asks the module proxy.
func (s suite) find(ctx context.Context, opt options) (origin, error) {
	if opt.short && s.leftOut {
		return origin{why: "takes long"}, nil
	}
	if opt.folder != "" {
		root, err := filepath.EvalSymlinks(filepath.Join(opt.folder, s.name))
		if err == nil {
			return origin{root: root, dir: filepath.Join(root, s.dir), version: "folder"}, nil
		}
	}
	if s.module == "" {
		return origin{why: "needs a checkout in LIDO_SUITES"}, nil
	}
	// In a folder without go.mod, so that no go.sum is asked and none changed.
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", s.module+"@"+s.version)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal(out, &got); jsonErr != nil {
		return origin{}, errors.Join(err, jsonErr)
	}
	switch {
	case got.Error != "":
		return origin{}, errors.New(got.Error)
	case s.sum != "" && got.Sum != s.sum:
		return origin{}, fmt.Errorf("%s %s has the sum %s, want %s", s.module, s.version, got.Sum, s.sum)
	}
	return origin{root: got.Dir, dir: got.Dir, version: s.version}, nil
}

// measure runs the suite and compares it with what is expected.
func (s suite) measure(ctx context.Context, opt options, from origin) (outcome, error) {
	var expected []expectation
	if !opt.baseline {
		var err error
		if expected, err = readExpected(filepath.Join("expect", s.name+".txt"), from.version == "folder"); err != nil {
			return outcome{}, err
		}
	}
	tests := s.tests
	if tests == nil {
		tests = func(ctx context.Context, opt options, from origin) ([]result, error) {
			return s.goTest(ctx, opt, from, expected)
		}
	}
	results, err := tests(ctx, opt, from)
	if err == nil && len(results) == 0 {
		err = errors.New("no test ran")
	}
	if err != nil {
		return outcome{}, err
	}
	return judge(results, expected, opt.run != ""), nil
}
