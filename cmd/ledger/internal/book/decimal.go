package book

import (
	"math"
	"strconv"
	"strings"
)

// maxMinor bounds an amount in a currency's smallest unit, as the database's
// own CHECK does.
const maxMinor = 999_999_999_999_999_999

// MaxDigits is how many decimals a currency can have.
const MaxDigits = 12

// Decimal is an exact decimal number, coef times ten to the power of -scale.
// The zero value is 0.
type Decimal struct {
	coef  int64
	scale int
}

// ParseDecimal reads a plain number: digits, at most one point, a leading
// minus sign.
func ParseDecimal(text string) (Decimal, error) {
	if strings.ContainsAny(text, ",'_ eE+\u00a0\u202f") {
		return Decimal{}, badNumber(text)
	}
	return ParseDecimalMark(text, '.')
}

// ParseDecimalMark reads a number as bookkeeping programs write it: with a
// point or a comma for the decimals, spaces, points, commas, apostrophes or
// underscores between groups of three digits, and perhaps an exponent.
//
// mark is the decimal mark, or 0 to find it in the number: the later of two
// different marks is the decimal mark, and one that occurs twice is not; a mark
// that is given cannot occur twice. A single comma before exactly three digits could be either and is refused.
func ParseDecimalMark(text string, mark byte) (Decimal, error) {
	body, exponent, err := splitExponent(text)
	if err != nil {
		return Decimal{}, err
	}
	negative := false
	switch {
	case strings.HasPrefix(body, "-"):
		negative, body = true, body[1:]
	case strings.HasPrefix(body, "+"):
		body = body[1:]
	}
	if mark == 0 {
		if mark, err = findMark(text, body); err != nil {
			return Decimal{}, err
		}
	}
	whole, fraction := body, ""
	if i := strings.LastIndexByte(body, mark); mark != noMark && i >= 0 {
		whole, fraction = body[:i], body[i+1:]
		if strings.IndexByte(whole, mark) >= 0 {
			return Decimal{}, badNumber(text)
		}
	}
	if whole, err = ungroup(text, whole); err != nil {
		return Decimal{}, err
	}
	if whole+fraction == "" || !isDigits(fraction) {
		return Decimal{}, badNumber(text)
	}
	return newDecimal(text, negative, whole+fraction, len(fraction)-exponent)
}

// newDecimal builds the number from its digits, refusing what does not fit.
func newDecimal(text string, negative bool, digits string, scale int) (Decimal, error) {
	digits = strings.TrimLeft(digits, "0")
	// Zeros at the end say nothing about the value. Without them "1.50" and
	// "1.5000" are the same number, and more numbers fit.
	for scale > 0 && strings.HasSuffix(digits, "0") {
		digits, scale = digits[:len(digits)-1], scale-1
	}
	if digits == "" {
		return Decimal{}, nil
	}
	if scale < 0 {
		if len(digits)-scale > 19 {
			return Decimal{}, tooLarge(text)
		}
		digits, scale = digits+strings.Repeat("0", -scale), 0
	}
	if scale > MaxDigits {
		return Decimal{}, invalid("too_precise", "round it",
			"amount %q has %d decimals, more than the %d that a currency can have", text, scale, MaxDigits)
	}
	coef, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || coef > maxMinor {
		return Decimal{}, tooLarge(text)
	}
	if negative {
		coef = -coef
	}
	return Decimal{coef, scale}, nil
}

// Scale returns how many decimals the number needs.
func (d Decimal) Scale() int { return d.scale }

// Minor returns the number in units of which ten to the power of digits make
// one.
func (d Decimal) Minor(digits int) (int64, error) {
	if d.scale > digits {
		return 0, invalid("too_precise", "round it", "amount %s has %d decimals, the currency has %d", d, d.scale, digits)
	}
	minor := d.coef
	for range digits - d.scale {
		if minor > maxMinor/10 || minor < -maxMinor/10 {
			return 0, tooLarge(d.String())
		}
		minor *= 10
	}
	return minor, nil
}

// String writes the number without an exponent.
func (d Decimal) String() string { return FormatMinor(d.coef, d.scale) }

// FormatMinor writes an amount of smallest units with its decimals: 1250 with
// 2 digits is "12.50".
func FormatMinor(minor int64, digits int) string {
	sign, abs := "", uint64(minor)
	if minor < 0 {
		sign, abs = "-", -abs // right for the smallest integer as well
	}
	text := strconv.FormatUint(abs, 10)
	if digits == 0 {
		return sign + text
	}
	if missing := digits + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	point := len(text) - digits
	return sign + text[:point] + "." + text[point:]
}

// noMark says that a number has no decimals.
const noMark = byte(1)

// findMark tells which byte of body stands before the decimals.
func findMark(text, body string) (byte, error) {
	point, comma := strings.LastIndexByte(body, '.'), strings.LastIndexByte(body, ',')
	switch {
	case point < 0 && comma < 0:
		return noMark, nil
	case point >= 0 && comma >= 0:
		if point > comma {
			return '.', nil
		}
		return ',', nil
	}
	mark, last := byte('.'), point
	if comma >= 0 {
		mark, last = ',', comma
	}
	if strings.Count(body, string(mark)) > 1 {
		return noMark, nil
	}
	if mark == ',' && len(body)-last == 4 && last >= 1 && last <= 3 && body[0] != '0' {
		return 0, invalid("bad_amount", `say which with --decimal-mark "," or "."`,
			"amount %q can mean a fraction or thousands", text)
	}
	return mark, nil
}

// ungroup removes the marks between groups of three digits.
func ungroup(text, whole string) (string, error) {
	const marks = ".,'_ \u00a0\u202f"
	groups := strings.FieldsFunc(whole, func(r rune) bool { return strings.ContainsRune(marks, r) })
	joined := strings.Join(groups, "")
	if !isDigits(joined) {
		return "", badNumber(text)
	}
	if len(groups) <= 1 {
		if joined != whole {
			return "", badNumber(text)
		}
		return joined, nil
	}
	rest, mark := whole[len(groups[0]):], ""
	for i, group := range groups {
		if i == 0 {
			if len(group) > 3 || !strings.HasPrefix(whole, group) {
				return "", badNumber(text)
			}
			continue
		}
		cut, after, found := strings.Cut(rest, group)
		if !found || len(group) != 3 || cut == "" || (mark != "" && cut != mark) || len([]rune(cut)) != 1 {
			return "", badNumber(text)
		}
		mark, rest = cut, after
	}
	if rest != "" {
		return "", badNumber(text)
	}
	return joined, nil
}

// splitExponent takes the exponent off a number such as 1.5E3.
func splitExponent(text string) (body string, exponent int, err error) {
	i := strings.IndexAny(text, "eE")
	if i < 0 {
		return text, 0, nil
	}
	exponent, err = strconv.Atoi(text[i+1:])
	if err != nil || exponent > 100 || exponent < -100 {
		return "", 0, badNumber(text)
	}
	return text[:i], exponent, nil
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func badNumber(text string) error {
	return invalid("bad_amount", `write it like "1234.50" or "-12"`, "amount %q is not a number", text)
}

func tooLarge(text string) error {
	return invalid("too_large", "split it or use a coarser currency",
		"amount %q is beyond what the ledger can hold, 10 to the 18th of the smallest unit", text)
}

// addChecked adds without wrapping around.
func addChecked(a, b int64) (int64, bool) {
	if (b > 0 && a > math.MaxInt64-b) || (b < 0 && a < math.MinInt64-b) {
		return 0, false
	}
	return a + b, true
}
