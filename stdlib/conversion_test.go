package stdlib_test

import (
	"database/sql"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

// What a declared type does not allow for stays the number that it is, so that
// database/sql refuses to scan it into a bool or a time.
func TestConversion_byDeclaredTypeLosesNothing(t *testing.T) {
	db, _ := open(t, pool.Config{})
	handle := stdlib.OpenDB(db, stdlib.WithDeclaredTypes())
	defer handle.Close()
	exec(t, handle, "CREATE TABLE v (id INTEGER PRIMARY KEY, b BOOLEAN, ts TIMESTAMP)")
	exec(t, handle, "INSERT INTO v VALUES (1, 6, 1700000000123456), (2, -1, 1700000000123456789), (3, 1, 1700000000)")
	for id, want := range []struct{ b, ts int64 }{1: {6, 1700000000123456}, 2: {-1, 1700000000123456789}} {
		if id == 0 {
			continue
		}
		var b bool
		err := handle.QueryRow("SELECT b FROM v WHERE id = ?", id).Scan(&b)
		if err == nil || !strings.Contains(err.Error(), `name "b"`) {
			t.Errorf("%d as a bool: %v, %v", want.b, b, err)
		}
		var ts time.Time
		err = handle.QueryRow("SELECT ts FROM v WHERE id = ?", id).Scan(&ts)
		if err == nil || !strings.Contains(err.Error(), `name "ts"`) {
			t.Errorf("%d as a time: %v, %v", want.ts, ts, err)
		}
		equal(t, "the number", one[int64](t, handle, "SELECT b FROM v WHERE id = ?", id), want.b)
		equal(t, "the number of microseconds", one[int64](t, handle, "SELECT ts FROM v WHERE id = ?", id), want.ts)
	}
	equal(t, "a boolean", one[bool](t, handle, "SELECT b FROM v WHERE id = 3"), true)
	equal(t, "a time", one[time.Time](t, handle, "SELECT ts FROM v WHERE id = 3").Unix(), int64(1700000000))
}

// The stock driver stores NULL.
func TestConversion_refusesNaN(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, "CREATE TABLE v (x)")
	for _, arg := range []any{math.NaN(), float32(math.NaN()), sql.NullFloat64{Float64: math.NaN(), Valid: true}} {
		if _, err := handle.Exec("INSERT INTO v VALUES (?)", arg); err == nil || !strings.Contains(err.Error(), "parameter 1: NaN") {
			t.Errorf("written: %v", err)
		}
		var class string
		if err := handle.QueryRow("SELECT typeof(?)", arg).Scan(&class); err == nil || !strings.Contains(err.Error(), "parameter 1: NaN") {
			t.Errorf("asked for: %s, %v", class, err)
		}
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM v"), 0)
}
