package stdlib_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

// described is what database/sql tells of a column.
func described(c *sql.ColumnType) string {
	out := c.Name() + " " + c.DatabaseTypeName()
	if n, ok := c.Length(); ok {
		if n == math.MaxInt64 {
			out += " unlimited"
		} else {
			out += fmt.Sprintf(" length %d", n)
		}
	}
	if p, s, ok := c.DecimalSize(); ok {
		out += fmt.Sprintf(" decimal %d %d", p, s)
	}
	if nullable, ok := c.Nullable(); !ok || !nullable {
		out += " not null"
	}
	return out + " " + c.ScanType().String()
}

func TestColumnsAreDescribedByTheirDeclarationAndTheirFirstValue(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, `CREATE TABLE v (id INTEGER PRIMARY KEY, name varchar(10) NOT NULL, note Text, price DECIMAL(10, 2), n NUMERIC(5),
		data BLOB, sized BLOB(16), made datetime(6), day DATE, done BOOLEAN, ratio DOUBLE PRECISION, bare)`)
	const all = "SELECT *, id + 1 AS next FROM v"
	onWriter := stdlib.OpenDB(db, stdlib.WithReadsOnWriter())
	defer onWriter.Close()
	check := func(what string, on interface {
		Query(query string, args ...any) (*sql.Rows, error)
	}, query string, want ...string) {
		t.Helper()
		rows, err := on.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		types, err := rows.ColumnTypes()
		if err != nil {
			t.Fatal(err)
		}
		if len(types) != len(want) {
			t.Fatalf("%s: %d columns", what, len(types))
		}
		dest := make([]any, len(types))
		for i, c := range types {
			equal(t, what, described(c), want[i])
			dest[i] = new(any)
		}
		// Asking takes nothing away.
		n := 0
		for rows.Next() {
			if err := rows.Scan(dest...); err != nil {
				t.Error(err)
			}
			n++
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || n > 1 {
			t.Error(n, err)
		}
	}
	none := []string{
		"id INTEGER int64", "name VARCHAR length 10 string", "note TEXT unlimited string", "price DECIMAL decimal 10 2 interface {}",
		"n NUMERIC decimal 5 0 interface {}", "data BLOB unlimited []uint8", "sized BLOB length 16 []uint8", "made DATETIME time.Time",
		"day DATE time.Time", "done BOOLEAN bool", "ratio DOUBLE PRECISION float64", "bare  interface {}", "next  interface {}",
	}
	check("no row", handle, all, none...)
	check("no row, on the writer", onWriter, all, none...)
	exec(t, handle, `INSERT INTO v VALUES (1, 'Ada', NULL, 1.5, 7, x'00', 'text', '2024-02-29 00:00:00', 'soon', 1, 2, 'x')`)
	some := []string{
		"id INTEGER int64", "name VARCHAR length 10 string", "note TEXT unlimited interface {}", "price DECIMAL decimal 10 2 float64",
		"n NUMERIC decimal 5 0 int64", "data BLOB unlimited []uint8", "sized BLOB length 16 string", "made DATETIME time.Time",
		"day DATE string", "done BOOLEAN bool", "ratio DOUBLE PRECISION float64", "bare  string", "next  int64",
	}
	check("a row", handle, all, some...)
	check("a row, on the writer", onWriter, all, some...)
	check("a returned row", handle, "UPDATE v SET done = 0 RETURNING done, name", "done BOOLEAN bool", "name VARCHAR length 10 string")
	tx := begin(t, handle)
	check("in a transaction", tx, "SELECT done FROM v", "done BOOLEAN bool")
	check("returned in a transaction", tx, "UPDATE v SET done = 2 RETURNING done", "done BOOLEAN int64")
	check("no column", tx, "UPDATE v SET done = 2")
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}

func TestColumnNamesAreTheCallersOwn(t *testing.T) {
	_, handle := open(t, pool.Config{MaxReaders: 1})
	exec(t, handle, people)
	for range 2 {
		rows, err := handle.Query("SELECT id, name FROM people")
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "columns", fmt.Sprint(names), "[id name]")
		names[0] = "changed"
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
}
