package stdlib

import (
	"database/sql/driver"
	"strings"
	"time"

	"github.com/lidodb/lido"
)

// declared is what the declared type of a column makes of its values.
type declared uint8

const (
	asStored declared = iota
	asTime
	asBool
)

// declaredAs looks at the declared type alone, without what is in parentheses.
func declaredAs(declType string) declared {
	if len(declType) < len("DATE") {
		return asStored
	}
	switch c := declType[0] | 0x20; c { // most columns are neither
	case 'd', 't', 'b', ' ':
	default:
		return asStored
	}
	switch name := typeName(declType); {
	case strings.EqualFold(name, "DATE"), strings.EqualFold(name, "DATETIME"), strings.EqualFold(name, "TIMESTAMP"):
		return asTime
	case strings.EqualFold(name, "BOOLEAN"):
		return asBool
	}
	return asStored
}

// typeName cuts off what a declared type has in parentheses.
func typeName(declType string) string {
	name, _, _ := strings.Cut(declType, "(")
	return strings.TrimSpace(name)
}

// value copies column i of the current row.
func (h *head) value(s source, i int) driver.Value {
	switch s.ColumnType(i) {
	case lido.Integer:
		n := s.ColumnInt64(i)
		if !h.typed {
			return n
		}
		switch as := h.as[i]; {
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
		if h.as[i] == asTime {
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

// result is the outcome of the last statement of an Exec.
type result struct{ rowid, changes int64 }

func (r result) LastInsertId() (int64, error) { return r.rowid, nil }
func (r result) RowsAffected() (int64, error) { return r.changes, nil }
