package lido

import (
	"fmt"
	"strings"
)

// SQL is a statement whose text is only known when the program runs: optional
// filters, a choice of sort orders. For everything else, write a query file;
// the generator then proves it.
//
//	q := lido.NewSQL("SearchItems", "SELECT id, name FROM item WHERE true")
//	if f.Name != "" {
//		q.Add("AND name LIKE ?", f.Name+"%")
//	}
//	q.OneOf(f.Sort, "name", "ORDER BY name", "newest", "ORDER BY id DESC")
//	items, err := lido.Select[Item](ctx, db, q)
//
// The text is made of constants: a string that was computed does not compile
// as an argument. Values go in as parameters, one plain question mark each, so
// nothing that a user typed can become part of the statement.
type SQL struct {
	name string
	text strings.Builder
	args []any
	err  error
}

// constant is a text that was written in the program. Its name being private,
// only untyped constants convert to it outside this package.
type constant string

// NewSQL begins a statement. name takes the place of a query's name in errors
// and traces.
func NewSQL(name string, text constant, args ...any) *SQL {
	return (&SQL{name: name}).Add(text, args...)
}

// Add appends text, after a blank, and the values of its question marks.
func (q *SQL) Add(text constant, args ...any) *SQL {
	if q.text.Len() > 0 {
		q.text.WriteByte(' ')
	}
	q.text.WriteString(string(text))
	q.args = append(q.args, args...)
	return q
}

// OneOf appends the text that belongs to key, from pairs of a key and a text.
// A key that is not among them is an error of the call that runs the statement.
func (q *SQL) OneOf(key string, pairs ...constant) *SQL {
	keys := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if string(pairs[i]) == key {
			return q.Add(pairs[i+1])
		}
		keys = append(keys, string(pairs[i]))
	}
	if q.err == nil {
		q.err = fmt.Errorf("%q is none of %q", key, keys)
	}
	return q
}

// String returns the text, without the values.
func (q *SQL) String() string { return q.text.String() }

// List is a parameter that stands for all values of v, in a place such as
// "id IN (SELECT +value FROM json_each(?))"; see BindSlice.
func List[T any](v []T) any { return list[T](v) }

type list[T any] []T

func (v list[T]) bind(s Stmt, i int) { BindSlice(s, i, []T(v)) }

// bind sets the parameters of s.
func (q *SQL) bind(s Stmt) error {
	if c, ok := s.(interface{ ParamCount() int }); ok && c.ParamCount() != len(q.args) {
		return fmt.Errorf("the text has %d parameters and %d values were given", c.ParamCount(), len(q.args))
	}
	for i, arg := range q.args {
		if l, ok := arg.(interface{ bind(Stmt, int) }); ok {
			l.bind(s, i+1)
		} else {
			BindAny(s, i+1, arg)
		}
	}
	return nil
}
