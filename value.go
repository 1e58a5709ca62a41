package lido

import (
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// The functions of this file carry the Go types that SQLite does not have to
// and from the five that it has. Generated code calls them; BindAny, ColumnAny
// and ColumnScan box the value and are only for columns without a Go type.

// BindBool sets parameter i to 1 or 0.
func BindBool(s Stmt, i int, v bool) {
	if v {
		s.BindInt64(i, 1)
	} else {
		s.BindInt64(i, 0)
	}
}

// ColumnBool reads column i as a boolean: the number 0 or 1, or text that
// strconv.ParseBool accepts. Any other number is an error: SQL takes it for
// true, but what it says beside that would be lost.
func ColumnBool(s Stmt, i int) bool {
	switch s.ColumnType(i) {
	case Integer:
		n := s.ColumnInt64(i)
		if n != 0 && n != 1 {
			unreadable(s, i, n, "a boolean, which is 0 or 1")
		}
		return n == 1
	case Float:
		f := s.ColumnFloat64(i)
		if f != 0 && f != 1 {
			unreadable(s, i, f, "a boolean, which is 0 or 1")
		}
		return f == 1
	case Text:
		text := s.ColumnText(i)
		v, err := strconv.ParseBool(text)
		if err != nil {
			unreadable(s, i, strconv.Quote(text), "a boolean")
		}
		return v
	}
	unreadable(s, i, nil, "a boolean")
	return false
}

// unreadable keeps the mistake of reading column i as what its value is not.
// Where value is nil the storage class says enough.
func unreadable(s Stmt, i int, value any, as string) {
	what := s.ColumnType(i).String()
	if value != nil {
		what = fmt.Sprintf("%s %v", what, value)
	}
	s.Fail(fmt.Errorf("column %s: %s cannot be read as %s", columnLabel(s, i), what, as))
}

// columnLabel is the number of a column, and its name where s knows it.
func columnLabel(s Stmt, i int) string {
	label := strconv.Itoa(i)
	if named, ok := s.(interface{ ColumnName(i int) string }); ok {
		label += " (" + named.ColumnName(i) + ")"
	}
	return label
}

// integer are Go's integer types.
type integer interface {
	int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64
}

// BindInt sets parameter i to v. SQLite has no number above the largest int64.
func BindInt[T integer](s Stmt, i int, v T) {
	n := int64(v)
	if n < 0 && v > 0 {
		s.Fail(fmt.Errorf("parameter %d: %d is more than SQLite can hold", i, v))
		return
	}
	s.BindInt64(i, n)
}

// ColumnInt reads column i as an integer of type T. A number that T cannot hold
// is an error.
func ColumnInt[T integer](s Stmt, i int) T {
	n := s.ColumnInt64(i)
	v := T(n)
	if int64(v) != n || (v < 0) != (n < 0) {
		unreadable(s, i, n, fmt.Sprintf("%T, which cannot hold it", v))
		return 0
	}
	return v
}

// ColumnFloat32 reads column i as the float32 that is nearest to it. A number
// beyond all of them is an error.
func ColumnFloat32(s Stmt, i int) float32 {
	f := s.ColumnFloat64(i)
	v := float32(f)
	if math.IsInf(float64(v), 0) && !math.IsInf(f, 0) {
		unreadable(s, i, f, "float32, which cannot hold it")
		return 0
	}
	return v
}

// BindTime sets parameter i to v in [TimeLayout].
func BindTime(s Stmt, i int, v time.Time) {
	text, err := FormatTime(v)
	if err != nil {
		s.Fail(fmt.Errorf("parameter %d: %w", i, err))
		return
	}
	s.BindText(i, text)
}

// ColumnTime reads column i as a time: text as [ParseTime] reads it, or a
// number of seconds (from 1e12 on: milliseconds) since 1970. A number of
// another unit is an error where the year shows it, and so is a real number
// that SQLite's date functions would take for a Julian day.
//
// https://www.sqlite.org/lang_datefunc.html#time_values
func ColumnTime(s Stmt, i int) time.Time {
	switch s.ColumnType(i) {
	case Integer:
		n := s.ColumnInt64(i)
		t := time.Unix(n, 0).UTC()
		if n >= 1e12 || n <= -1e12 {
			t = time.UnixMilli(n).UTC()
		}
		if !writable(t) {
			unreadable(s, i, n, "a time: neither as seconds nor as milliseconds since 1970 is it in the years 0 to 9999")
		}
		return t
	case Float:
		return columnSeconds(s, i)
	case Text:
		t, err := ParseTime(s.ColumnText(i))
		if err != nil {
			unreadable(s, i, nil, "a time: "+err.Error())
		}
		return t
	}
	unreadable(s, i, nil, "a time")
	return time.Time{}
}

// The Julian days of the years 0 to 9999.
const firstJulianDay, lastJulianDay = 1721059.5, 5373484.5

// columnSeconds reads a real number of seconds since 1970.
func columnSeconds(s Stmt, i int) time.Time {
	f := s.ColumnFloat64(i)
	switch {
	case f >= firstJulianDay && f < lastJulianDay:
		unreadable(s, i, f, "a time: it may be seconds since 1970 or a Julian day; select unixepoch() or datetime() of it")
	case f < firstSecond || f > lastSecond:
		unreadable(s, i, f, "a time: as seconds since 1970 it is not in the years 0 to 9999")
	default:
		sec, frac := math.Modf(f)
		return time.Unix(int64(sec), int64(frac*1e9)).UTC()
	}
	return time.Time{}
}

// BindJSON sets parameter i to the text of v, or to NULL if v is nil. It is
// text and not a blob, so that SQLite's JSON functions accept it.
func BindJSON(s Stmt, i int, v json.RawMessage) {
	if v == nil {
		s.BindNull(i)
		return
	}
	s.BindText(i, string(v))
}

// BindAny sets parameter i to v, which is one of the types database/sql knows,
// a driver.Valuer, a pointer to one of them, or of a kind that converts to one.
func BindAny(s Stmt, i int, v any) {
	switch v := v.(type) {
	case nil:
		s.BindNull(i)
	case int64:
		s.BindInt64(i, v)
	case float64:
		s.BindFloat64(i, v)
	case bool:
		BindBool(s, i, v)
	case string:
		s.BindText(i, v)
	case json.RawMessage:
		BindJSON(s, i, v)
	case []byte:
		s.BindBlob(i, v)
	case time.Time:
		BindTime(s, i, v)
	default:
		dv, err := driver.DefaultParameterConverter.ConvertValue(v)
		if err != nil {
			s.Fail(fmt.Errorf("parameter %d: %w", i, err))
			return
		}
		BindAny(s, i, dv)
	}
}

// ColumnAny returns the value of column i as nil, int64, float64, string or
// []byte, by its storage class.
func ColumnAny(s Stmt, i int) any {
	switch s.ColumnType(i) {
	case Integer:
		return s.ColumnInt64(i)
	case Float:
		return s.ColumnFloat64(i)
	case Text:
		return s.ColumnText(i)
	case Blob:
		return s.ColumnBlob(i, nil)
	}
	return nil
}

// ColumnScan gives the value of column i to dst.
func ColumnScan(s Stmt, i int, dst sql.Scanner) {
	if err := dst.Scan(ColumnAny(s, i)); err != nil {
		s.Fail(fmt.Errorf("column %s: %s: %w", columnLabel(s, i), s.ColumnType(i), err))
	}
}

// BindSlice sets parameter i to v as a JSON array, for "IN (SELECT +value FROM
// json_each(?))". One SQL text then serves every length, the empty one too. The
// plus makes the elements compare as parameters do; without it a column of text
// would not find a number that is written as one.
// A nil or absent element is NULL, which IN never matches. Blobs are written
// in hexadecimal; the generated SQL turns them back with unhex. Where elements
// of one slice may be of several types, a blob is {"blob":"00ff"}.
//
// https://www.sqlite.org/json1.html#jeach
func BindSlice[T any](s Stmt, i int, v []T) {
	buf := append(make([]byte, 0, 2+8*len(v)), '[')
	var err error
	for n := range v {
		if n > 0 {
			buf = append(buf, ',')
		}
		if buf, err = appendJSON(buf, any(&v[n])); err != nil {
			s.Fail(fmt.Errorf("parameter %d, element %d: %w", i, n, err))
			return
		}
	}
	s.BindText(i, string(append(buf, ']')))
}

// appendJSON writes the value v points to. It takes a pointer because one of
// those fits an interface without an allocation per element.
func appendJSON(buf []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case *int64:
		return strconv.AppendInt(buf, *v, 10), nil
	case *string:
		return appendJSONText(buf, *v)
	case *float64:
		if math.IsNaN(*v) || math.IsInf(*v, 0) {
			return nil, fmt.Errorf("%v has no form in JSON", *v)
		}
		return strconv.AppendFloat(buf, *v, 'e', -1, 64), nil
	case *bool:
		if *v {
			return append(buf, '1'), nil
		}
		return append(buf, '0'), nil
	case *[]byte:
		if *v == nil {
			return append(buf, "null"...), nil
		}
		buf = append(buf, '"')
		buf = hex.AppendEncode(buf, *v)
		return append(buf, '"'), nil
	case *json.RawMessage:
		if *v == nil {
			return append(buf, "null"...), nil
		}
		return appendJSONText(buf, string(*v))
	case *time.Time:
		text, err := FormatTime(*v)
		if err != nil {
			return nil, err
		}
		return appendJSONText(buf, text)
	case *any:
		return appendJSONValue(buf, *v)
	}
	return appendJSONValue(buf, v)
}

// appendJSONValue writes a value that only database/sql's rules can resolve.
func appendJSONValue(buf []byte, v any) ([]byte, error) {
	if doc, ok := v.(json.RawMessage); ok {
		return appendJSON(buf, &doc)
	}
	dv, err := driver.DefaultParameterConverter.ConvertValue(v)
	if err != nil {
		return nil, err
	}
	switch dv := dv.(type) {
	case nil:
		return append(buf, "null"...), nil
	case int64:
		return appendJSON(buf, &dv)
	case float64:
		return appendJSON(buf, &dv)
	case bool:
		return appendJSON(buf, &dv)
	case string:
		return appendJSON(buf, &dv)
	case []byte:
		if dv == nil {
			return append(buf, "null"...), nil
		}
		buf = hex.AppendEncode(append(buf, `{"blob":"`...), dv)
		return append(buf, `"}`...), nil
	case time.Time:
		return appendJSON(buf, &dv)
	}
	return nil, fmt.Errorf("%T has no form in SQLite", dv)
}

func appendJSONText(buf []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("%q is not valid UTF-8, which JSON requires", s)
	}
	text, err := json.Marshal(s)
	return append(buf, text...), err
}
