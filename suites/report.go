package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// outcome is what became of a suite.
type outcome struct {
	suite, version string
	took           time.Duration

	passed   int
	failures []failure
	listed   []failure // which were expected
	skips    []failure
	stale    []expectation // no test ended as they say
}

// failure is a test that failed or was skipped, or some of them.
type failure struct {
	name, reason, output string
	count                int
}

// judge sorts results by what was expected of them.
func judge(results []result, expected []expectation, partly bool) outcome {
	var out outcome
	used := make([]bool, len(expected))
	for _, r := range results {
		f := failure{name: r.name, output: r.output, count: r.count}
		for i, e := range expected {
			if e.explains(r.state) && e.matches(r.name) {
				used[i] = true
				f.reason = e.reason
			}
		}
		switch r.state {
		case failed:
			if f.reason == "" {
				out.failures = append(out.failures, f)
			} else {
				out.listed = append(out.listed, f)
			}
		case skipped:
			f.reason = cmp.Or(f.reason, said(r.output))
			out.skips = append(out.skips, f)
		default:
			out.passed += r.count
		}
	}
	for i, e := range expected {
		switch {
		case e.verb == skip:
			out.skips = append(out.skips, failure{name: e.name, reason: e.reason, count: 1})
		case !used[i] && !partly && e.verb != races:
			out.stale = append(out.stale, e)
		}
	}
	return out
}

// said finds what a skipped test gave as its reason.
func said(output string) string {
	var last, skip string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		last = line
		if strings.Contains(strings.ToLower(line), "skip") {
			skip = line
		}
	}
	last = cmp.Or(skip, last)
	if _, text, ok := strings.Cut(last, ".go:"); ok {
		_, last, _ = strings.Cut(text, ": ")
	}
	return cmp.Or(last, "the suite does not say why")
}

// good reports that there is nothing to look at.
func (o outcome) good() bool { return len(o.failures) == 0 && len(o.stale) == 0 }

// outputLines bounds what is printed of a test that failed unexpectedly.
const outputLines = 60

// details prints what the table only counts.
func (o outcome) details(w io.Writer) {
	fmt.Fprintf(w, "== %s %s\n", o.suite, o.version)
	for _, f := range o.listed {
		fmt.Fprintf(w, "  fails as listed: %s: %s\n", f.name, f.reason)
	}
	for _, f := range o.failures {
		fmt.Fprintf(w, "  FAILS: %s\n", f.name)
		lines := strings.Split(strings.TrimRight(f.output, "\n"), "\n")
		if len(lines) > outputLines {
			lines = append(append(lines[:outputLines/2:outputLines/2], "..."), lines[len(lines)-outputLines/2:]...)
		}
		for _, line := range lines {
			fmt.Fprintf(w, "    | %s\n", line)
		}
	}
	for _, e := range o.stale {
		fmt.Fprintf(w, "  LISTED, BUT NOT SO: %s %s: %s\n", e.verb, e.name, e.reason)
	}
	// Of those that many tests share, a reason is enough.
	const enough = 3
	byReason := map[string][]failure{}
	for _, f := range o.skips {
		byReason[f.reason] = append(byReason[f.reason], f)
	}
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		list := byReason[reason]
		var names []string
		for _, f := range list[:min(enough, len(list))] {
			names = append(names, f.name)
		}
		if len(list) > enough {
			names = append(names, "and more")
		}
		fmt.Fprintf(w, "  skipped, %d: %s: %s\n", sum(list), strings.Join(names, ", "), reason)
	}
}

// table prints a line for each suite, and their sums.
func table(w io.Writer, list []outcome) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nsuite\tversion\tpassed\tfailed\tfailed as listed\tskipped\ttime")
	line := func(name, version string, o outcome) {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%v\n", name, version,
			o.passed, sum(o.failures), sum(o.listed), sum(o.skips), o.took.Round(100*time.Millisecond))
	}
	var all outcome
	for _, o := range list {
		if o.took == 0 {
			fmt.Fprintf(t, "%s\t%s\t\t\t\t\t\n", o.suite, o.version)
			continue
		}
		line(o.suite, o.version, o)
		all.passed += o.passed
		all.failures = append(all.failures, o.failures...)
		all.listed = append(all.listed, o.listed...)
		all.skips = append(all.skips, o.skips...)
		all.took += o.took
	}
	line("together", "", all)
	return t.Flush()
}

// sum is how many tests a list stands for.
func sum(list []failure) int {
	n := 0
	for _, f := range list {
		n += f.count
	}
	return n
}
