package stdlib_test

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lidodb/lido/pool"
)

// The values of the first row lie beside the rows; whoever keeps them has them
// as they were, whatever the rows do afterwards.
func TestValuesThatAreKeptStayAsTheyWere(t *testing.T) {
	_, handle := open(t, pool.Config{MaxReaders: 1})
	const width = 6 // more than have room
	long := strings.Repeat("long ", 100)
	want := func(row, column int) []any {
		n := int64(row*1000 + column)
		return []any{n, -n, int64(column), float64(n) / 4, fmt.Sprint("text ", n), long + fmt.Sprint(n), []byte(fmt.Sprint("blob ", n)), nil, 0.0, "", int64(1) << 62}
	}
	literal := func(v any) string {
		switch v := v.(type) {
		case nil:
			return "NULL"
		case string:
			return "'" + v + "'"
		case []byte:
			return fmt.Sprintf("x'%x'", v)
		case float64:
			return fmt.Sprintf("%f", v)
		}
		return fmt.Sprint(v)
	}
	kinds := len(want(0, 0))
	for shift := range kinds {
		value := func(row, column int) any { return want(row, column)[(column+shift)%kinds] }
		var query []string
		for row := range 3 {
			var columns []string
			for column := range width {
				columns = append(columns, literal(value(row, column)))
			}
			query = append(query, "SELECT "+strings.Join(columns, ", "))
		}
		rows, err := handle.Query(strings.Join(query, " UNION ALL "))
		if err != nil {
			t.Fatal(err)
		}
		var kept [][]any
		for rows.Next() {
			values := make([]any, width)
			dest := make([]any, width)
			for i := range dest {
				dest[i] = &values[i]
			}
			if err := rows.Scan(dest...); err != nil {
				t.Fatal(err)
			}
			kept = append(kept, values)
			runtime.GC()
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
		runtime.GC()
		equal(t, "rows", len(kept), 3)
		for row, values := range kept {
			for column, got := range values {
				w := value(row, column)
				if b, ok := w.([]byte); ok {
					if g, ok := got.([]byte); !ok || !bytes.Equal(g, b) {
						t.Errorf("shift %d, row %d, column %d: %v, want %v", shift, row, column, got, b)
					}
				} else if got != w {
					t.Errorf("shift %d, row %d, column %d: %T %v, want %T %v", shift, row, column, got, got, w, w)
				}
			}
		}
	}
}

func TestTheNamesOfColumnsBelongToWhoAsks(t *testing.T) {
	_, handle := open(t, pool.Config{MaxReaders: 1})
	for _, want := range [][]string{{"a"}, {"a", "b", "c", "d"}, {"a", "b", "c", "d", "e"}} {
		query := "SELECT 1 AS " + strings.Join(want, ", 1 AS ")
		for range 3 {
			rows, err := handle.Query(query)
			if err != nil {
				t.Fatal(err)
			}
			var given [][]string
			for i := range 3 {
				names, err := rows.Columns()
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(names, want) {
					t.Errorf("columns %q, want %q", names, want)
				}
				names[0] = fmt.Sprint("changed ", i)
				given = append(given, names)
			}
			for rows.Next() {
			}
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
			for i, names := range given {
				equal(t, "what a caller has changed", names[0], fmt.Sprint("changed ", i))
			}
		}
	}
}
