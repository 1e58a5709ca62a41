package stdlib_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the stock driver, to compare with

	"github.com/lidodb/lido/pool"
)

// openStock opens a file of its own with the driver that most programs come
// from.
func openStock(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "stock.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// shown is a value with its type, and a time without the name of its zone.
func shown(v any) string {
	switch v := v.(type) {
	case time.Time:
		return "time " + v.Format(time.RFC3339Nano)
	case []byte:
		return fmt.Sprintf("[]byte(%t) %x", v == nil, v)
	}
	return fmt.Sprintf("%T %v", v, v)
}

// columnDeclarations are types that programs write, with every affinity.
var columnDeclarations = []string{
	"", "INTEGER", "INT", "BIGINT", "TEXT", "VARCHAR(20)", "BLOB", "REAL", "NUMERIC", "DECIMAL(10,2)",
	"BOOLEAN", "BOOL", "DATE", "DATETIME", "TIMESTAMP", "timestamp", "TIME", "DATETIME(6)", "TIMESTAMP WITH TIME ZONE", "JSON", "UUID",
}

// deviation says where Lido's value differs from the stock driver's on purpose.
func deviation(declared, stock, lido string) string {
	switch {
	case stock == "[]byte(true) " && lido == "[]byte(false) ":
		return "an empty blob is not NULL"
	case declared == "DATETIME(6)" && strings.HasPrefix(stock, "string ") && strings.HasPrefix(lido, "time "):
		return "a precision makes no difference to what a column is"
	}
	return ""
}

// What is stored is read as the same Go value by both drivers, whatever the
// column is declared as: a table of literals by a table of declarations.
func TestStoredValuesAreReadAsTheStockDriverReadsThem(t *testing.T) {
	_, handle := open(t, pool.Config{})
	stock := openStock(t)
	literals := []string{
		"NULL", "0", "1", "2", "-1", "9223372036854775807", "1709247598", "1709247598000", "1.5", "2.0", "1e300", "''", "'text'", "'1'", "'1.5'", "'true'",
		"x''", "x'00ff'", "'2024-02-29'", "'2024-02-29 22:59:58'", "'2024-02-29 22:59'", "'2024-02-29T22:59:58Z'", "'2024-02-29T22:59:58.5+01:00'",
		"'2024-02-29 22:59:58.123456789Z'", "'2024-02-29 22:59:58.5+02:00'", "'2024-02-29 22:59:58.123456 +0100 CET'", "'2024-02-29 22:59:58 +0000 UTC m=+0.1'",
		"'soon'", "CURRENT_DATE", "'22:59:58'", "'{\"a\":1}'",
	}
	compared := 0
	for at, declared := range columnDeclarations {
		var got [2][]string
		for i, db := range []*sql.DB{stock, handle} {
			exec(t, db, fmt.Sprintf("CREATE TABLE t%d (v %s)", at, declared))
			exec(t, db, fmt.Sprintf("INSERT INTO t%d VALUES (%s)", at, strings.Join(literals, "), (")))
			rows, err := db.Query(fmt.Sprintf("SELECT v FROM t%d ORDER BY rowid", at))
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var v any
				if err := rows.Scan(&v); err != nil {
					t.Fatal(err)
				}
				got[i] = append(got[i], shown(v))
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(got[i]) != len(literals) {
				t.Fatal(len(got[i]), err)
			}
		}
		for i, literal := range literals {
			compared++
			if stock, lido := got[0][i], got[1][i]; stock != lido && deviation(declared, stock, lido) == "" {
				t.Errorf("%s in a column %q: the stock driver reads %s, Lido %s", literal, declared, stock, lido)
			}
		}
	}
	t.Logf("%d values compared", compared)
}

type (
	count int32
	label string
)

// An argument arrives in the database with the same storage class and value;
// a time is the exception, of which Lido keeps one form.
func TestArgumentsAreStoredAsTheStockDriverStoresThem(t *testing.T) {
	_, handle := open(t, pool.Config{})
	stock := openStock(t)
	text, number := "pointed", int64(7)
	when := time.Date(2024, 2, 29, 22, 59, 58, 123456789, time.FixedZone("CET", 3600))
	for _, arg := range []any{
		nil, true, false, 0, 7, -7, int8(-8), int16(-16), int32(-32), int64(math.MaxInt64), int64(math.MinInt64),
		uint(1), uint8(255), uint16(65535), uint32(math.MaxUint32), uint64(math.MaxInt64), uint64(math.MaxInt64 + 1), uint64(math.MaxUint64),
		float32(0.1), 0.1, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64, math.Copysign(0, -1),
		"", "text", "a\x00b", "h\u00e9\xff", strings.Repeat("long ", 10000), []byte(nil), []byte{}, []byte{0, 255}, []byte(strings.Repeat("x", 100000)),
		json.RawMessage(`{}`), count(3), label("named"), &text, &number, (*string)(nil), time.Duration(5),
		sql.NullString{}, sql.NullString{String: "x", Valid: true}, sql.NullInt64{Int64: 3, Valid: true}, sql.NullBool{Bool: true, Valid: true},
		sql.NullTime{}, sql.Null[int]{V: 4, Valid: true}, sql.RawBytes("raw"),
		struct{}{}, []int{1}, map[string]int{}, make(chan int), complex(1, 2), errorValue{}, when, &when,
	} {
		var got [2]string
		for i, db := range []*sql.DB{stock, handle} {
			var class, literal string
			err := db.QueryRow("SELECT typeof(?1), quote(?1)", arg).Scan(&class, &literal)
			got[i] = class + " " + literal
			if err != nil {
				got[i] = "an error"
			}
			var n int
			if err := db.QueryRow("SELECT count(*) FROM (SELECT ?1 AS v) WHERE v IS ?1", arg).Scan(&n); (err != nil) != (got[i] == "an error") || err == nil && n != 1 {
				t.Errorf("%T %.20v: %d, %v", arg, arg, n, err)
			}
		}
		_, isTime := arg.(time.Time)
		_, isTimePointer := arg.(*time.Time)
		switch {
		case isTime || isTimePointer:
			equal(t, "a time", got[1], "text '2024-02-29 21:59:58.123456789Z'")
		case got[0] == "blob X''" && got[1] == "null NULL", got[0] == "null NULL" && got[1] == "blob X''":
			if b := arg.([]byte); (b == nil) != (got[1] == "null NULL") {
				t.Errorf("%#v is stored as %s", arg, got[1])
			}
		case got[0] != got[1]:
			t.Errorf("%T %.20v: the stock driver stores %.60s, Lido %.60s", arg, arg, got[0], got[1])
		}
	}
}

// database/sql by itself turns a uint that is too large into a negative number.
func TestAUintThatIsTooLargeIsRefused(t *testing.T) {
	_, handle := open(t, pool.Config{})
	for _, arg := range []any{uint(math.MaxUint64), uint64(math.MaxInt64 + 1)} {
		if _, err := handle.Exec("SELECT ?", arg); err == nil || !strings.Contains(err.Error(), "too large") {
			t.Errorf("%T: %v", arg, err)
		}
	}
}

type errorValue struct{}

func (errorValue) Error() string { return "no value" }

// Each destination that database/sql converts to takes from Lido what it takes
// from the stock driver.
func TestValuesScanAsTheStockDriversDo(t *testing.T) {
	_, handle := open(t, pool.Config{})
	stock := openStock(t)
	const create = `CREATE TABLE t (i INTEGER, r REAL, s TEXT, n TEXT, b BLOB, flag BOOLEAN, made TIMESTAMP, day DATE, big TEXT)`
	const insert = `INSERT INTO t VALUES (42, 1.5, 'text', NULL, x'414243', 1, '2024-02-29 22:59:58', '2024-02-29', '99999999999999999999')`
	for _, db := range []*sql.DB{stock, handle} {
		exec(t, db, create)
		exec(t, db, insert)
	}
	destinations := []func() any{
		func() any { return new(any) }, func() any { return new(string) }, func() any { return new([]byte) }, func() any { return new(int) },
		func() any { return new(int64) }, func() any { return new(uint8) }, func() any { return new(float64) }, func() any { return new(bool) },
		func() any { return new(time.Time) }, func() any { return new(*string) }, func() any { return new(*int64) }, func() any { return new(sql.NullString) },
		func() any { return new(sql.NullInt64) }, func() any { return new(sql.NullBool) }, func() any { return new(sql.NullTime) }, func() any { return new(sql.Null[float64]) },
		func() any { return new(label) }, func() any { return new(count) }, func() any { return new(json.RawMessage) },
	}
	for _, column := range []string{"i", "r", "s", "n", "b", "flag", "made", "day", "big", "i = 42", "max(made)", "upper(s)", "count(*)", "NULL"} {
		for _, destination := range destinations {
			var got [2]string
			for i, db := range []*sql.DB{stock, handle} {
				dest := destination()
				if err := db.QueryRow("SELECT " + column + " FROM t").Scan(dest); err != nil {
					got[i] = "an error"
					continue
				}
				v := reflect.ValueOf(dest).Elem()
				if v.Kind() == reflect.Pointer && !v.IsNil() {
					v = v.Elem()
				}
				got[i] = shown(v.Interface())
			}
			if got[0] != got[1] {
				t.Errorf("%s into %T: the stock driver gives %s, Lido %s", column, destination(), got[0], got[1])
			}
		}
	}
}

// Results, counters and errors of the same statements, one after the other on
// one *sql.Conn each.
func TestAScriptComesToTheSameOnBothDrivers(t *testing.T) {
	_, handle := open(t, pool.Config{})
	stock := openStock(t)
	lidoConn, stockConn := session(t, handle), session(t, stock)
	defer lidoConn.Close()
	defer stockConn.Close()
	ctx := context.Background()
	for _, step := range []struct {
		query string
		args  []any
	}{
		{"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER DEFAULT 5)", nil},
		{"INSERT INTO t (name) VALUES (?), (?)", []any{"a", "b"}},
		{"INSERT INTO t (name) VALUES (@x)", []any{sql.Named("x", "c")}},
		{"INSERT INTO t (name) VALUES ('a')", nil},
		{"INSERT OR IGNORE INTO t (name) VALUES ('a')", nil},
		{"INSERT INTO t (name) VALUES ('a') ON CONFLICT (name) DO UPDATE SET n = n + 1", nil},
		{"REPLACE INTO t (id, name) VALUES (2, 'B')", nil},
		{"UPDATE t SET n = 7 WHERE id > ?", []any{1}},
		{"UPDATE t SET n = 7 WHERE id > 100", nil},
		{"INSERT INTO t (name) SELECT name || '2' FROM t; DELETE FROM t WHERE id = 1", nil},
		{"WITH x AS (SELECT 'with' AS v) INSERT INTO t (name) SELECT v FROM x", nil},
		{"DELETE FROM t WHERE name = 'nobody'", nil},
		{"BEGIN", nil},
		{"INSERT INTO t (name) VALUES ('tx')", nil},
		{"ROLLBACK", nil},
		{"COMMIT", nil},
		{"SAVEPOINT s; INSERT INTO t (name) VALUES ('sp'); RELEASE s", nil},
		{"INSERT INTO nothing VALUES (1)", nil},
		{"SELEKT", nil},
		{"INSERT INTO t (name) VALUES ('ret') RETURNING id", nil},
		{"CREATE TEMP TABLE scratch AS SELECT * FROM t", nil},
		{"INSERT INTO scratch (name) VALUES ('temp')", nil},
		{"PRAGMA user_version = 3", nil},
		{"DROP TABLE t", nil},
	} {
		var got [2]string
		for i, c := range []*sql.Conn{stockConn, lidoConn} {
			res, err := c.ExecContext(ctx, step.query, step.args...)
			if err != nil {
				got[i] = "an error"
			} else if id, err := res.LastInsertId(); err != nil {
				got[i] = err.Error()
			} else if strings.Contains(strings.ToUpper(step.query), "INTO T") {
				n, _ := res.RowsAffected()
				got[i] = fmt.Sprint(id, n)
			}
			for _, query := range []string{"SELECT last_insert_rowid()", "SELECT group_concat(id || name || n) FROM t"} {
				var v sql.NullString
				if err := c.QueryRowContext(ctx, query).Scan(&v); err != nil {
					v.String = "an error"
				}
				got[i] += " " + v.String
			}
		}
		if got[0] != got[1] {
			t.Errorf("%s: the stock driver: %s, Lido: %s", step.query, got[0], got[1])
		}
	}
}
