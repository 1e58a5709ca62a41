package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// messages passes on what sqlc says, in terms that the user knows: the name of
// the configuration instead of the copy's, and for a query that the engine
// refuses the place and the query's name, as the plugin writes them. sqlc asks
// an engine of its own first, and knows only where the statement begins.
type messages struct {
	w        io.Writer
	dir      string // what sqlc's paths are relative to
	from, to string // names of the copy and of the original
	line     []byte // what has come of a line
}

func (m *messages) Write(p []byte) (int, error) {
	m.line = append(m.line, p...)
	for {
		i := bytes.IndexByte(m.line, '\n')
		if i < 0 {
			return len(p), nil
		}
		line := string(m.line[:i])
		m.line = m.line[i+1:]
		if err := m.pass(line); err != nil {
			return 0, err
		}
	}
}

// flush passes on a last line without its end.
func (m *messages) flush() error {
	line := string(m.line)
	m.line = nil
	if line == "" {
		return nil
	}
	return m.pass(line)
}

func (m *messages) pass(line string) error {
	if strings.HasPrefix(line, "# package ") || line == "" {
		return nil
	}
	line = strings.ReplaceAll(line, m.from, m.to)
	line = strings.TrimPrefix(line, "error generating code: process: error running command ")
	if line == "" {
		return nil
	}
	_, err := fmt.Fprintln(m.w, explainRefusal(m.dir, line))
	return err
}

var (
	refusalLine = regexp.MustCompile(`^(.+\.sql):(\d+):\d+: sqlite3: SQL logic error: (.+)$`)
	nameLine    = regexp.MustCompile(`^\s*(?:--|#|/\*)\s*name:\s*(\S+)`)
	blamed      = regexp.MustCompile(`^no such \w+: (?:\S*\.)?(\w+)|^near "([^"]+)"|^ambiguous column name: (?:\S*\.)?(\w+)`)
)

// explainRefusal turns "f.sql:20:1: sqlite3: SQL logic error: no such column:
// b" into "f.sql:22:12 Name: no such column: b". What it cannot place stays as
// it is.
func explainRefusal(dir, line string) string {
	m := refusalLine.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	path, said := m[1], m[3]
	start, err := strconv.Atoi(m[2])
	if err != nil {
		return line
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, filepath.FromSlash(path))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return line
	}
	lines := splitLines(string(text))
	name, first := nameNear(lines, start-1)
	if name == "" {
		return line
	}
	row, column := placeOf(lines, first, said)
	return fmt.Sprintf("%s:%d:%d %s: %s", m[1], row, column, name, said)
}

// nameNear returns the name of the query that lines[at] belongs to, and the
// index of the line after its name: above a line of SQL, below a comment.
func nameNear(lines []string, at int) (name string, after int) {
	if at < 0 || at >= len(lines) {
		return "", 0
	}
	step := -1
	if strings.HasPrefix(strings.TrimSpace(lines[at]), "--") {
		step = 1
	}
	for i := at; i >= 0 && i < len(lines); i += step {
		if m := nameLine.FindStringSubmatch(lines[i]); m != nil {
			return m[1], i + 1
		}
	}
	return "", 0
}

// placeOf looks for the word that the message blames in the statement that
// begins at or after lines[first]. Rows and columns count from 1.
func placeOf(lines []string, first int, said string) (row, column int) {
	var word *regexp.Regexp
	if m := blamed.FindStringSubmatch(said); m != nil {
		text := m[1] + m[2] + m[3]
		pattern := regexp.QuoteMeta(text)
		if regexp.MustCompile(`^\w+$`).MatchString(text) {
			pattern = `\b` + pattern + `\b`
		}
		word = regexp.MustCompile(`(?i)` + pattern)
	}
	begin := 0
	for i := first; i < len(lines) && nameLine.FindString(lines[i]) == ""; i++ {
		code, _, _ := strings.Cut(lines[i], "--")
		if strings.TrimSpace(code) == "" {
			continue
		}
		if begin == 0 {
			begin = i + 1
		}
		if word == nil {
			break
		}
		if at := word.FindStringIndex(code); at != nil {
			return i + 1, at[0] + 1
		}
	}
	return max(begin, first), 1
}
