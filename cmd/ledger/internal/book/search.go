package book

import "strings"

// MaxSearchBytes and MaxSearchWords bound what is looked for. FTS5 takes a time
// that grows with the square of the words, and cannot be interrupted before it
// has read them all.
const (
	MaxSearchBytes = 1000
	MaxSearchWords = 32
)

// ftsQuery writes what a person typed as a query of FTS5: every word must
// occur, the last one perhaps only as a beginning. Each word is quoted, so
// nothing in it is an operator.
//
// https://www.sqlite.org/fts5.html#full_text_query_syntax
func ftsQuery(words string) (string, error) {
	if len(words) > MaxSearchBytes {
		return "", invalid("too_large", "look for less", "the words to search for take more than %d bytes", MaxSearchBytes)
	}
	var parts []string
	for word := range strings.FieldsSeq(strings.ReplaceAll(words, "\x00", " ")) {
		parts = append(parts, `"`+strings.ReplaceAll(word, `"`, `""`)+`"`)
	}
	switch {
	case len(parts) == 0:
		return "", invalid("malformed", "give a word to look for", "nothing to search for")
	case len(parts) > MaxSearchWords:
		return "", invalid("too_large", "look for less", "there are more than %d words to search for", MaxSearchWords)
	}
	return strings.Join(parts, " ") + " *", nil
}
