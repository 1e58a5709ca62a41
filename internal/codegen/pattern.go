package codegen

import (
	"fmt"
	"regexp"
	"strings"
)

// compilePattern compiles a pattern of an override: * stands for any text, ?
// for one character, and a backslash takes either literally.
func compilePattern(p string) (*regexp.Regexp, error) {
	var b strings.Builder
	escaped := false
	for _, r := range p {
		switch {
		case escaped:
			if r != '*' && r != '?' && r != '\\' {
				return nil, fmt.Errorf("pattern %q: only *, ? and \\ can follow a backslash", p)
			}
			b.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '*':
			b.WriteString(".*")
		case r == '?':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if escaped {
		return nil, fmt.Errorf("pattern %q ends in a backslash", p)
	}
	return regexp.Compile("^(?s:" + b.String() + ")$")
}
