package stdlib

import "strings"

// class is what the first words of a statement say about it.
type class int

const (
	classWrite     class = iota // anything that is none of the below
	classRead                   // a query, if the engine agrees
	classChange                 // INSERT, REPLACE, UPDATE, DELETE
	classBegin                  // BEGIN
	classEnd                    // COMMIT, END, ROLLBACK
	classSavepoint              // SAVEPOINT, RELEASE, ROLLBACK TO
	classPragma                 // PRAGMA; some take effect while they are prepared
)

// control reports transaction control, which must not be interrupted.
func (c class) control() bool {
	return c == classBegin || c == classEnd || c == classSavepoint
}

// statement is one statement of a text, without its semicolon.
type statement struct {
	text      string
	class     class
	params    []param
	returning bool // it may have a RETURNING clause
	once      bool // its text has not come before, as far as is known
}

// commits reports a statement that can end a transaction with a commit.
func (s statement) commits() bool {
	return s.class == classEnd && !rollsBack(s.text) || s.class == classSavepoint && strings.EqualFold(firstWord(s.text), "RELEASE")
}

// rollsBack tells ROLLBACK from COMMIT and END.
func rollsBack(text string) bool { return strings.EqualFold(firstWord(text), "ROLLBACK") }

// firstWord returns the word that the text of a statement begins with.
func firstWord(text string) string { return text[:word(text)] }

// split cuts text into its statements, as the engine's own sqlite3_complete
// sees them. Blanks and comments between statements are dropped.
//
// https://www.sqlite.org/c3ref/complete.html
func split(text string) []statement { return appendSplit(nil, text) }

func appendSplit(out []statement, text string) []statement {
	for at := 0; at < len(text); {
		s, next := scan(text, at)
		if s.text != "" {
			out = append(out, s)
		}
		at = next
	}
	return out
}

// scan reads the statement that begins at byte at, and returns it with the
// position behind its semicolon. It is much of what a text costs that comes
// once, hence the short ways for words and blanks, which most of a text is.
func scan(text string, at int) (statement, int) {
	var (
		words   [6]string // the first ones, to tell statements apart by
		count   int
		leading = true // only words so far
		first   = -1
		last    = at
		next    = len(text)
		own     bool // asks for counters of the connection
		trigger bool // inside CREATE TRIGGER, which ends with "; END ;"
		closing int  // 1 after a semicolon in a trigger, 2 after "; END"
		params  []param
		returns bool
	)
scan:
	for i := at; i < len(text); {
		kind, end := tokenWord, i
		switch c := text[i]; {
		case c == ' ' && i+1 < len(text) && ' ' < text[i+1] && text[i+1] < 0x80:
			i++
			continue
		case c < 0x80 && c != '$' && wordByte(c):
			end += word(text[i:])
		default:
			kind, end = token(text, i)
			switch {
			case kind == tokenBlank:
				i = end
				continue
			case kind == tokenSemicolon && (!trigger || closing == 2):
				next = end
				break scan
			case kind == tokenSemicolon:
				closing = 1
				i, last = end, end
				continue
			}
			if n := variable(text[i:]); n > 0 {
				if first < 0 {
					first = i
				}
				params = addParam(params, text[i:i+n])
				i, last = i+n, i+n
				leading, closing = false, 0
				continue
			}
		}
		if first < 0 {
			first = i
		}
		token := text[i:end]
		i, last = end, end
		if kind != tokenWord {
			leading, closing = false, 0
			continue
		}
		if leading && count < len(words) {
			words[count] = token
			count++
			trigger = trigger || createsTrigger(words[:count])
		}
		if closing == 1 && strings.EqualFold(token, "END") {
			closing = 2
		} else {
			closing = 0
		}
		switch len(token) {
		case len("changes"), len("total_changes"), len("last_insert_rowid"):
			own = own || readsCounters(token)
		case len("RETURNING"):
			returns = returns || strings.EqualFold(token, "RETURNING")
		}
	}
	if first < 0 {
		return statement{}, next
	}
	s := statement{text: text[first:last], class: classify(words[:count]), params: params, returning: returns}
	if s.class == classPragma && asks(words[:count], leading) {
		s.class = classRead
	}
	if own && s.class == classRead {
		s.class = classWrite
	}
	return s, next
}

