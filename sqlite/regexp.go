package sqlite

import (
	"context"
	"fmt"
	"regexp"

	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido"
)

// Bounds of the patterns that a connection keeps compiled, and of one pattern.
const (
	regexpPatterns     = 64
	regexpPatternBytes = 16 << 10
)

// Regexp gives the connection the function behind SQL's REGEXP operator, which
// SQLite itself leaves out: X REGEXP Y is true if a part of X matches the
// pattern Y, in the syntax of package regexp. It has the type of
// Options.OnOpen and of pool.Config.OnConnect:
//
//	pool.Config{OnConnect: sqlite.Regexp}
//
// If either is NULL so is the result. A pattern that is not one, or that has
// more than 16 KiB, fails the statement. Whole values are matched by ^...$,
// and (?i) at the beginning ignores case. Blobs are taken for text.
//
// The time is linear in the length of the value, and one match is not
// interrupted. Each connection keeps its last 64 patterns compiled. The
// function is deterministic, so CHECK constraints, indexes and generated
// columns may use it; whatever opens such a file then needs it too.
//
// https://www.sqlite.org/lang_expr.html#the_like_glob_regexp_match_and_extract_operators
func Regexp(_ context.Context, c *Conn) error {
	p := patterns{compiled: make(map[string]*regexp.Regexp)}
	return c.CreateFunction("regexp", 2, true, p.match)
}

// patterns are those of one connection, which one goroutine uses at a time.
type patterns struct {
	compiled map[string]*regexp.Regexp
	order    []string // the oldest first, from next on
	next     int

	// A statement asks for the same pattern row after row.
	last   *regexp.Regexp
	lastOf string
}

// match is regexp(Y, X).
func (p *patterns) match(args []Value) (any, error) {
	pattern, value := args[0], args[1]
	if pattern.Type() == lido.Null || value.Type() == lido.Null {
		return nil, nil
	}
	re, err := p.compile(pattern.view())
	if err != nil {
		return nil, err
	}
	return re.Match(value.view()), nil
}

func (p *patterns) compile(pattern []byte) (*regexp.Regexp, error) {
	if p.last != nil && string(pattern) == p.lastOf {
		return p.last, nil
	}
	re := p.compiled[string(pattern)]
	if re == nil {
		if len(pattern) > regexpPatternBytes {
			return nil, fmt.Errorf("a pattern of %d bytes, more than %d", len(pattern), regexpPatternBytes)
		}
		var err error
		if re, err = regexp.Compile(string(pattern)); err != nil {
			return nil, err
		}
		p.keep(string(pattern), re)
	}
	p.last, p.lastOf = re, re.String()
	return re, nil
}

// keep has the pattern take the place of the oldest.
func (p *patterns) keep(pattern string, re *regexp.Regexp) {
	if len(p.order) < regexpPatterns {
		p.order = append(p.order, pattern)
	} else {
		delete(p.compiled, p.order[p.next])
		p.order[p.next] = pattern
		p.next = (p.next + 1) % regexpPatterns
	}
	p.compiled[pattern] = re
}

// view returns the value's text without copying it. It ends with the call.
func (v Value) view() []byte {
	p := lib.Xsqlite3_value_text(v.tls, v.value)
	if p == 0 {
		return nil
	}
	return bytesAt(p, int(lib.Xsqlite3_value_bytes(v.tls, v.value)))
}
