package lido

import "slices"

// Append is append for a row of stmt. It makes room for as many rows as stmt
// had the last time it ran, so that a list is not copied again and again while
// it grows: but never at once for more than eight times those that are there,
// because this time they may be few.
func Append[T any](stmt Stmt, rows []T, row T) []T {
	if len(rows) == cap(rows) {
		rows = grow(stmt, rows)
	}
	return append(rows, row)
}

func grow[T any](stmt Stmt, rows []T) []T {
	return slices.Grow(rows, room(stmt, len(rows)))
}

// room is how many rows to make room for where there are n.
func room(stmt Stmt, n int) int {
	s, ok := stmt.(interface{ ExpectedRows() int })
	if !ok {
		return 1
	}
	size := s.ExpectedRows()
	for size/8 > n {
		size /= 8
	}
	return max(size-n, 1)
}

// Trim gives back the room that Append has made for rows that did not come,
// if it is more than the others take.
func Trim[T any](rows []T) []T {
	if cap(rows) > 2*len(rows)+16 {
		rows = slices.Clip(slices.Clone(rows))
	}
	return rows
}
