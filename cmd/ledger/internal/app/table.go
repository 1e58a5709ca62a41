package app

import (
	"io"
	"strings"
	"unicode/utf8"
)

// table is text in columns: the first left ones begin at the left, the others
// end at the right.
type table struct {
	head []string
	rows [][]string
	foot []string
	left int // at least 1
}

func (t *table) write(w io.Writer) error {
	all := append([][]string{t.head}, t.rows...)
	if t.foot != nil {
		all = append(all, t.foot)
	}
	width := make([]int, len(t.head))
	for _, row := range all {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	rule := make([]string, len(width))
	for i, n := range width {
		rule[i] = strings.Repeat("-", n)
	}
	var b strings.Builder
	line := func(row []string) {
		var cells []string
		for i, cell := range row {
			space := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i < max(t.left, 1) {
				cells = append(cells, cell+space)
			} else {
				cells = append(cells, space+cell)
			}
		}
		b.WriteString(strings.TrimRight(strings.Join(cells, "  "), " "))
		b.WriteByte('\n')
	}
	line(t.head)
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
	if t.foot != nil {
		line(rule)
		line(t.foot)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// group writes a decimal number with commas between thousands.
func group(amount string) string {
	sign, rest := "", amount
	if strings.HasPrefix(rest, "-") {
		sign, rest = "-", rest[1:]
	}
	whole, fraction, found := strings.Cut(rest, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if found {
		whole += "." + fraction
	}
	return sign + whole
}

// cut shortens text to n characters.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}
