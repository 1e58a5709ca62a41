package codegen

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// sourceFile is one file of SQL as it lies on disk.
type sourceFile struct {
	path string // with forward slashes, relative where it can be
	text string
}

// position returns the line and the column, in characters, of a byte offset.
// Both count from 1.
func (f *sourceFile) position(offset int) (line, column int) {
	offset = min(max(offset, 0), len(f.text))
	before := f.text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(strings.TrimPrefix(before[start:], "\uFEFF")) + 1
}

// sourceQuery is one annotated statement of a query file.
type sourceQuery struct {
	file      *sourceFile
	name, cmd string
	at        int      // offset of the annotation
	body      []token  // the statement, from its first to its last significant token
	stub      bool     // the statement that sqlc sees is not body, see engineMark
	doc       []string // comment lines that document the query
	flags     []string // lines that start with @, without the comment marks
}

// text returns the text of body token i.
func (q *sourceQuery) text(i int) string { return q.body[i].text(q.file.text) }

// problem is something wrong in a query, with its place in the source.
type problem struct {
	file   *sourceFile
	offset int
	name   string // of the query, may be empty
	msg    string
}

func (p problem) String() string {
	line, column := p.file.position(p.offset)
	if p.name == "" {
		return fmt.Sprintf("%s:%d:%d: %s", p.file.path, line, column, p.msg)
	}
	return fmt.Sprintf("%s:%d:%d %s: %s", p.file.path, line, column, p.name, p.msg)
}

func (q *sourceQuery) problem(offset int, format string, args ...any) problem {
	return problem{q.file, offset, q.name, fmt.Sprintf(format, args...)}
}

// where is the place of a query as lido.Query.Source gives it.
func (q *sourceQuery) where() string {
	line, _ := q.file.position(q.at)
	return fmt.Sprintf("%s:%d", q.file.path, line)
}

// annotation finds "name: GetAccount :one" in a comment that starts a line.
var annotation = regexp.MustCompile(`^(?:--|/\*) name: ([^ ]+) (:[a-z]+)(?: *\*/| *)\r?$`)

// parseQueries finds the annotated statements of a file.
func parseQueries(f *sourceFile) []*sourceQuery {
	var queries []*sourceQuery
	tokens := lex(f.text)
	for len(tokens) > 0 {
		n := statementEnd(f.text, tokens)
		if q := parseQuery(f, tokens[:n]); q != nil {
			queries = append(queries, q)
		}
		tokens = tokens[n:]
	}
	return queries
}

// statementEnd returns how many tokens the first statement takes, its
// semicolon included. The body of a trigger holds semicolons of its own.
func statementEnd(src string, tokens []token) int {
	var words []string
	trigger, depth := false, 0
	for i, t := range tokens {
		switch {
		case t.kind == tokenWord:
			word := strings.ToUpper(t.text(src))
			if len(words) < 4 {
				words = append(words, word)
				trigger = words[0] == "CREATE" && word == "TRIGGER" || trigger
			}
			if trigger && (word == "BEGIN" || word == "CASE") {
				depth++
			} else if trigger && word == "END" {
				depth--
			}
		case t.isPunct(src, ";") && depth <= 0:
			return i + 1
		}
	}
	return len(tokens)
}

// parseQuery returns the query of one statement, or nil where the statement
// has no annotation.
func parseQuery(f *sourceFile, tokens []token) *sourceQuery {
	q := &sourceQuery{file: f}
	first, last, named := -1, -1, -1
	for i, t := range tokens {
		if !t.isSpace() && !t.isPunct(f.text, ";") {
			if first < 0 {
				first = i
			}
			last = i
			continue
		}
		if a := f.annotation(t); named < 0 && a != nil {
			q, named = a, i
		}
	}
	if named < 0 || first < 0 {
		return nil
	}
	q.body = tokens[first : last+1]
	q.readComments(tokens, named, first)
	return q
}

// engineMark begins a block comment that holds the statement to be run, where
// sqlc's grammar refuses it. The statement outside the comment is then only
// for sqlc: it has parameters of the same names, or as many, and results of the
// same types. The engine proves the one in the comment.
const engineMark = "@engine"

