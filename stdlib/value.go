package stdlib

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// arguments are handed to the statements of one call, one after the other.
type arguments struct {
	list   []driver.NamedValue
	offset int    // positional arguments that earlier statements have used
	used   []bool // which named ones have been used; nil when there are none
}

func newArguments(list []driver.NamedValue) *arguments {
	a := &arguments{list: list}
	for _, v := range list {
		if v.Name != "" {
			a.used = make([]bool, len(list))
			break
		}
	}
	return a
}

// bind sets every parameter of s. When s is the last statement of the call, no
// argument may be left.
func (a *arguments) bind(s *sqlite.Stmt, last bool) error {
	n := s.ParamCount()
	for i := 1; i <= n; i++ {
		v, ok := a.find(s, i)
		if !ok {
			if name := s.ParamName(i); name != "" {
				return fmt.Errorf("stdlib: no argument for parameter %s", name)
			}
			return fmt.Errorf("stdlib: %d arguments, but no argument for parameter %d", len(a.list), a.offset+i)
		}
		if err := bindValue(s, i, v); err != nil {
			return err
		}
	}
	a.offset += n
	if last {
		return a.rest()
	}
	return nil
}

// find returns the argument for parameter i of s: the one of its name, or else
// the one in its place.
func (a *arguments) find(s *sqlite.Stmt, i int) (driver.Value, bool) {
	if a.used != nil {
		if name := s.ParamName(i); name != "" && name[0] != '?' {
			for at, v := range a.list {
				if v.Name == name[1:] {
					a.used[at] = true
					return v.Value, true
				}
			}
		}
	}
	if at := a.offset + i - 1; at < len(a.list) && a.list[at].Name == "" {
		return a.list[at].Value, true
	}
	return nil, false
}

// rest refuses arguments that no parameter has asked for: a name that is
// misspelt must not turn into a parameter that is NULL.
func (a *arguments) rest() error {
	for at, v := range a.list {
		if v.Name != "" && !a.used[at] {
			return fmt.Errorf("stdlib: no parameter is named %q", v.Name)
		}
		if v.Name == "" && at >= a.offset {
			return fmt.Errorf("stdlib: %d arguments for %d parameters", len(a.list), a.offset)
		}
	}
	return nil
}

func bindValue(s *sqlite.Stmt, i int, v driver.Value) error {
	switch v := v.(type) {
	case nil:
		s.BindNull(i)
	case int64:
		s.BindInt64(i, v)
	case float64:
		s.BindFloat64(i, v)
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		s.BindInt64(i, n)
	case string:
		s.BindText(i, v)
	case []byte:
		s.BindBlob(i, v)
	case time.Time:
		text, err := lido.FormatTime(v)
		if err != nil {
			return fmt.Errorf("stdlib: parameter %d: %w", i, err)
		}
		s.BindText(i, text)
	default:
		return fmt.Errorf("stdlib: parameter %d: %T has no form in SQLite", i, v)
	}
	return nil
}

// declared is what the declared type of a column makes of its values.
type declared int

const (
	asStored declared = iota
	asTime
	asBool
)

// declaredAs looks at the declared type alone, without what is in parentheses.
func declaredAs(declType string) declared {
	name, _, _ := strings.Cut(declType, "(")
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "DATE", "DATETIME", "TIMESTAMP":
		return asTime
	case "BOOLEAN":
		return asBool
	}
	return asStored
}

// columnValue copies column i of the current row.
func columnValue(s *sqlite.Stmt, i int, as declared) driver.Value {
	switch s.ColumnType(i) {
	case lido.Integer:
		n := s.ColumnInt64(i)
		switch {
		case as == asBool:
			return n != 0
		case as != asTime:
			return n
		case n >= 1e12 || n <= -1e12: // the rule of lido.ColumnTime
			return time.UnixMilli(n).UTC()
		}
		return time.Unix(n, 0).UTC()
	case lido.Float:
		return s.ColumnFloat64(i)
	case lido.Text:
		text := s.ColumnText(i)
		if as == asTime {
			if t, err := lido.ParseTime(text); err == nil {
				return t
			}
		}
		return text
	case lido.Blob:
		return s.ColumnBlob(i, nil)
	}
	return nil
}

// named gives the arguments of database/sql's older interfaces their numbers.
func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, v := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}

// result is the outcome of the last statement of an Exec.
type result struct{ rowid, changes int64 }

func (r result) LastInsertId() (int64, error) { return r.rowid, nil }
func (r result) RowsAffected() (int64, error) { return r.changes, nil }
