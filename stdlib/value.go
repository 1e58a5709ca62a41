package stdlib

import (
	"database/sql/driver"
	"strings"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// typeName cuts off what a declared type has in parentheses.
func typeName(declType string) string {
	name, _, _ := strings.Cut(declType, "(")
	return strings.TrimSpace(name)
}

// value copies column i of the current row, into b if there is room.
func (h *head) value(s source, i int, b *boxes) driver.Value {
	switch s.ColumnType(i) {
	case lido.Integer:
		n := s.ColumnInt64(i)
		if !h.typed {
			return b.int64(n)
		}
		switch kind := h.columns.Kinds[i]; {
		case isBool(kind, n):
			return n == 1
		case kind != sqlite.DeclTime:
			return b.int64(n) // a number that is no boolean, too: Scan refuses it for a bool
		}
		t := time.Unix(n, 0).UTC()
		if n >= 1e12 || n <= -1e12 { // the rule of lido.ColumnTime
			t = time.UnixMilli(n).UTC()
		}
		if t.Year() < 0 || t.Year() > 9999 { // another unit; Scan refuses it for a time
			return b.int64(n)
		}
		return t
	case lido.Float:
		return b.float64(s.ColumnFloat64(i))
	case lido.Text:
		text := s.ColumnText(i)
		if h.columns.Kinds[i] == sqlite.DeclTime {
			if t, err := lido.ParseTime(text); err == nil {
				return t
			}
		}
		return b.text(text)
	case lido.Blob:
		return s.ColumnBlob(i, nil)
	}
	return nil
}

// isBool reports an integer that says no more than a bool: another number in a
// BOOLEAN column stays one, as database/sql refuses it for a bool.
func isBool(kind sqlite.DeclKind, n int64) bool {
	return kind == sqlite.DeclBool && (n == 0 || n == 1)
}

// result is the outcome of the last statement of an Exec.
type result struct{ rowid, changes int64 }

func (r result) LastInsertId() (int64, error) { return r.rowid, nil }
func (r result) RowsAffected() (int64, error) { return r.changes, nil }
