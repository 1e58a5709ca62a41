package lido

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"
)

// TimeFormat is a form in which a column keeps its times. New columns keep
// [TimeLayout]; the others are for columns that something else fills, for two
// forms in one column neither sort nor compare.
//
// Times of one form compare in SQL as they do in Go, cut to what the form
// keeps: a form of seconds cuts the fraction off, towards the past, where a
// time is stored and where it is compared, so that a time finds itself. Text
// is always in UTC.
type TimeFormat int

const (
	// TimeLido is TimeLayout.
	TimeLido TimeFormat = iota
	// TimeMattn is what mattn/go-sqlite3 writes for a time in UTC: the offset
	// +00:00, and as many digits of the second as the value has.
	TimeMattn
	// TimeRFC3339Nano is time.RFC3339 with nine digits of the second, always.
	// time.RFC3339Nano drops zeros at the end, and such text does not sort.
	TimeRFC3339Nano
	// TimeUnix is the number of whole seconds since 1970. Fractions are cut off.
	TimeUnix
	// TimeUnixMilli is the number of whole milliseconds since 1970. Smaller
	// fractions are cut off.
	TimeUnixMilli
	// TimeDateTime is what CURRENT_TIMESTAMP writes, whole seconds without a
	// zone: 2006-01-02 15:04:05.
	TimeDateTime
)

const (
	mattnLayout       = "2006-01-02 15:04:05.999999999-07:00"
	rfc3339NanoLayout = "2006-01-02T15:04:05.000000000Z"
)

// String returns the name that the generator's option time_format has for f.
func (f TimeFormat) String() string {
	switch f {
	case TimeLido:
		return "lido"
	case TimeMattn:
		return "mattn"
	case TimeRFC3339Nano:
		return "rfc3339nano"
	case TimeUnix:
		return "unix"
	case TimeUnixMilli:
		return "unixmilli"
	case TimeDateTime:
		return "datetime"
	}
	return "unknown format"
}

// number returns the value in a format that is one.
func (f TimeFormat) number(t time.Time) (n int64, ok bool) {
	switch f {
	case TimeUnix:
		return t.Unix(), true
	case TimeUnixMilli:
		return t.UnixMilli(), true
	}
	return 0, false
}

// text returns the value in a format that is text.
func (f TimeFormat) text(t time.Time) (string, error) {
	layout := TimeLayout
	switch f {
	case TimeMattn:
		layout = mattnLayout
	case TimeRFC3339Nano:
		layout = rfc3339NanoLayout
	case TimeDateTime:
		layout = time.DateTime
	}
	return formatTime(t, layout)
}

// BindTimeAs sets parameter i to v in format f.
func BindTimeAs(s Stmt, i int, v time.Time, f TimeFormat) {
	if n, ok := f.number(v); ok {
		s.BindInt64(i, n)
		return
	}
	text, err := f.text(v)
	if err != nil {
		s.Fail(fmt.Errorf("parameter %d: %w", i, err))
		return
	}
	s.BindText(i, text)
}

// BindAnyAs is [BindAny] for a parameter that belongs to a column of times: a
// time, or what becomes one, is bound in format f.
func BindAnyAs(s Stmt, i int, v any, f TimeFormat) {
	if valuer, ok := v.(driver.Valuer); ok {
		dv, err := driver.DefaultParameterConverter.ConvertValue(valuer)
		if err != nil {
			s.Fail(fmt.Errorf("parameter %d: %w", i, err))
			return
		}
		v = dv
	}
	if p, ok := v.(*time.Time); ok && p != nil {
		v = *p
	}
	if t, ok := v.(time.Time); ok {
		BindTimeAs(s, i, t, f)
		return
	}
	BindAny(s, i, v)
}

// ColumnTimeAs reads column i as a time that was written in format f. What was
// written in another form is read as [ColumnTime] reads it.
func ColumnTimeAs(s Stmt, i int, f TimeFormat) time.Time {
	switch s.ColumnType(i) {
	case Integer:
		if f == TimeUnixMilli {
			return time.UnixMilli(s.ColumnInt64(i)).UTC()
		}
		if f == TimeUnix {
			return time.Unix(s.ColumnInt64(i), 0).UTC()
		}
	case Text:
		if f == TimeRFC3339Nano {
			if t, err := time.Parse(time.RFC3339Nano, s.ColumnText(i)); err == nil {
				return t
			}
		}
	}
	return ColumnTime(s, i)
}

// BindTimesAs is [BindSlice] for times in format f.
func BindTimesAs(s Stmt, i int, v []time.Time, f TimeFormat) {
	buf := append(make([]byte, 0, 2+40*len(v)), '[')
	for n, t := range v {
		if n > 0 {
			buf = append(buf, ',')
		}
		if number, ok := f.number(t); ok {
			buf = strconv.AppendInt(buf, number, 10)
			continue
		}
		text, err := f.text(t)
		if err != nil {
			s.Fail(fmt.Errorf("parameter %d, element %d: %w", i, n, err))
			return
		}
		buf = append(append(append(buf, '"'), text...), '"')
	}
	s.BindText(i, string(append(buf, ']')))
}
