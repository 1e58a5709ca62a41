package stdlib

import (
	"slices"
	"strconv"
)

// variable returns the length of the parameter that text begins with, or 0: a
// question mark, perhaps with a number, or a name behind one of : @ $ #. What
// the engine's tokenizer calls illegal is cut as it does; preparing it fails.
//
// https://www.sqlite.org/lang_expr.html#parameters
func variable(text string) int {
	switch text[0] {
	case '?':
		n := 1
		for n < len(text) && '0' <= text[n] && text[n] <= '9' {
			n++
		}
		return n
	case ':', '@', '$', '#':
	default:
		return 0
	}
	letters := 0
	for n := 1; ; n++ {
		switch {
		case n < len(text) && wordByte(text[n]):
			letters++
		case n+1 < len(text) && text[n] == ':' && text[n+1] == ':': // Tcl's namespaces
			n++
		case n < len(text) && text[n] == '(' && letters > 0: // and arrays
			for n++; n < len(text) && text[n] != ')' && !blank(text[n]); n++ {
			}
			if n < len(text) && text[n] == ')' {
				n++
			}
			return n
		case letters == 0:
			return 0
		default:
			return n
		}
	}
}

func blank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// maxParams is the highest number of a parameter.
//
// https://www.sqlite.org/limits.html#max_variable_number
const maxParams = 32766

// addParam gives the parameter written as text its number, by the engine's
// rules: a plain question mark comes after the highest so far, ?NNN has the
// number it says, and a name keeps the number of its first use. The list holds
// names at their numbers less one; a plain question mark has none.
func addParam(params []string, text string) []string {
	switch {
	case text == "?":
		return append(params, "")
	case text[0] != '?':
		if slices.Contains(params, text) {
			return params
		}
		return append(params, text)
	}
	n, err := strconv.Atoi(text[1:])
	if err != nil || n < 1 || n > maxParams {
		return params // the engine refuses it
	}
	for len(params) < n {
		params = append(params, "")
	}
	if params[n-1] == "" {
		params[n-1] = text
	}
	return params
}
