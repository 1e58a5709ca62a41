package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// state is how a test ended.
type state string

const (
	passed  state = "pass"
	failed  state = "fail"
	skipped state = "skip"
)

// result is one test without subtests, or one that failed by itself.
type result struct {
	name   string // with the folder of its package, if that is not the root
	state  state
	count  int // how many it stands for
	output string
}

// goTest runs the suite with go test.
func (s suite) goTest(ctx context.Context, opt options, from origin, expected []expectation) ([]result, error) {
	dir, err := s.prepare(ctx, opt, from)
	if err != nil {
		return nil, err
	}
	args := []string{"test", "-json", "-count=1", "-vet=off", "-timeout=30m"}
	if run := cmp.Or(opt.run, s.run); run != "" {
		args = append(args, "-run="+run)
	}
	skip := skipFlags(expected)
	if s.others != "" {
		skip = append(skip, s.others)
	}
	if opt.short && s.slow != "" {
		skip = append(skip, s.slow)
	}
	if len(skip) > 0 {
		args = append(args, "-skip="+strings.Join(skip, "|"))
	}
	args = append(args, s.flags...)
	if s.packages == nil {
		s.packages = []string{"./..."}
	}
	args = append(args, s.packages...)
	if s.args != nil {
		args = append(append(args, "-args"), s.args...)
	}
	cmd := goCommand(ctx, dir, args...)
	cmd.Env = append(cmd.Env, s.env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	events, readErr := readEvents(out, opt.verbose)
	err = cmd.Wait()
	var exit *exec.ExitError
	if readErr != nil || err != nil && !errors.As(err, &exit) {
		return nil, errors.Join(readErr, err)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("go test ran nothing: %w: %s", err, stderr.String())
	}
	return leaves(events), nil
}

// skipFlags are regular expressions of the tests that are not to be started.
func skipFlags(expected []expectation) []string {
	var parts []string
	for _, e := range expected {
		if e.verb != skip {
			continue
		}
		_, test, _ := strings.Cut("/"+e.name, ":")
		var levels []string
		for level := range strings.SplitSeq(cmp.Or(test, e.name), "/") {
			levels = append(levels, "^"+strings.ReplaceAll(regexp.QuoteMeta(level), `\*`, ".*")+"$")
		}
		parts = append(parts, strings.Join(levels, "/"))
	}
	return parts
}

// event is one line of go test -json.
type event struct {
	Action, Package, Test, Output, FailedBuild, ImportPath string
}

// record is what the events say about one test, or one package as a whole.
type record struct {
	pkg, test string
	state     state
	output    strings.Builder
}

// readEvents collects the events, by package and test, in their order.
func readEvents(r io.Reader, verbose bool) ([]*record, error) {
	var list []*record
	byName := map[[2]string]*record{}
	get := func(pkg, test string) *record {
		key := [2]string{pkg, test}
		rec := byName[key]
		if rec == nil {
			rec = &record{pkg: pkg, test: test}
			byName[key] = rec
			list = append(list, rec)
		}
		return rec
	}
	builds := map[string]string{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if jsonErr := json.Unmarshal(line, &e); jsonErr != nil {
				return nil, fmt.Errorf("go test -json printed %q: %w", line, jsonErr)
			}
			if e.Action == "output" && verbose {
				fmt.Fprint(os.Stderr, e.Output)
			}
			switch e.Action {
			case "output":
				get(e.Package, e.Test).output.WriteString(e.Output)
			case "build-output":
				builds[e.ImportPath] += e.Output
			case "run":
				get(e.Package, e.Test)
			case "pass", "fail", "skip":
				rec := get(e.Package, e.Test)
				rec.state = state(e.Action)
				rec.output.WriteString(builds[e.FailedBuild])
			}
		}
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// leaves counts each test once: those without subtests, and beside them what
// failed though none of its subtests did.
func leaves(list []*record) []result {
	type counts struct{ children, failures int }
	below := map[[2]string]*counts{}
	for _, rec := range list {
		if rec.state == "" && rec.test != "" {
			rec.state = failed // it began and never ended
		}
		if rec.test == "" {
			continue
		}
		for at := rec.test; at != ""; {
			at, _ = parent(at)
			c := below[[2]string{rec.pkg, at}]
			if c == nil {
				c = &counts{}
				below[[2]string{rec.pkg, at}] = c
			}
			c.children++
			if rec.state == failed {
				c.failures++
			}
		}
	}
	root := commonFolder(list)
	var out []result
	for _, rec := range list {
		c := below[[2]string{rec.pkg, rec.test}]
		if c == nil {
			c = &counts{}
		}
		switch {
		case rec.test == "" && (rec.state != failed || c.failures > 0):
			continue
		case rec.test != "" && c.children > 0 && (rec.state != failed || c.failures > 0):
			continue
		}
		name := rec.test
		if name == "" {
			name = "(package)"
		}
		if folder := strings.TrimPrefix(strings.TrimPrefix(rec.pkg, root), "/"); folder != "" {
			name = folder + ":" + name
		}
		out = append(out, result{name: name, state: rec.state, count: 1, output: rec.output.String()})
	}
	slices.SortStableFunc(out, func(a, b result) int { return cmp.Compare(a.name, b.name) })
	return out
}

// parent returns the test that a subtest belongs to, and whether there is one.
func parent(test string) (string, bool) {
	i := strings.LastIndexByte(test, '/')
	if i < 0 {
		return "", false
	}
	return test[:i], true
}

// commonFolder is the longest import path that all packages lie in.
func commonFolder(list []*record) string {
	common := list[0].pkg
	for _, rec := range list {
		for common != "" && rec.pkg != common && !strings.HasPrefix(rec.pkg, common+"/") {
			if i := strings.LastIndexByte(common, '/'); i >= 0 {
				common = common[:i]
			} else {
				common = ""
			}
		}
	}
	return common
}
