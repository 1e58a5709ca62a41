package slt

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Counts say what became of the records of a script.
type Counts struct {
	Passed, Skipped int
	Failures        []string // with the number of the line
}

// defaultThreshold is the number of values from which on a result is hashed, as
// long as a script does not set it.
const defaultThreshold = 8

// Conn is the connection that a script runs on. Scripts count on it that what
// is temporary stays.
type Conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Run executes the script on db, which must be empty. A record that fails does
// not end it; an error is one of the script or of ctx.
func Run(ctx context.Context, db Conn, script io.Reader) (Counts, error) {
	var counts Counts
	p := newParser(script)
	limit := defaultThreshold
	labels := map[string]string{}
	for {
		if err := ctx.Err(); err != nil {
			return counts, err
		}
		rec, err := p.record()
		switch {
		case err == io.EOF:
			return counts, nil
		case err != nil:
			return counts, err
		case rec.skip:
			if rec.kind == statement || rec.kind == query {
				counts.Skipped++
			}
			continue
		}
		switch rec.kind {
		case halt:
			return counts, nil
		case threshold:
			limit = rec.limit
			continue
		case statement:
			_, err = db.ExecContext(ctx, rec.sql)
			if rec.fails && err == nil {
				err = errors.New("succeeds, and should not")
			} else if rec.fails {
				err = nil
			}
		case query:
			err = check(ctx, db, rec, limit, labels)
		}
		if err != nil {
			counts.Failures = append(counts.Failures, fmt.Sprintf("line %d: %v: %s", rec.line, err, rec.sql))
		} else {
			counts.Passed++
		}
	}
}

// check runs a query and compares its values.
func check(ctx context.Context, db Conn, rec record, limit int, labels map[string]string) error {
	got, err := values(ctx, db, rec)
	if err != nil {
		return err
	}
	switch rec.sort {
	case "", "nosort":
	case "rowsort":
		rows := slices.Collect(slices.Chunk(got, len(rec.types)))
		slices.SortStableFunc(rows, slices.Compare)
		got = slices.Concat(rows...)
	case "valuesort":
		slices.Sort(got)
	default:
		return fmt.Errorf("unknown order %q", rec.sort)
	}
	if rec.label == "" && (limit == 0 || len(got) <= limit) {
		return same(got, rec.want)
	}
	sum := md5.New()
	for _, v := range got {
		io.WriteString(sum, v)
		io.WriteString(sum, "\n")
	}
	hash := fmt.Sprintf("%d values hashing to %s", len(got), hex.EncodeToString(sum.Sum(nil)))
	if rec.label != "" {
		if before, ok := labels[rec.label]; ok && before != hash {
			return fmt.Errorf("%s, but the label %s had %s before", hash, rec.label, before)
		}
		labels[rec.label] = hash
	}
	if limit == 0 || len(got) <= limit {
		return same(got, rec.want)
	}
	return same([]string{hash}, rec.want)
}

func same(got, want []string) error {
	if !slices.Equal(got, want) {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}

// values returns the result of a query, a row after the other.
func values(ctx context.Context, db Conn, rec record) (_ []string, err error) {
	rows, err := db.QueryContext(ctx, rec.sql)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if len(columns) != len(rec.types) {
		return nil, fmt.Errorf("%d columns, want %d", len(columns), len(rec.types))
	}
	row := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range row {
		into[i] = &row[i]
	}
	var out []string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i, v := range row {
			text, err := render(rec.types[i], v)
			if err != nil {
				return nil, err
			}
			out = append(out, text)
		}
	}
	return out, rows.Err()
}

// render gives a value the form that SQLite's runner gives it. The conversions
// are those of sqlite3_column_int, _double and _text.
//
// https://www.sqlite.org/c3ref/column_blob.html
func render(as byte, value any) (string, error) {
	if b, ok := value.([]byte); ok {
		value = string(b)
	}
	if b, ok := value.(bool); ok {
		value = int64(0)
		if b {
			value = int64(1)
		}
	}
	if value == nil {
		return "NULL", nil
	}
	var text string
	switch v := value.(type) {
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'g', 15, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
	case string:
		text = v
	default:
		return "", fmt.Errorf("a %T came out of a query", value)
	}
	switch as {
	case 'I':
		if f, ok := value.(float64); ok {
			return strconv.Itoa(int(int32(int64(f)))), nil
		}
		return strconv.Itoa(int(int32(leadingInt(text)))), nil
	case 'R':
		return threeDigits(leadingFloat(text, value)), nil
	}
	if text == "" {
		return "(empty)", nil
	}
	printable := []byte(text)
	for i, c := range printable {
		if c < ' ' || c > '~' {
			printable[i] = '@'
		}
	}
	return string(printable), nil
}

// threeDigits is what the engine makes of %.3f: of a large number it gives
// sixteen digits, and then zeros.
func threeDigits(f float64) string {
	const exact = 1e15
	if -exact < f && f < exact {
		return strconv.FormatFloat(f, 'f', 3, 64)
	}
	digits, _, err := big.ParseFloat(strconv.FormatFloat(f, 'e', 15, 64), 10, 2048, big.ToNearestEven)
	if err != nil { // it is infinite
		return strconv.FormatFloat(f, 'f', 3, 64)
	}
	return digits.Text('f', 3)
}

// leadingInt is the number that a text begins with.
func leadingInt(text string) int64 {
	text = strings.TrimLeft(text, " \t\n\v\f\r")
	n := 0
	for n < len(text) && ('0' <= text[n] && text[n] <= '9' || n == 0 && (text[0] == '-' || text[0] == '+')) {
		n++
	}
	v, err := strconv.ParseInt(text[:n], 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// leadingFloat is the number that a text begins with, or the value itself.
func leadingFloat(text string, value any) float64 {
	switch v := value.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	text = strings.TrimLeft(text, " \t\n\v\f\r")
	for n := len(text); n > 0; n-- {
		if f, err := strconv.ParseFloat(text[:n], 64); err == nil {
			return f
		}
	}
	return 0
}