// createsTrigger recognises [EXPLAIN [QUERY PLAN]] CREATE [TEMP|TEMPORARY]
// TRIGGER, by the places of the words: any of them can name a table as well.
func createsTrigger(words []string) bool {
	if c := words[0][0] | 0x20; c != 'c' && c != 'e' {
		return false
	}
	take := func(word string) bool {
		if len(words) == 0 || !strings.EqualFold(words[0], word) {
			return false
		}
		words = words[1:]
		return true
	}
	if take("EXPLAIN") && take("QUERY") && !take("PLAN") {
		return false
	}
	if !take("CREATE") {
		return false
	}
	if !take("TEMP") {
		take("TEMPORARY")
	}
	return take("TRIGGER")
}

// readsCounters names the functions whose answer depends on what the
// connection has written. The engine calls statements with them read-only.
func readsCounters(word string) bool {
	switch len(word) {
	case 7:
		return strings.EqualFold(word, "changes")
	case 13:
		return strings.EqualFold(word, "total_changes")
	case 17:
		return strings.EqualFold(word, "last_insert_rowid")
	}
	return false
}

// asks reports a PRAGMA that only tells about the file, so that any connection
// can answer it. bare says that nothing follows the words.
func asks(words []string, bare bool) bool {
	if len(words) != 2 {
		return false
	}
	switch strings.ToLower(words[1]) {
	case "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
		"foreign_key_list", "foreign_key_check", "integrity_check", "quick_check", "page_count", "freelist_count":
		return true
	case "user_version", "application_id", "encoding", "page_size", "database_list",
		"compile_options", "function_list", "module_list", "collation_list", "pragma_list":
		return bare
	}
	return false
}

func classify(words []string) class {
	if len(words) == 0 {
		return classWrite
	}
	if strings.EqualFold(words[0], "EXPLAIN") {
		words = words[1:]
		if len(words) > 1 && strings.EqualFold(words[0], "QUERY") && strings.EqualFold(words[1], "PLAN") {
			words = words[2:]
		}
		c := classify(words)
		if c.control() || c == classChange {
			return classWrite
		}
		return c
	}
	switch strings.ToUpper(words[0]) {
	case "SELECT", "VALUES", "WITH":
		return classRead
	case "INSERT", "REPLACE", "UPDATE", "DELETE":
		return classChange
	case "BEGIN":
		return classBegin
	case "COMMIT", "END":
		return classEnd
	case "SAVEPOINT", "RELEASE":
		return classSavepoint
	case "PRAGMA":
		return classPragma
	case "ROLLBACK":
		for _, w := range words[1:min(3, len(words))] {
			if strings.EqualFold(w, "TO") {
				return classSavepoint
			}
		}
		return classEnd
	}
	return classWrite
}

// byteOrderMark is a blank wherever a token could begin.
const byteOrderMark = "\ufeff"

type tokenKind int

const (
	tokenOther tokenKind = iota
	tokenBlank
	tokenWord
	tokenSemicolon
)

// token returns the kind and the end of the token at byte i. What is left open
// at the end of the text ends there; the engine will say so.
//
// https://www.sqlite.org/tokenreq.html
func token(text string, i int) (tokenKind, int) {
	rest := text[i:]
	until := func(kind tokenKind, from int, mark string) (tokenKind, int) {
		if n := strings.Index(rest[from:], mark); n >= 0 {
			return kind, i + from + n + len(mark)
		}
		return kind, len(text)
	}
	switch c := rest[0]; {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
		n := 1
		for n < len(rest) && (rest[n] == ' ' || '\t' <= rest[n] && rest[n] <= '\r') {
			n++ // a vertical tab too, which cannot be the first
		}
		return tokenBlank, i + n
	case strings.HasPrefix(rest, byteOrderMark):
		return tokenBlank, i + len(byteOrderMark)
	case strings.HasPrefix(rest, "--"):
		return until(tokenBlank, 2, "\n")
	case strings.HasPrefix(rest, "/*"):
		return until(tokenBlank, 2, "*/")
	case c == ';':
		return tokenSemicolon, i + 1
	case c == '\'' || c == '"' || c == '`': // a doubled quote is read as two strings
		return until(tokenOther, 1, rest[:1])
	case c == '[':
		return until(tokenOther, 1, "]")
	case wordByte(c):
		return tokenWord, i + word(rest)
	}
	return tokenOther, i + 1
}

// word returns the length of the word that text begins with.
func word(text string) int {
	n := 0
	for n < len(text) && wordByte(text[n]) {
		n++
	}
	return n
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