// readEngine takes the statement out of such a comment.
func (q *sourceQuery) readEngine(t token) bool {
	src := q.file.text
	from := firstToken(src[:t.end], t.start+len("/*"))
	if t.kind != tokenBlockComment || !strings.HasPrefix(src[from:], engineMark) || !strings.HasSuffix(t.text(src), "*/") {
		return false
	}
	if next := from + len(engineMark); !isSpaceByte(src[next]) {
		return false
	}
	text := src[:t.end-len("*/")]
	var body []token
	for i := from + len(engineMark); i < len(text); {
		kind, end := lexOne(text, i)
		body = append(body, token{kind, i, end})
		i = end
	}
	blank := func(t token) bool { return t.isSpace() || t.isPunct(src, ";") }
	for len(body) > 0 && blank(body[0]) {
		body = body[1:]
	}
	for len(body) > 0 && blank(body[len(body)-1]) {
		body = body[:len(body)-1]
	}
	if len(body) > 0 {
		q.body, q.stub = body, true
	}
	return true
}

// annotation returns the name that a comment gives, or nil.
func (f *sourceFile) annotation(t token) *sourceQuery {
	if t.kind != tokenLineComment && t.kind != tokenBlockComment || !startsLine(f.text, t.start) {
		return nil
	}
	m := annotation.FindStringSubmatch(t.text(f.text))
	if m == nil {
		return nil
	}
	return &sourceQuery{file: f, name: m[1], cmd: m[2], at: t.start}
}

// startsLine reports whether only blanks stand before i on its line.
func startsLine(src string, i int) bool {
	line := src[strings.LastIndexByte(src[:i], '\n')+1 : i]
	return strings.TrimLeft(line, " \t\r\uFEFF") == ""
}

// readComments keeps the comments that stand with the annotation: those above
// it without a blank line between, and those below it up to the statement.
// sqlc would give the header of the file to its first query.
func (q *sourceQuery) readComments(tokens []token, named, first int) {
	src := q.file.text
	begin := named
	for i := named - 1; i >= 0 && tokens[i].isSpace(); i-- {
		if tokens[i].kind == tokenSpace {
			if strings.Count(tokens[i].text(src), "\n") > 1 {
				break
			}
			continue
		}
		begin = i
	}
	for i, t := range tokens {
		if t.kind != tokenLineComment && t.kind != tokenBlockComment || i == named || q.readEngine(t) {
			continue
		}
		for _, line := range commentLines(t.text(src)) {
			switch flag := strings.TrimSpace(line); {
			case strings.HasPrefix(flag, "@"):
				q.flags = append(q.flags, flag)
			case begin <= i && i < first:
				q.doc = append(q.doc, line)
			}
		}
	}
}

// commentLines returns the lines of a comment without its marks.
func commentLines(text string) []string {
	if rest, ok := strings.CutPrefix(text, "--"); ok {
		return []string{strings.TrimRight(rest, " \t\r")}
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "/*"), "*/")
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if rest, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), "*"); ok {
			line = rest
		}
		lines = append(lines, line)
	}
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// sqlFiles resolves the paths, folders and patterns of sqlc.yaml to files, in
// the order and with the omissions that sqlc makes: hidden files, files that
// do not end in .sql, and golang-migrate's down files.
func sqlFiles(patterns []string) ([]string, error) {
	var paths []string
	for _, p := range patterns {
		if !strings.ContainsAny(p, "*?[]") {
			paths = append(paths, p)
			continue
		}
		matches, err := filepath.Glob(p)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", p, err)
		}
		paths = append(paths, matches...)
	}
	var files []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("%w (paths are taken from the folder sqlc runs in; run it where sqlc.yaml lies)", err)
		}
		if !info.IsDir() {
			files = append(files, filepath.Clean(p))
			continue
		}
		entries, err := os.ReadDir(p)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			files = append(files, filepath.Join(p, e.Name()))
		}
	}
	var sql []string
	for _, f := range files {
		base := filepath.Base(f)
		if strings.HasSuffix(base, ".sql") && !strings.HasPrefix(base, ".") && !strings.HasSuffix(base, ".down.sql") {
			sql = append(sql, f)
		}
	}
	return sql, nil
}

// readSources reads files. Their paths become relative to the working folder,
// so that what is generated does not depend on where the project lies.
func readSources(paths []string) ([]*sourceFile, error) {
	var files []*sourceFile
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		if filepath.IsAbs(p) {
			if wd, err := os.Getwd(); err == nil {
				if rel, err := filepath.Rel(wd, p); err == nil {
					p = rel
				}
			}
		}
		files = append(files, &sourceFile{path: filepath.ToSlash(p), text: string(data)})
	}
	return files, nil
}
