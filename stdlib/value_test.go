package stdlib_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

func TestValuesComeBackAsTheyWereWritten(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, "CREATE TABLE v (x)")
	long := strings.Repeat("lång ", 2000)
	for _, c := range []struct{ in, want any }{
		{nil, nil},
		{int64(math.MinInt64), int64(math.MinInt64)},
		{uint8(7), int64(7)},
		{1.5, 1.5},
		{math.Inf(1), math.Inf(1)},
		{true, int64(1)},
		{"", ""},
		{long, long},
		{"a\x00b", "a\x00b"},
		{[]byte(nil), nil},
		{[]byte{}, []byte{}},
		{[]byte{0, 1, 255}, []byte{0, 1, 255}},
		{json.RawMessage(`{}`), []byte(`{}`)},
		{sql.NullString{}, nil},
		{sql.NullInt64{Int64: 3, Valid: true}, int64(3)},
	} {
		exec(t, handle, "DELETE FROM v")
		exec(t, handle, "INSERT INTO v VALUES (?)", c.in)
		var got any
		if err := handle.QueryRow("SELECT x FROM v").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%T %v came back as %T %v, want %T %v", c.in, c.in, got, got, c.want, c.want)
		}
	}
}

func TestTimesAreWrittenInLidosLayoutAndReadByDeclaredType(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, "CREATE TABLE v (d DATE, dt DATETIME(6), ts timestamp, plain TEXT)")
	when := time.Date(2024, 2, 29, 23, 59, 58, 123456789, time.FixedZone("CET", 3600))
	exec(t, handle, "INSERT INTO v VALUES (?1, ?1, ?1, ?1)", when)
	equal(t, "as text", one[string](t, handle, "SELECT plain FROM v"), "2024-02-29 22:59:58.123456789Z")
	equal(t, "equal to itself", one[int](t, handle, "SELECT count(*) FROM v WHERE ts = ?", when), 1)
	var d, dt, ts time.Time
	if err := handle.QueryRow("SELECT d, dt, ts FROM v").Scan(&d, &dt, &ts); err != nil {
		t.Fatal(err)
	}
	for _, got := range []time.Time{d, dt, ts} {
		if !got.Equal(when) || got.Location() != time.UTC {
			t.Errorf("read %v, want %v in UTC", got, when)
		}
	}
	// Forms that others have written.
	for _, form := range []any{
		"2024-02-29 22:59:58", "2024-02-29T22:59:58Z", when.Truncate(time.Second).String(),
	} {
		exec(t, handle, "UPDATE v SET ts = ?", form)
		got := one[time.Time](t, handle, "SELECT ts FROM v")
		if !got.Equal(when.Truncate(time.Second)) {
			t.Errorf("%v is read as %v", form, got)
		}
	}
	exec(t, handle, "UPDATE v SET ts = 'soon', d = NULL")
	equal(t, "text that is no time", one[string](t, handle, "SELECT ts FROM v"), "soon")
	equal(t, "NULL", one[sql.NullTime](t, handle, "SELECT d FROM v").Valid, false)
	if _, err := handle.Exec("UPDATE v SET ts = ?", time.Date(12024, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
		t.Error("a time that does not sort as text is written")
	}
}

func TestIntegersAreReadByDeclaredTypeOnRequestOnly(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, `CREATE TABLE v (b BOOLEAN, i INTEGER, d DATE, ts TIMESTAMP);
		INSERT INTO v VALUES (?, ?, 86400, 1709247598000), (?, ?, 86400, NULL), (6, -1, NULL, NULL)`, true, true, false, false)
	for _, c := range []struct {
		handle *sql.DB
		want   string
	}{
		{handle, "int64 1 int64 1 int64 86400 int64 1709247598000; int64 0 int64 0 int64 86400 <nil> <nil>; int64 6 int64 -1 <nil> <nil> <nil> <nil>"},
		{stdlib.OpenDB(db, stdlib.WithDeclaredTypes()),
			"bool true int64 1 time.Time 1970-01-02 00:00:00 +0000 UTC time.Time 2024-02-29 22:59:58 +0000 UTC; bool false int64 0 time.Time 1970-01-02 00:00:00 +0000 UTC <nil> <nil>; int64 6 int64 -1 <nil> <nil> <nil> <nil>"},
	} {
		rows, err := c.handle.Query("SELECT b, i, d, ts FROM v")
		if err != nil {
			t.Fatal(err)
		}
		defer c.handle.Close()
		defer rows.Close()
		var got []string
		for rows.Next() {
			var b, i, d, ts any
			if err := rows.Scan(&b, &i, &d, &ts); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%T %v %T %v %T %v %T %v", b, b, i, i, d, d, ts, ts))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		equal(t, "rows", strings.Join(got, "; "), c.want)
		equal(t, "into a bool", one[bool](t, c.handle, "SELECT b FROM v"), true)
		equal(t, "into an int", one[int](t, c.handle, "SELECT b FROM v WHERE b = 6"), 6)
		if err := c.handle.QueryRow("SELECT b FROM v WHERE b = 6").Scan(new(bool)); err == nil {
			t.Error("6 is a bool")
		}
	}
}

// database/sql by itself makes -1 of most of these, and the stock driver stores it.
func TestAUintThatIsTooLargeIsRefused(t *testing.T) {
	_, handle := open(t, pool.Config{})
	if math.MaxUint == math.MaxUint32 {
		t.Skip("no uint of 32 bits is too large")
	}
	plain, own := uint(math.MaxUint), unsigned(math.MaxUint)
	pointer := &plain
	for _, arg := range []any{
		plain, uint64(math.MaxUint64), uint64(math.MaxInt64 + 1), own, &plain, &own, &pointer,
		sql.Null[uint]{V: plain, Valid: true}, &sql.Null[uint]{V: plain, Valid: true}, sql.Null[unsigned]{V: own, Valid: true}, sql.Null[*uint]{V: &plain, Valid: true},
	} {
		for _, query := range []string{"SELECT ?", "CREATE TABLE IF NOT EXISTS u (x); INSERT INTO u VALUES (?)"} {
			if _, err := handle.Exec(query, arg); err == nil || !strings.Contains(err.Error(), "too large") {
				t.Errorf("%T: %v", arg, err)
			}
		}
	}
	for _, arg := range []any{unsigned(7), sql.Null[uint]{V: plain}, sql.Null[any]{}, sql.Null[any]{Valid: true}} {
		if _, err := handle.Exec("SELECT ?", arg); err != nil {
			t.Errorf("%T: %v", arg, err)
		}
	}
}

func TestNoRowsIsDatabaseSQLsOwnError(t *testing.T) {
	_, handle := open(t, pool.Config{})
	err := handle.QueryRowContext(context.Background(), "SELECT 1 WHERE 0").Scan(new(int))
	if err != sql.ErrNoRows || err != lido.ErrNoRows {
		t.Errorf("error %v, want sql.ErrNoRows", err)
	}
}
