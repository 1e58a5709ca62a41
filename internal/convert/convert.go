// Package convert reads SQLite values as Go types where the storage class is
// not the obvious one. The engine would answer zero where these refuse.
package convert

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/lidodb/lido"
)

// FloatToInt64 accepts a number without a fraction that fits.
func FloatToInt64(f float64) (int64, bool) {
	if f != math.Trunc(f) || f < -(1<<63) || f >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// TextToInt64 accepts text that spells an integer.
func TextToInt64(s string) (int64, bool) {
	v, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return v, err == nil
}

// Int64ToFloat64 accepts a number that a float64 holds exactly.
func Int64ToFloat64(n int64) (float64, bool) {
	f := float64(n)
	back, ok := FloatToInt64(f)
	return f, ok && back == n
}

// TextToFloat64 accepts text that spells a number.
func TextToFloat64(s string) (float64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return v, err == nil && v == v // "NaN" is none
}

// Exactly is what an integer cannot be read as where Int64ToFloat64 refuses it.
const Exactly = "a float64, which cannot hold it exactly"

// Refusal is the error for a value of column i that cannot be read as what the
// caller asked for. columns is how many the row has.
func Refusal(i, columns int, name string, t lido.Type, as string) error {
	if i < 0 || i >= columns {
		return fmt.Errorf("column %d: the row has %d", i, columns)
	}
	return fmt.Errorf("column %d (%s): %s cannot be read as %s", i, name, t, as)
}
