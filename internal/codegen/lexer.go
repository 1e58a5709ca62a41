package codegen

import (
	"strings"
	"unicode/utf8"
)

// tokenKind says what a token of SQL is.
type tokenKind int

const (
	tokenSpace tokenKind = iota
	tokenLineComment
	tokenBlockComment
	tokenWord   // keyword or plain identifier
	tokenQuoted // "name", `name` or [name]
	tokenString // 'text'
	tokenBlob   // x'00'
	tokenNumber
	tokenParam // ?, ?1, :name, @name, $name
	tokenPunct
)

// token is a piece of SQL with its place in the text.
type token struct {
	kind       tokenKind
	start, end int
}

func (t token) text(src string) string { return src[t.start:t.end] }

func (t token) isSpace() bool {
	return t.kind == tokenSpace || t.kind == tokenLineComment || t.kind == tokenBlockComment
}

// isWord reports whether t is the keyword, in any case.
func (t token) isWord(src, keyword string) bool {
	return t.kind == tokenWord && strings.EqualFold(t.text(src), keyword)
}

func (t token) isPunct(src, p string) bool {
	return t.kind == tokenPunct && t.text(src) == p
}

// name returns the identifier a token spells, without its quotes.
func (t token) name(src string) (string, bool) {
	text := t.text(src)
	switch t.kind {
	case tokenWord:
		return text, true
	case tokenQuoted:
		return unquoteName(text), true
	}
	return "", false
}

func unquoteName(text string) string {
	if len(text) < 2 {
		return text
	}
	inner := text[1 : len(text)-1]
	if q := text[:1]; q != "[" {
		inner = strings.ReplaceAll(inner, q+q, q)
	}
	return inner
}

// lex splits SQL into tokens as SQLite's tokenizer does. The tokens cover the
// text without gaps; what SQLite would call illegal becomes punctuation, and
// the engine is left to complain about it.
//
// https://www.sqlite.org/lang_expr.html
func lex(src string) []token {
	var tokens []token
	for i := 0; i < len(src); {
		kind, end := lexOne(src, i)
		tokens = append(tokens, token{kind, i, end})
		i = end
	}
	return tokens
}

func lexOne(src string, i int) (tokenKind, int) {
	c := src[i]
	rest := src[i:]
	switch {
	case isSpaceByte(c):
		return tokenSpace, scan(src, i, isSpaceByte)
	case strings.HasPrefix(rest, "\uFEFF"):
		return tokenSpace, i + len("\uFEFF")
	case strings.HasPrefix(rest, "--"):
		if n := strings.IndexByte(rest, '\n'); n >= 0 {
			return tokenLineComment, i + n
		}
		return tokenLineComment, len(src)
	case strings.HasPrefix(rest, "/*"):
		if n := strings.Index(rest[2:], "*/"); n >= 0 {
			return tokenBlockComment, i + 2 + n + 2
		}
		return tokenBlockComment, len(src)
	case c == '\'':
		return tokenString, quotedEnd(src, i, c)
	case c == '"' || c == '`':
		return tokenQuoted, quotedEnd(src, i, c)
	case c == '[':
		if n := strings.IndexByte(rest, ']'); n >= 0 {
			return tokenQuoted, i + n + 1
		}
		return tokenPunct, i + 1
	case (c == 'x' || c == 'X') && len(rest) > 1 && rest[1] == '\'':
		return tokenBlob, quotedEnd(src, i+1, '\'')
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return tokenNumber, numberEnd(src, i)
	case isNameStart(c):
		return tokenWord, scan(src, i, isNameByte)
	case c == '?':
		return tokenParam, scan(src, i+1, isDigit)
	case c == ':' || c == '@' || c == '$':
		if end := scan(src, i+1, isNameByte); end > i+1 {
			return tokenParam, end
		}
		return tokenPunct, i + 1
	}
	for _, op := range []string{"->>", "->", "||", "<=", "<>", "<<", ">=", ">>", "==", "!="} {
		if strings.HasPrefix(rest, op) {
			return tokenPunct, i + len(op)
		}
	}
	_, size := utf8.DecodeRuneInString(rest)
	return tokenPunct, i + size
}

func scan(src string, i int, ok func(byte) bool) int {
	for i < len(src) && ok(src[i]) {
		i++
	}
	return i
}

// quotedEnd finds the end of a quoted token that starts at i; a doubled quote
// stands for itself.
func quotedEnd(src string, i int, quote byte) int {
	for j := i + 1; j < len(src); j++ {
		if src[j] != quote {
			continue
		}
		if j+1 < len(src) && src[j+1] == quote {
			j++
			continue
		}
		return j + 1
	}
	return len(src)
}

func numberEnd(src string, i int) int {
	if src[i] == '0' && i+1 < len(src) && (src[i+1] == 'x' || src[i+1] == 'X') {
		return scan(src, i+2, isNameByte)
	}
	for i < len(src) {
		c := src[i]
		signed := (c == '+' || c == '-') && (src[i-1] == 'e' || src[i-1] == 'E')
		if !isNameByte(c) && c != '.' && !signed {
			break
		}
		i++
	}
	return i
}

func isSpaceByte(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNameStart(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf
}

func isNameByte(c byte) bool { return isNameStart(c) || isDigit(c) || c == '$' }
