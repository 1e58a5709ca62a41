package lido_test

import (
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
)

var countTo = lido.Query{
	Name:     "CountTo",
	SQL:      "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c LIMIT ?1",
	ReadOnly: true,
}

// numbers lists as generated code does, and counts how often the list moved.
func numbers(t *testing.T, db *pool.DB, n int) (rows []int64, moved int) {
	t.Helper()
	s, err := db.PrepareRead(t.Context(), &countTo)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.BindInt64(1, int64(n))
	row, err := s.Step()
	for row && err == nil {
		before := cap(rows)
		rows = lido.Append(s, rows, s.ColumnInt64(0))
		if cap(rows) != before {
			moved++
		}
		if cap(rows) > 10*len(rows)+10 {
			t.Fatalf("room for %d when %d were there", cap(rows), len(rows))
		}
		row, err = s.Step()
	}
	if err != nil {
		t.Fatal(err)
	}
	return lido.Trim(rows), moved
}

func TestAppendMakesRoomForAsManyRowsAsLastTime(t *testing.T) {
	db := pooltest.Open(t, nil, pool.Config{MaxReaders: 1})
	last := 0
	for _, n := range []int{0, 1, 1, 3, 3, 40, 40, 1000, 1000, 1001, 1002, 1003, 1000, 0, 1, 130, 1000, 9, 100_000, 100_001, 5, 5} {
		rows, moved := numbers(t, db, n)
		if len(rows) != n || (rows == nil) != (n == 0) {
			t.Fatalf("%d rows, want %d", len(rows), n)
		}
		for i, v := range rows {
			if v != int64(i) {
				t.Fatalf("row %d is %d", i, v)
			}
		}
		if cap(rows) > 2*n+16 {
			t.Errorf("%d rows after %d: room for %d is kept", n, last, cap(rows))
		}
		if n == last && n > 0 {
			want := 0
			for size := n; size > 0; size /= 8 {
				want++
			}
			if moved > want {
				t.Errorf("%d rows again: moved %d times, want %d", n, moved, want)
			}
			if n > 16 && cap(rows) > n+n/5 { // a sixteenth more, and what the allocator rounds up
				t.Errorf("%d rows again: room for %d", n, cap(rows))
			}
		}
		last = n
	}
}

func TestAppendFollowsAListThatGrows(t *testing.T) {
	db := pooltest.Open(t, nil, pool.Config{MaxReaders: 1})
	total := 0
	for n := 1000; n < 1060; n++ {
		_, moved := numbers(t, db, n)
		total += moved
	}
	if total > 60*4+15 {
		t.Errorf("moved %d times in 60 lists", total)
	}
}

func TestTrimKeepsAnEmptyListAsItIs(t *testing.T) {
	if lido.Trim[int](nil) != nil {
		t.Error("no list became one")
	}
	if rows := lido.Trim([]int{}); rows == nil {
		t.Error("an empty list became none")
	}
	if rows := lido.Trim(make([]int, 0, 100)); rows == nil || cap(rows) > 0 {
		t.Error("an empty list with room:", rows == nil, cap(rows))
	}
	if rows := lido.Trim(append(make([]int, 0, 100), 7)); len(rows) != 1 || cap(rows) > 8 || rows[0] != 7 {
		t.Error(rows, cap(rows))
	}
}
