// Command suites runs the test suites of other projects through package
// stdlib: their tests, unchanged, on a driver that is Lido's.
//
// Each suite is fetched as a Go module, or taken from a folder, and copied.
// In the copy the import of a SQLite driver is replaced by that of package
// sqlite beside this file, and nothing else. What is expected to fail or to be
// left out is listed with its reason in expect; any other failure makes the
// command fail, and so does a test that is listed and passes.
//
// With -baseline the same tests run on the stock driver, where nothing is
// expected: what fails there fails without Lido.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are those of the command line and of the environment.
type options struct {
	repo     string // the root of Lido's module
	scratch  string
	folder   string // LIDO_SUITES
	baseline bool
	short    bool
	verbose  bool
	run      string
}

func main() {
	var opt options
	flag.BoolVar(&opt.baseline, "baseline", false, "run on the stock driver instead")
	flag.BoolVar(&opt.short, "short", false, "leave out what takes long")
	flag.BoolVar(&opt.verbose, "v", false, "print the output of every test")
	flag.StringVar(&opt.run, "run", "", "run only the tests that this regular expression matches, and judge no others")
	flag.StringVar(&opt.scratch, "scratch", "../bin/suites", "where the suites are laid out")
	only := flag.String("only", "", "names of suites, separated by commas; all if empty")
	flag.Parse()
	opt.folder = os.Getenv("LIDO_SUITES")

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, opt, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run prints the table and reports whether everything was as expected.
func run(ctx context.Context, opt options, only string) (bool, error) {
	var err error
	if opt.scratch, err = filepath.Abs(opt.scratch); err != nil {
		return false, err
	}
	if opt.repo, err = filepath.Abs(".."); err != nil {
		return false, err
	}
	chosen, err := choose(only)
	if err != nil {
		return false, err
	}
	good := true
	var done []outcome
	for _, s := range chosen {
		from, err := s.find(ctx, opt)
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.name, err)
		}
		if from.dir == "" {
			done = append(done, outcome{suite: s.name, version: "not run: " + from.why})
			continue
		}
		start := time.Now()
		out, err := s.measure(ctx, opt, from)
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.name, err)
		}
		out.suite, out.version, out.took = s.name, from.version, time.Since(start)
		good = good && out.good()
		done = append(done, out)
		out.details(os.Stdout)
	}
	return good, table(os.Stdout, done)
}

// choose returns the suites that are named.
func choose(only string) ([]suite, error) {
	if only == "" {
		return suites, nil
	}
	var chosen []suite
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(suites, func(s suite) bool { return s.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("no suite is named %q", name)
		}
		chosen = append(chosen, suites[i])
	}
	return chosen, nil
}
