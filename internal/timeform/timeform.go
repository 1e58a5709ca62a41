// Package timeform knows the forms in which databases keep times.
package timeform

import (
	"regexp"
	"strings"
)

// Forms of a column. The first five are values of the generator's option
// time_format.
const (
	Lido        = "lido"
	DateTime    = "datetime"
	RFC3339Nano = "rfc3339nano"
	Mattn       = "mattn"
	Unix        = "unix"
	UnixMilli   = "unixmilli"
	Other       = "other"
)

// texts are the forms of text that libraries and SQLite write.
var texts = []struct {
	name string
	form *regexp.Regexp
}{
	{Lido, regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}Z$`)},
	{DateTime, regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`)},
	{"day", regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)},
	{"clock", regexp.MustCompile(`^\d\d:\d\d(:\d\d(\.\d+)?)?$`)},
	{Mattn, regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00:00$`)},
	{"mattn_zone", regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d$`)},
	{RFC3339Nano, regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$`)},
	{"rfc3339", regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)},
	{"rfc3339_fraction", regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$`)},
	{"rfc3339_zone", regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d$`)},
	{"go_string", regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \S+( m=.*)?$`)},
	{"sqlite_fraction", regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+$`)},
}

// OfText names the form of a text.
func OfText(text string) string {
	for _, f := range texts {
		if f.form.MatchString(text) {
			return f.name
		}
	}
	return Other
}

// ToDateTime is the statement that brings the text of a column to the form of
// CURRENT_TIMESTAMP. It cuts fractions off, as the generator's time_format
// does, and leaves values alone that SQLite does not read as a time: numbers,
// and what time.Time.String writes, with spaces around the offset.
func ToDateTime(table, column string) string {
	c := quote(column)
	// SQLite would round a fraction.
	value := "datetime(substr(" + c + ", 1, 19) || CASE WHEN substr(" + c + ", -6, 1) IN ('+', '-') AND length(" + c + ") > 19 THEN substr(" + c + ", -6) ELSE '' END)"
	return "UPDATE " + quote(table) + " SET " + c + " = " + value + " WHERE typeof(" + c + ") = 'text' AND instr(substr(" + c + ", 20), ' ') = 0 AND " + c + " <> " + value + ";"
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
