package stdlib

import (
	"database/sql/driver"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/lidodb/lido/sqlite"
)

// columnTypes are the optional interfaces that describe columns.
type columnTypes interface {
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypeLength
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

var (
	_ columnTypes = (*rows)(nil)
	_ columnTypes = (*buffered)(nil)
)

// ColumnTypeDatabaseTypeName returns the declared type of a column in capitals,
// without what is in parentheses, or nothing for an expression.
func (h *head) ColumnTypeDatabaseTypeName(i int) string {
	return strings.ToUpper(typeName(h.columns.DeclTypes[i]))
}

// ColumnTypeNullable says that any column may be NULL. NOT NULL in the schema
// proves nothing of a result: an outer join or a subquery without a row gives
// NULL all the same, and the engine still names the column behind it.
func (h *head) ColumnTypeNullable(int) (nullable, ok bool) { return true, true }

// ColumnTypeLength returns the length that the schema declares, as in
// VARCHAR(10), which the engine does not enforce; for other text and blobs
// there is no limit but the connection's.
func (h *head) ColumnTypeLength(i int) (length int64, ok bool) {
	switch affinityOf(h.columns.DeclTypes[i]) {
	case affinityText, affinityBlob:
	default:
		return 0, false
	}
	if n, _ := inParentheses(h.columns.DeclTypes[i]); len(n) == 1 {
		return n[0], true
	}
	return math.MaxInt64, true
}

// ColumnTypePrecisionScale returns the two numbers of DECIMAL(10, 2) and
// NUMERIC(10, 2). The engine does not enforce them.
func (h *head) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	switch h.ColumnTypeDatabaseTypeName(i) {
	case "DECIMAL", "NUMERIC", "DEC":
	default:
		return 0, 0, false
	}
	switch n, _ := inParentheses(h.columns.DeclTypes[i]); len(n) {
	case 1:
		return n[0], 0, true
	case 2:
		return n[0], n[1], true
	}
	return 0, 0, false
}

// ColumnTypeScanType returns the type of the value in the row that is at hand,
// or without a row what the declared type leads to; where neither says
// anything, and for NULL, that is any.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	if r.stmt == nil || r.end {
		return r.scanType(i)
	}
	return r.scanTypeOf(i, r.value(r.stmt, i, nil))
}

// ColumnTypeScanType is that of rows.
func (b *buffered) ColumnTypeScanType(i int) reflect.Type {
	if len(b.rows) == 0 {
		return b.scanType(i)
	}
	return b.scanTypeOf(i, b.rows[0][i])
}

func (h *head) scanTypeOf(i int, v driver.Value) reflect.Type {
	switch n, isInt := v.(int64); {
	case v == nil:
		return reflect.TypeFor[any]()
	case isInt && isBool(h.columns.Kinds[i], n):
		return reflect.TypeFor[bool]()
	}
	return reflect.TypeOf(v)
}

// scanType goes by the declared type alone.
func (h *head) scanType(i int) reflect.Type {
	switch h.columns.Kinds[i] {
	case sqlite.DeclTime:
		return reflect.TypeFor[time.Time]()
	case sqlite.DeclBool:
		return reflect.TypeFor[bool]()
	}
	switch affinityOf(h.columns.DeclTypes[i]) {
	case affinityInteger:
		return reflect.TypeFor[int64]()
	case affinityText:
		return reflect.TypeFor[string]()
	case affinityBlob:
		return reflect.TypeFor[[]byte]()
	case affinityReal:
		return reflect.TypeFor[float64]()
	}
	return reflect.TypeFor[any]()
}

type affinity int

const (
	affinityNone affinity = iota // nothing declared
	affinityInteger
	affinityText
	affinityBlob
	affinityReal
	affinityNumeric
)

// affinityOf follows the engine's rules, but tells a column declared as BLOB
// from one without a type.
//
// https://www.sqlite.org/datatype3.html#determination_of_column_affinity
func affinityOf(declType string) affinity {
	t := strings.ToUpper(declType)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(t, p) {
				return true
			}
		}
		return false
	}
	switch {
	case t == "":
		return affinityNone
	case has("INT"):
		return affinityInteger
	case has("CHAR", "CLOB", "TEXT"):
		return affinityText
	case has("BLOB"):
		return affinityBlob
	case has("REAL", "FLOA", "DOUB"):
		return affinityReal
	}
	return affinityNumeric
}

// inParentheses returns the numbers of a declared type.
func inParentheses(declType string) (numbers []int64, ok bool) {
	_, list, found := strings.Cut(declType, "(")
	list, _, closed := strings.Cut(list, ")")
	if !found || !closed {
		return nil, false
	}
	for part := range strings.SplitSeq(list, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64)
		if err != nil {
			return nil, false
		}
		numbers = append(numbers, n)
	}
	return numbers, true
}
