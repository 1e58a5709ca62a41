package stdlib

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lidodb/lido"
)

var errMixed = errors.New("stdlib: the text has several statements, with both ? and numbered parameters: number all of them")

// arguments are those of one call. param.go says which of them a parameter
// takes.
type arguments struct {
	plan    *plan
	list    []driver.NamedValue
	checked bool
}

// parameters is a statement whose parameters can be set.
type parameters interface {
	BindNull(i int)
	BindInt64(i int, v int64)
	BindFloat64(i int, v float64)
	BindText(i int, v string)
	BindBlob(i int, v []byte)
}

// bind sets every parameter of s, a statement of the call.
func (a *arguments) bind(s parameters, params []param) error {
	if err := a.check(); err != nil {
		return err
	}
	for i := range params {
		v := a.find(&params[i])
		if v == nil { // a number that the text skips
			s.BindNull(i + 1)
			continue
		}
		if err := bindValue(s, i+1, v.Value); err != nil {
			return err
		}
	}
	return nil
}

// find returns the argument that p takes, or nil.
func (a *arguments) find(p *param) *driver.NamedValue {
	if p.arg > 0 {
		if p.arg <= len(a.list) && a.list[p.arg-1].Name == "" {
			return &a.list[p.arg-1]
		}
		return nil
	}
	if p.byName() {
		for i := range a.list {
			if a.list[i].Name == p.name[1:] {
				return &a.list[i]
			}
		}
	}
	return nil
}

// check reports an argument too few, too many, or in the place of another. It
// looks at all statements of the call, so that none has run when one is wrong.
func (a *arguments) check() error {
	if a.checked {
		return nil
	}
	a.checked = true
	named := a.plan.named
	for i := range a.list {
		named = named || a.list[i].Name != ""
	}
	switch {
	case a.plan.mixed:
		return errMixed
	case !named && len(a.list) == a.plan.args:
		return nil
	}
	for _, s := range a.plan.list {
		for i := range s.params {
			if p := &s.params[i]; !p.gap() && a.find(p) == nil {
				return a.missing(p)
			}
		}
	}
	for i := range a.list {
		if err := a.surplus(i); err != nil {
			return err
		}
	}
	return nil
}

// missing says why there is no argument for p.
func (a *arguments) missing(p *param) error {
	if p.arg == 0 {
		first, _ := utf8.DecodeRuneInString(p.name[1:])
		switch {
		case unicode.IsLetter(first):
			return fmt.Errorf("stdlib: no argument for parameter %s: pass sql.Named(%q, value)", p.name, p.name[1:])
		case '0' <= first && first <= '9':
			return fmt.Errorf("stdlib: no argument for parameter %s, whose digits are a name: write ?1 or $1 for the first argument", p.name)
		}
		return fmt.Errorf("stdlib: no argument for parameter %s: sql.Named takes only names that begin with a letter", p.name)
	}
	name := p.name
	if name == "" {
		name = "?"
	}
	if p.arg <= len(a.list) {
		return fmt.Errorf("stdlib: parameter %s takes argument %d, which is named %q: put arguments without a name in the places of their parameters",
			name, p.arg, a.list[p.arg-1].Name)
	}
	return fmt.Errorf("stdlib: parameter %s takes argument %d, but the call has %d", name, p.arg, len(a.list))
}

// surplus refuses argument i if no parameter takes it: a name that is misspelt
// must not turn into a parameter that is NULL.
func (a *arguments) surplus(i int) error {
	name := a.list[i].Name
	if name == "" && i < a.plan.written {
		return nil // ?3 says that there are three
	}
	for _, s := range a.plan.list {
		for j := range s.params {
			if a.find(&s.params[j]) == &a.list[i] {
				return nil
			}
		}
	}
	if name == "" {
		return fmt.Errorf("stdlib: no parameter takes argument %d of %d", i+1, len(a.list))
	}
	for j := range i {
		if a.list[j].Name == name {
			return fmt.Errorf("stdlib: two arguments are named %q", name)
		}
	}
	return fmt.Errorf("stdlib: no parameter is named %q", name)
}

// CheckNamedValue is called for each argument before the statement is. It lets
// pass what bindValue takes as it is, so that nothing is boxed anew;
// database/sql converts the rest.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error { return checkValue(v) }

func checkValue(v *driver.NamedValue) error {
	switch x := v.Value.(type) {
	case nil, int64, string, []byte, bool, float64, time.Time, int, int32, int16, int8, uint32, uint16, uint8, float32:
		return nil
	case uint64:
		return fits(x)
	case uint:
		return fits(uint64(x))
	}
	if err := fitsBehind(v.Value); err != nil {
		return err
	}
	return driver.ErrSkip
}

// fitsBehind looks for what database/sql turns into a negative number: a uint
// behind a pointer, of a type of its own, or in a sql.Null. A uint64 it refuses.
func fitsBehind(v any) error {
	if v == nil {
		return nil
	}
	rv := reflect.ValueOf(v)
	if null := reflect.Indirect(rv); null.IsValid() && null.Type().PkgPath() == "database/sql" && strings.HasPrefix(null.Type().Name(), "Null[") {
		if !null.FieldByName("Valid").Bool() {
			return nil
		}
		return fitsBehind(null.FieldByName("V").Interface())
	}
	if _, ok := v.(driver.Valuer); ok {
		return nil
	}
	switch rv.Kind() {
	case reflect.Uint:
		return fits(rv.Uint())
	case reflect.Pointer:
		if !rv.IsNil() {
			return fitsBehind(rv.Elem().Interface())
		}
	}
	return nil
}

// fits refuses a number that SQLite has no integer for.
func fits(n uint64) error {
	if n > math.MaxInt64 {
		return fmt.Errorf("stdlib: %d is too large for SQLite, whose integers end at %d", n, int64(math.MaxInt64))
	}
	return nil
}

func bindValue(s parameters, i int, v driver.Value) error {
	switch v := v.(type) {
	case nil:
		s.BindNull(i)
	case int64:
		s.BindInt64(i, v)
	case string:
		s.BindText(i, v)
	case []byte:
		s.BindBlob(i, v)
	case float64:
		s.BindFloat64(i, v)
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		s.BindInt64(i, n)
	case time.Time:
		text, err := lido.FormatTime(v)
		if err != nil {
			return fmt.Errorf("stdlib: parameter %d: %w", i, err)
		}
		s.BindText(i, text)
	case int:
		s.BindInt64(i, int64(v))
	case int32:
		s.BindInt64(i, int64(v))
	case int16:
		s.BindInt64(i, int64(v))
	case int8:
		s.BindInt64(i, int64(v))
	case uint64:
		s.BindInt64(i, int64(v)) // checkValue has seen that it fits
	case uint:
		s.BindInt64(i, int64(v))
	case uint32:
		s.BindInt64(i, int64(v))
	case uint16:
		s.BindInt64(i, int64(v))
	case uint8:
		s.BindInt64(i, int64(v))
	case float32:
		s.BindFloat64(i, float64(v))
	default:
		return fmt.Errorf("stdlib: parameter %d: %T has no form in SQLite", i, v)
	}
	return nil
}
