package stdlib

import (
	"database/sql/driver"
	"fmt"
	"math"
	"time"

	"github.com/lidodb/lido"
)

// arguments are handed to the statements of one call, one after the other.
type arguments struct {
	list   []driver.NamedValue
	offset int    // positional arguments that earlier statements have used
	used   []bool // which named ones have been used; nil when there are none
}

func newArguments(list []driver.NamedValue) arguments {
	a := arguments{list: list}
	for i := range list {
		if list[i].Name != "" {
			a.used = make([]bool, len(list))
			break
		}
	}
	return a
}

// parameters is a statement whose parameters can be set.
type parameters interface {
	BindNull(i int)
	BindInt64(i int, v int64)
	BindFloat64(i int, v float64)
	BindText(i int, v string)
	BindBlob(i int, v []byte)
}

// bind sets every parameter of s. When s is the last statement of the call, no
// argument may be left.
func (a *arguments) bind(s parameters, names []string, last bool) error {
	for i, name := range names {
		v := a.find(i, name)
		if v == nil {
			if name != "" {
				return fmt.Errorf("stdlib: no argument for parameter %s", name)
			}
			return fmt.Errorf("stdlib: %d arguments, but no argument for parameter %d", len(a.list), a.offset+i+1)
		}
		if err := bindValue(s, i+1, v.Value); err != nil {
			return err
		}
	}
	a.offset += len(names)
	if last {
		return a.rest()
	}
	return nil
}

// find returns the argument for parameter i, from 0, with that name: the one of
// its name, or else the one in its place.
func (a *arguments) find(i int, name string) *driver.NamedValue {
	if a.used != nil && name != "" && name[0] != '?' {
		for at := range a.list {
			if a.list[at].Name == name[1:] {
				a.used[at] = true
				return &a.list[at]
			}
		}
	}
	if at := a.offset + i; at < len(a.list) && a.list[at].Name == "" {
		return &a.list[at]
	}
	return nil
}

// rest refuses arguments that no parameter has asked for: a name that is
// misspelt must not turn into a parameter that is NULL.
func (a *arguments) rest() error {
	for at := range a.list {
		switch v := &a.list[at]; {
		case v.Name != "" && !a.used[at]:
			return fmt.Errorf("stdlib: no parameter is named %q", v.Name)
		case v.Name == "" && at >= a.offset:
			return fmt.Errorf("stdlib: %d arguments for %d parameters", len(a.list), a.offset)
		}
	}
	return nil
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
	return driver.ErrSkip
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
