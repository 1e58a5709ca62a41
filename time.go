package lido

import (
	"fmt"
	"strings"
	"time"
)

// TimeLayout is how Lido writes a time: UTC, nanoseconds, always 30 bytes. As
// text it sorts in the order of time, equals itself in a WHERE clause, sorts
// right beside what CURRENT_TIMESTAMP writes, and SQLite's date functions
// understand it.
//
// https://www.sqlite.org/lang_datefunc.html#time_values
const TimeLayout = "2006-01-02 15:04:05.000000000Z"

// FormatTime returns t in TimeLayout. Only the years 0 to 9999 can be written.
func FormatTime(t time.Time) (string, error) { return formatTime(t, TimeLayout) }

func formatTime(t time.Time, layout string) (string, error) {
	t = t.UTC()
	if !writable(t) {
		return "", fmt.Errorf("time in the year %d cannot be stored: only the years 0 to 9999 sort as text", t.Year())
	}
	return t.Format(layout), nil
}

// writable reports whether the year has four digits.
func writable(t time.Time) bool { return t.Year() >= 0 && t.Year() <= 9999 }

// The first second of the year 0 and the last one of 9999, counted from 1970.
const firstSecond, lastSecond = -62167219200, 253402300799

// otherTimeLayouts are the forms that CURRENT_TIMESTAMP, mattn/go-sqlite3 and
// modernc.org/sqlite have written into existing databases.
var otherTimeLayouts = []string{
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04Z07:00",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
	"2006-01-02",
}

// ParseTime reads TimeLayout and the forms that CURRENT_TIMESTAMP,
// mattn/go-sqlite3 and modernc.org/sqlite write. A time without a zone is UTC.
func ParseTime(s string) (time.Time, error) {
	if t, ok := parseOwnTime(s); ok {
		return t, nil
	}
	for _, layout := range otherTimeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	if t, ok := parseGoString(s); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time in any form that SQLite, mattn or modernc write", s)
}

// parseGoString reads what time.Time.String writes. The name of the zone says
// nothing beside the offset, and is a second offset where the zone has no name;
// after it may come the reading of the monotonic clock.
func parseGoString(s string) (time.Time, bool) {
	if i := strings.Index(s, " m="); i >= 0 {
		s = s[:i]
	}
	zone := strings.LastIndexByte(s, ' ')
	if zone < 0 {
		return time.Time{}, false
	}
	t, err := time.Parse("2006-01-02 15:04:05.999999999 -0700", s[:zone])
	return t, err == nil
}

// parseOwnTime is time.Parse for TimeLayout and for what CURRENT_TIMESTAMP and
// CURRENT_DATE write, several times faster.
func parseOwnTime(s string) (time.Time, bool) {
	switch len(s) {
	case len(TimeLayout):
		if s[19] != '.' || s[29] != 'Z' {
			return time.Time{}, false
		}
	case len(time.DateTime), len(time.DateOnly):
	default:
		return time.Time{}, false
	}
	ok := s[4] == '-' && s[7] == '-'
	num := func(from, to int) int {
		n := 0
		for _, c := range []byte(s[from:to]) {
			if c < '0' || c > '9' {
				ok = false
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	y, mo, d := num(0, 4), num(5, 7), num(8, 10)
	var h, mi, sec, ns int
	if len(s) > len(time.DateOnly) {
		ok = ok && s[10] == ' ' && s[13] == ':' && s[16] == ':'
		h, mi, sec = num(11, 13), num(14, 16), num(17, 19)
	}
	if len(s) > len(time.DateTime) {
		ns = num(20, 29)
	}
	if !ok || mo < 1 || mo > 12 || d < 1 || h > 23 || mi > 59 || sec > 59 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(mo), d, h, mi, sec, ns, time.UTC)
	if t.Day() != d { // the 30th of February
		return time.Time{}, false
	}
	return t, true
}
