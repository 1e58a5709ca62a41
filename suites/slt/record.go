// Package slt runs scripts in the format of SQLite's sqllogictest through
// database/sql.
//
// A script is a list of records, separated by empty lines: statements that
// succeed or fail, and queries with the values that they return. Values are
// compared as text, in the form that SQLite's own runner gives them; what is
// longer than a threshold is compared by its MD5.
//
// https://www.sqlite.org/sqllogictest/doc/trunk/about.wiki
package slt

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// kind is what a record asks for.
type kind int

const (
	statement kind = iota
	query
	halt
	threshold
)

// record is one entry of a script.
type record struct {
	kind kind
	line int
	skip bool // it is for other engines

	sql   string
	fails bool // of a statement

	types, sort, label string // of a query
	want               []string

	limit int // of a threshold
}

// parser reads records of a script.
type parser struct {
	lines *bufio.Scanner
	line  int
	text  string
}

func newParser(r io.Reader) *parser {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	return &parser{lines: lines}
}

// next moves to the next line, and is false at the end of the script.
func (p *parser) next() bool {
	if !p.lines.Scan() {
		p.text = ""
		return false
	}
	p.line++
	p.text = strings.TrimRight(p.lines.Text(), " \t\r")
	return true
}

// record returns the next record, or io.EOF.
func (p *parser) record() (record, error) {
	var rec record
	for p.next() {
		fields := strings.Fields(p.text)
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		rec.line = p.line
		word := func(i int) string {
			if i < len(fields) && fields[i][0] != '#' {
				return fields[i]
			}
			return ""
		}
		switch fields[0] {
		case "skipif":
			rec.skip = rec.skip || word(1) == "sqlite"
			continue
		case "onlyif":
			rec.skip = rec.skip || word(1) != "sqlite"
			continue
		case "halt":
			rec.kind = halt
			return rec, nil
		case "hash-threshold":
			var err error
			if rec.limit, err = strconv.Atoi(word(1)); err != nil {
				return rec, fmt.Errorf("line %d: %w", p.line, err)
			}
			rec.kind = threshold
			return rec, nil
		case "statement":
			if w := word(1); w != "ok" && w != "error" {
				return rec, fmt.Errorf("line %d: a statement is ok or error, not %q", p.line, w)
			}
			rec.kind, rec.fails = statement, word(1) == "error"
			rec.sql = p.body("")
			return rec, p.lines.Err()
		case "query":
			rec.kind, rec.types, rec.sort, rec.label = query, word(1), word(2), word(3)
			if rec.types == "" || strings.Trim(rec.types, "TIR") != "" {
				return rec, fmt.Errorf("line %d: %q is no list of types", p.line, rec.types)
			}
			rec.sql = p.body("----")
			for p.text == "----" && p.next() && p.text != "" {
				rec.want = append(rec.want, p.text)
				for p.next() && p.text != "" {
					rec.want = append(rec.want, p.text)
				}
			}
			return rec, p.lines.Err()
		default:
			return rec, fmt.Errorf("line %d: unknown record %q", p.line, fields[0])
		}
	}
	if err := p.lines.Err(); err != nil {
		return rec, err
	}
	return rec, io.EOF
}

// body returns the lines up to an empty one or to end.
func (p *parser) body(end string) string {
	var b strings.Builder
	for p.next() && p.text != "" && (end == "" || p.text != end) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.text)
	}
	return b.String()
}
