package codegen

import (
	"context"
	"errors"
	"path"
	"regexp"
	"strings"
)

// The schema is applied as sqlc reads it: the files of folders, patterns and
// lists in sqlc's order, each without the part that undoes a migration, in the
// notation of goose, dbmate, sql-migrate or tern; golang-migrate's down files
// are not read at all. What exists only for sqlc is left out here: statements
// with a comment line "-- @sqlc-only" and the files that the option sqlc_only
// names. So are queries, for one file may hold both.

// sqlcOnly marks a statement of the schema that only sqlc must see, such as a
// stub of a table that an extension makes.
const sqlcOnly = "@sqlc-only"

// psqlCommand is a line that pg_dump writes for psql. sqlc passes over it.
var psqlCommand = regexp.MustCompile(`(?m)^\\[A-Za-z!?;][^\n]*$`)

// rollbackMarks start the part of a migration that undoes it.
var rollbackMarks = []string{
	"-- +goose down",
	"-- +migrate down",
	"-- migrate:down",
	"---- create above / drop below ----",
}

// withoutRollback cuts a migration at the part that undoes it, as sqlc does.
func withoutRollback(text string) string {
	at := 0
	for line := range strings.Lines(text) {
		lower := strings.ToLower(line)
		for _, mark := range rollbackMarks {
			if strings.HasPrefix(lower, mark) {
				return text[:at]
			}
		}
		at += len(line)
	}
	return text
}

// forEngine is the part of a schema file that the engine gets. What is left
// out becomes blanks, so that offsets stay those of the file.
func forEngine(text string) string {
	text = psqlCommand.ReplaceAllStringFunc(withoutRollback(text), blanks)
	if !strings.Contains(text, sqlcOnly) && !strings.Contains(text, " name: ") {
		return text
	}
	var b strings.Builder
	for _, s := range splitStatements(text) {
		if s.sqlcOnly || s.query {
			b.WriteString(blanks(text[s.start:s.end]))
		} else {
			b.WriteString(text[s.start:s.end])
		}
	}
	return b.String()
}

// blanks is as long as s and has its line breaks.
func blanks(s string) string {
	out := []byte(s)
	for i, c := range out {
		if c != '\n' {
			out[i] = ' '
		}
	}
	return string(out)
}

// schemaStatement is one statement of a schema file with the comments above
// it and those that end its last line.
type schemaStatement struct {
	start, end int
	sqlcOnly   bool
	query      bool // it has an annotation, and sqlc does not take it for the schema
}

// schemaVerbs begin the statements that sqlc takes for the schema, whatever
// stands above them.
var schemaVerbs = wordSet("ALTER CREATE DROP ATTACH DETACH")

// splitStatements covers text without gaps.
func splitStatements(text string) []schemaStatement {
	var list []schemaStatement
	tokens := lex(text)
	for len(tokens) > 0 {
		n := statementEnd(text, tokens)
		for n < len(tokens) && tokens[n].isSpace() && !strings.Contains(tokens[n].text(text), "\n") {
			n++ // a comment on the line of the semicolon
		}
		s := schemaStatement{start: tokens[0].start, end: tokens[n-1].end}
		for _, t := range tokens[:n] {
			if t.kind != tokenLineComment && t.kind != tokenBlockComment {
				continue
			}
			for _, line := range commentLines(t.text(text)) {
				word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
				s.sqlcOnly = s.sqlcOnly || word == sqlcOnly
			}
		}
		if q := parseQuery(&sourceFile{text: text}, tokens[:n]); q != nil {
			s.query = !schemaVerbs[strings.ToUpper(q.text(0))]
		}
		list = append(list, s)
		tokens = tokens[n:]
	}
	return list
}

// applySchema brings the files into the engine's database. It stops at the
// first statement that does not apply; with lenient, it goes on and returns
// all of them.
func (e *engine) applySchema(ctx context.Context, files []*sourceFile, skip []string, lenient bool) (refused []problem, err error) {
	ctx, cancel := context.WithTimeout(ctx, schemaTimeout)
	defer cancel()
	e.conn.SetAuthorizer(e.authorizeSchema)
	defer e.conn.SetAuthorizer(nil)
	for _, f := range files {
		if skipped, err := matchesAny(skip, f.path); err != nil || skipped {
			if err != nil {
				return nil, err
			}
			continue
		}
		text := forEngine(f.text)
		if i := strings.IndexByte(text, 0); i >= 0 {
			return nil, errors.New(problem{f, i, "", "a NUL byte, where the engine would stop reading"}.String())
		}
		for _, s := range splitStatements(text) {
			e.refusal = ""
			err := e.conn.Exec(ctx, text[s.start:s.end])
			if err == nil {
				continue
			}
			traced := func(offset int) int { return min(s.start+min(offset, len(text)), s.end) }
			p := e.explain(err, f, traced, firstToken(text, s.start), "")
			if ctx.Err() != nil || !lenient {
				return nil, errors.New(p.String())
			}
			refused = append(refused, p)
		}
	}
	return refused, nil
}

// firstToken is the offset of the first token from at on that is not blank.
func firstToken(text string, at int) int {
	for i := at; i < len(text); {
		kind, end := lexOne(text, i)
		if !(token{kind: kind}).isSpace() {
			return i
		}
		i = end
	}
	return at
}

func matchesAny(patterns []string, name string) (bool, error) {
	for _, p := range patterns {
		p = path.Clean(strings.ReplaceAll(p, `\`, "/"))
		if ok, err := path.Match(p, name); err != nil {
			return false, err
		} else if ok {
			return true, nil
		}
	}
	return false, nil
}
