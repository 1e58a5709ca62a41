package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// verb is what a test does.
type verb string

const (
	fails verb = "fails"
	skips verb = "skips" // by itself, and does not say why
	skip  verb = "skip"  // is not started
	races verb = "races" // fails now and then, on every driver
)

// expectation is one line of a file in expect:
//
//	fails TestName/subtest: why it fails
//	skips TestName: why the suite skips it, where it does not say so
//	skip folder/of/package:TestName: why it is not started
//	races TestName: why it fails now and then, and how often on the stock driver
//
// A * in a name stands for any text. Lines that begin with "folder" or "proxy"
// instead are followed by one of those and hold only for a checkout in
// LIDO_SUITES, which can be another version, or only for what the module proxy
// has.
type expectation struct {
	verb   verb
	name   string
	reason string
}

// readExpected reads a file of expectations; there may be none.
func readExpected(file string, folder bool) ([]expectation, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []expectation
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "folder "); ok {
			if !folder {
				continue
			}
			line = rest
		}
		if rest, ok := strings.CutPrefix(line, "proxy "); ok {
			if folder {
				continue
			}
			line = rest
		}
		does, rest, _ := strings.Cut(line, " ")
		name, reason, ok := strings.Cut(rest, ": ")
		if v := verb(does); v != fails && v != skips && v != skip && v != races || !ok || name == "" || reason == "" {
			return nil, fmt.Errorf("%s:%d: want fails, skips, skip or races, a name, a colon and a reason", file, number)
		}
		out = append(out, expectation{verb: verb(does), name: name, reason: reason})
	}
	return out, nil
}

// explains reports whether a test that ended so ended as the line says.
func (e expectation) explains(how state) bool {
	switch e.verb {
	case fails, races:
		return how == failed
	case skips:
		return how == skipped
	}
	return false
}

// matches compares a name with one that has * in it.
func (e expectation) matches(name string) bool {
	first, rest, more := strings.Cut(e.name, "*")
	if !more {
		return name == e.name
	}
	name, ok := strings.CutPrefix(name, first)
	for ok && more {
		var part string
		part, rest, more = strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		_, name, ok = strings.Cut(name, part)
	}
	return false
}
