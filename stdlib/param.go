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

// param is a parameter of a statement. It stands in the list of them at the
// number that the engine gives it, less one.
type param struct {
	name string // as sqlite3_bind_parameter_name has it
	arg  int    // which argument of the call it takes, from 1; 0 is that of its name
}

// byName reports a parameter that takes the argument of its name.
func (p *param) byName() bool { return p.arg == 0 && p.name != "" }

// gap reports a number that the statement skips, as ?1 and ?3 skip 2.
func (p *param) gap() bool { return p.arg == 0 && p.name == "" }

// plain reports a question mark without a number.
func (p *param) plain() bool { return p.arg != 0 && p.name == "" }

// addParam gives the parameter written as text its number, by the engine's
// rules: a plain question mark comes after the highest so far, ?NNN has the
// number it says, and a name keeps the number of its first use. The engine takes
// $NNN for a name; here it takes the argument that it says, as in the stock
// driver.
func addParam(params []param, text string) []param {
	switch {
	case text == "?":
		return append(params, param{arg: len(params) + 1})
	case text[0] != '?':
		for i := range params {
			if params[i].name == text {
				return params
			}
		}
		return append(params, param{name: text, arg: dollarNumber(text)})
	}
	n, err := strconv.Atoi(text[1:])
	if err != nil || n < 1 || n > maxParams {
		return params // the engine refuses it
	}
	for len(params) < n {
		params = append(params, param{})
	}
	if params[n-1].name == "" {
		params[n-1] = param{name: text, arg: n}
	}
	return params
}

// dollarNumber returns the number of $NNN, or 0 if text is a name. Like the
// engine's ?NNN it has no sign; $01 is a name, or it would be $1 as well.
func dollarNumber(text string) int {
	if text[0] != '$' || text[1] < '1' || text[1] > '9' {
		return 0
	}
	n, err := strconv.Atoi(text[1:])
	if err != nil {
		return 0
	}
	return n
}

// numberParams says which arguments the parameters of the plan take. Over
// several statements it numbers as the engine does within one: a plain question
// mark comes after all before it.
func (p *plan) numberParams() {
	plain := false
	for _, s := range p.list {
		for i := range s.params {
			q := &s.params[i]
			p.args = max(p.args, q.arg)
			p.named = p.named || q.byName()
			plain = plain || q.plain()
			if q.name != "" {
				p.written = max(p.written, q.arg)
			}
		}
	}
	if len(p.list) < 2 || !plain {
		return
	}
	if p.written > 0 {
		p.mixed = true // SQLite's rules, which are for one statement, give no answer
		return
	}
	p.args = 0
	places := 0
	var names []string
	for _, s := range p.list {
		for i := range s.params {
			switch q := &s.params[i]; {
			case q.plain():
				places++
				q.arg, p.args = places, places
			case !slices.Contains(names, q.name):
				places++
				names = append(names, q.name)
			}
		}
	}
}
