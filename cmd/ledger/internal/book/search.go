package book

import "strings"

// ftsQuery writes what a person typed as a query of FTS5: every word must
// occur, the last one perhaps only as a beginning. Each word is quoted, so
// nothing in it is an operator.
//
// https://www.sqlite.org/fts5.html#full_text_query_syntax
func ftsQuery(words string) string {
	var parts []string
	for word := range strings.FieldsSeq(strings.ReplaceAll(words, "\x00", " ")) {
		parts = append(parts, `"`+strings.ReplaceAll(word, `"`, `""`)+`"`)
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, " ") + " *"
}
