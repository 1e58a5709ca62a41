package sqlite

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// lengths are of texts that fill, just fill and overflow the blocks in which
// strings are put together.
var lengths = []int{0, 1, 2, 20, 21, 100, 255, 256, 257, 300, 0, 700, 1023, 1024, 1025, 5000, 3, 3, 3, 90, 90, 90, 90, 90, 90, 90, 90, 90, 90, 90, 90}

func letters(n, at int) string { return strings.Repeat(string(rune('a'+at%26)), n) }

func TestStringsKeepTheirValueWhateverRunsAfterwards(t *testing.T) {
	ctx := context.Background()
	c, err := Open(ctx, ":memory:", Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(ctx, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT)"); err != nil {
		t.Fatal(err)
	}
	insert, err := c.Prepare(ctx, "INSERT INTO t(a, b) VALUES(?1, ?2)")
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range lengths {
		insert.BindText(1, letters(n, i))
		insert.BindText(2, letters(lengths[len(lengths)-1-i], i+7))
		if _, err := insert.Step(); err != nil {
			t.Fatal(err)
		}
		if err := insert.Reset(); err != nil {
			t.Fatal(err)
		}
	}
	if err := insert.Close(); err != nil {
		t.Fatal(err)
	}
	var kept [][]string
	for range 3 {
		s, err := c.Prepare(ctx, "SELECT b, id, a FROM t ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		for {
			row, err := s.Step()
			if err != nil {
				t.Fatal(err)
			}
			if !row {
				break
			}
			kept = append(kept, []string{s.ColumnText(2), s.ColumnText(1), s.ColumnText(0), s.ColumnText(2)})
			if len(s.block) > maxBlock {
				t.Errorf("a block of %d bytes", len(s.block))
			}
		}
		if err := s.Close(); err != nil || s.block != nil {
			t.Error(err, len(s.block))
		}
		runtime.GC()
	}
	for at, row := range kept {
		i := at % len(lengths)
		a, b := letters(lengths[i], i), letters(lengths[len(lengths)-1-i], i+7)
		if row[0] != a || row[1] != fmt.Sprint(i+1) || row[2] != b || row[3] != a {
			t.Errorf("row %d: %.40q, want %.40q %.40q", i, row, a, b)
		}
	}
}

func TestTheStringsOfOneRowTakeNoMoreThanTheirBytes(t *testing.T) {
	ctx := context.Background()
	c, err := Open(ctx, ":memory:", Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Prepare(ctx, "SELECT 'one', 2, 'three', x'04', NULL, '', 'seven'")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if row, err := s.Step(); err != nil || !row {
		t.Fatal(row, err)
	}
	if got := s.ColumnText(0) + s.ColumnText(2) + s.ColumnText(5) + s.ColumnText(6); got != "onethreeseven" {
		t.Error(got)
	}
	if len(s.block) != len("onethreeseven") {
		t.Errorf("a block of %d bytes", len(s.block))
	}
}
