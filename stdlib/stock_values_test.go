package stdlib_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
)

// shown is a value with its type, nil or not.
func shown(v any) string {
	switch v := v.(type) {
	case time.Time:
		return "time " + v.Format("2006-01-02 15:04:05.999999999 -0700 MST")
	case []byte:
		if v == nil {
			return "[]byte(nil)"
		}
		return fmt.Sprintf("[]byte(%x)", v)
	}
	return fmt.Sprintf("%T %v", v, v)
}

// columnDeclarations are types that programs write, with every affinity.
var columnDeclarations = []string{
	"", "INTEGER", "INT", "BIGINT", "TEXT", "VARCHAR(20)", "BLOB", "REAL", "NUMERIC", "DECIMAL(10,2)",
	"BOOLEAN", "BOOL", "DATE", "DATETIME", "TIMESTAMP", "timestamp", "TIME", "DATETIME(6)", "TIMESTAMP(3)", "TIMESTAMP WITH TIME ZONE", "JSON", "UUID",
}

// storedLiterals are values of every storage class, many of them times in the
// forms that programs have written.
var storedLiterals = []string{
	"NULL", "0", "1", "2", "-1", "255", "256", "9223372036854775807", "-9223372036854775808", "1709247598", "1709247598000",
	"1.5", "2.0", "1e300", "9e999", "''", "'text'", "'1'", "'1.5'", "'true'", "'TRUE'", "'t'", "CAST(x'6100e962ff' AS TEXT)",
	"'2024-02-29'", "'2024-02-29 22:59:58'", "'2024-02-29 22:59:58Z'", "'2024-02-29 22:59:58.123456789Z'", "'2024-02-29 22:59:58.1234567891'",
	"'2024-02-29T22:59:58Z'", "'2024-02-29T22:59:58.123'", "'2024-02-29T22:59:58+01:00'", "'2024-02-29 22:59:58+01:00'", "'2024-02-29 22:59'", "'2024-02-29T22:59'",
	"'2024-02-29 22:59:58 +0100 CET'", "'2024-02-29 22:59:58.5 +0100 +0100'", "'2024-02-29 22:59:58.5 +0000 UTC m=+0.1'",
	"'2024-02-29Z'", "'22:59:58'", "'0000-00-00'", "'2024-02-30'", "' 2024-02-29'", "'20240229'", "'10000-01-01'", "'2024-02-29 24:00:00'", "'soon'",
	"x''", "x'00ff'", "x'323032342d30322d3239'",
}

type (
	count    int32
	label    string
	toggle   bool
	ratio    float64
	raw      []byte
	unsigned uint
	stamp    time.Time
)

// asked is a destination that takes what the driver gives.
type asked struct{ got string }

func (a *asked) Scan(v any) error { a.got = shown(v); return nil }

// destinations are what a program scans into.
var destinations = []reflect.Type{
	reflect.TypeFor[any](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[sql.RawBytes](), reflect.TypeFor[bool](),
	reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](),
	reflect.TypeFor[*string](), reflect.TypeFor[*[]byte](), reflect.TypeFor[*bool](), reflect.TypeFor[*int64](), reflect.TypeFor[*uint8](),
	reflect.TypeFor[*float64](), reflect.TypeFor[*time.Time](), reflect.TypeFor[*any](), reflect.TypeFor[**int64](),
	reflect.TypeFor[sql.NullString](), reflect.TypeFor[sql.NullInt64](), reflect.TypeFor[sql.NullInt32](), reflect.TypeFor[sql.NullInt16](),
	reflect.TypeFor[sql.NullByte](), reflect.TypeFor[sql.NullFloat64](), reflect.TypeFor[sql.NullBool](), reflect.TypeFor[sql.NullTime](),
	reflect.TypeFor[sql.Null[string]](), reflect.TypeFor[sql.Null[uint64]](), reflect.TypeFor[sql.Null[bool]](), reflect.TypeFor[sql.Null[time.Time]](), reflect.TypeFor[sql.Null[[]byte]](),
	reflect.TypeFor[count](), reflect.TypeFor[label](), reflect.TypeFor[toggle](), reflect.TypeFor[ratio](), reflect.TypeFor[raw](), reflect.TypeFor[unsigned](), reflect.TypeFor[json.RawMessage](), reflect.TypeFor[asked](),
	reflect.TypeFor[struct{}](), reflect.TypeFor[complex128](),
}

// scanAll reads column v of all rows of table into new values of one type.
func scanAll(t testing.TB, db *sql.DB, table string, as reflect.Type) (got []string) {
	t.Helper()
	rows, err := db.Query("SELECT v FROM " + table + " ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		dest := reflect.New(as)
		if err := rows.Scan(dest.Interface()); err != nil {
			got = append(got, "an error")
			continue
		}
		v := dest.Elem()
		for v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		got = append(got, shown(v.Interface()))
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(got) != len(storedLiterals) {
		t.Fatal(len(got), err)
	}
	return got
}

// describe returns what ColumnTypes says of column v of one row of table.
func describe(t testing.TB, db *sql.DB, table string, rowid int) map[string]string {
	t.Helper()
	rows, err := db.Query(fmt.Sprintf("SELECT v FROM %s WHERE rowid = %d", table, rowid))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	c := types[0]
	length, hasLength := c.Length()
	precision, scale, hasScale := c.DecimalSize()
	nullable, known := c.Nullable()
	return map[string]string{
		"name": c.DatabaseTypeName(), "length": fmt.Sprint(length, hasLength), "decimal": fmt.Sprint(precision, scale, hasScale),
		"nullable": fmt.Sprint(nullable, known), "scan": fmt.Sprint(c.ScanType()),
	}
}

// A table of stored values by declared types by destinations: what both drivers
// give, and what their ColumnTypes say.
func TestStoredValuesAreReadAsTheStockDriverReadsThem(t *testing.T) {
	_, handle := open(t, pool.Config{})
	stock := openStock(t)
	l := newLedger()
	for at, declared := range columnDeclarations {
		table := fmt.Sprintf("t%d", at)
		for _, db := range []*sql.DB{stock, handle} {
			exec(t, db, fmt.Sprintf("CREATE TABLE %s (v %s)", table, declared))
			exec(t, db, fmt.Sprintf("INSERT INTO %s VALUES (%s)", table, strings.Join(storedLiterals, "), (")))
		}
		differs := make([]bool, len(storedLiterals)) // what the drivers hand to database/sql
		for _, as := range destinations {
			got := [2][]string{scanAll(t, stock, table, as), scanAll(t, handle, table, as)}
			for i, stored := range storedLiterals {
				o := observation{topicValues, fmt.Sprintf("into %s", as), declared, stored, got[0][i], got[1][i]}
				switch {
				case as == destinations[0]:
					differs[i] = !l.note(t, o)
				case !differs[i]: // else database/sql converts another value
					l.note(t, o)
				}
			}
		}
		for i := range len(storedLiterals) + 1 {
			stored := "no row"
			if i < len(storedLiterals) {
				stored = storedLiterals[i]
			}
			says := [2]map[string]string{describe(t, stock, table, i+1), describe(t, handle, table, i+1)}
			for what := range says[0] {
				l.note(t, observation{topicColumnTypes, what, declared, stored, says[0][what], says[1][what]})
			}
		}
	}
	l.end(t, topicValues)
	l.end(t, topicColumnTypes)
}

type (
	valued     struct{}
	onPointer  struct{}
	badValuer  struct{}
	nanValuer  struct{}
	errorValue struct{}
)

func (valued) Value() (driver.Value, error)     { return "valued", nil }
func (*onPointer) Value() (driver.Value, error) { return "on a pointer", nil }
func (badValuer) Value() (driver.Value, error)  { return int32(1), nil }
func (nanValuer) Value() (driver.Value, error)  { return math.NaN(), nil }
func (errorValue) Error() string                { return "no value" }

// goValues are arguments of every kind.
func goValues() []any {
	text, number, tooLarge, own := "pointed", int64(7), uint(math.MaxUint), unsigned(math.MaxUint)
	when := time.Date(2024, 2, 29, 22, 59, 58, 123456789, time.FixedZone("CET", 3600))
	now := time.Now() // with the reading of the monotonic clock
	now = now.Add(when.Sub(now))
	return []any{
		nil, true, false, toggle(true), 0, 7, -7, 'x', int8(-8), int16(-16), int32(-32), int64(math.MaxInt64), int64(math.MinInt64), count(3), time.Duration(5), time.March,
		uint(1), uint8(255), uint16(65535), uint32(math.MaxUint32), uint64(math.MaxInt64), unsigned(5), uint64(math.MaxInt64 + 1), uint64(math.MaxUint64),
		tooLarge, own, &tooLarge, &own, sql.Null[uint]{V: tooLarge, Valid: true}, sql.Null[unsigned]{V: own, Valid: true}, &sql.Null[uint]{V: tooLarge, Valid: true},
		sql.Null[uint]{V: tooLarge}, sql.Null[uint64]{V: math.MaxUint64, Valid: true}, sql.Null[any]{Valid: true}, sql.Null[any]{}, uintptr(5),
		float32(0.1), float32(16777217), 0.1, ratio(1.5), math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64, math.Copysign(0, -1),
		"", "text", label("named"), "a\x00b", "h\u00e9\xff", strings.Repeat("long ", 10000), json.Number("12345678901234567890"),
		[]byte(nil), []byte{}, []byte{0, 255}, []byte(strings.Repeat("x", 100000)), raw("x"), raw(nil), json.RawMessage(`{}`), json.RawMessage(nil), sql.RawBytes("raw"),
		&text, &number, (*string)(nil), (*time.Time)(nil), (**int)(nil),
		sql.NullString{}, sql.NullString{String: "x", Valid: true}, sql.NullInt64{Int64: 3, Valid: true}, sql.NullByte{Byte: 5, Valid: true}, sql.NullBool{Bool: true, Valid: true},
		sql.NullTime{}, sql.Null[int]{V: 4, Valid: true}, sql.Null[time.Time]{},
		valued{}, &valued{}, (*valued)(nil), onPointer{}, &onPointer{}, badValuer{}, nanValuer{},
		when, when.UTC(), when.In(time.FixedZone("", 3600)), when.In(time.FixedZone("LMT", 3601)), now, &when, sql.NullTime{Time: when, Valid: true}, sql.Null[time.Time]{V: when, Valid: true},
		when.AddDate(8000, 0, 0), when.AddDate(-2030, 0, 0), stamp(when), time.UTC,
		struct{}{}, []int{1}, [3]byte{}, map[string]int{}, make(chan int), complex(1, 2), func() {}, errorValue{},
	}
}

// An argument of every kind of Go value: the storage class and the value that
// arrive in the database.
func TestGoValuesAreStoredAsTheStockDriverStoresThem(t *testing.T) {
	if math.MaxUint == math.MaxUint32 {
		t.Skip("no uint of 32 bits is too large, so a listed difference is not met")
	}
	_, handle := open(t, pool.Config{})
	stock := openStock(t)
	l := newLedger()
	for _, arg := range goValues() {
		var got [2]string
		refused := 0
		for i, db := range []*sql.DB{stock, handle} {
			var class, literal string
			err := db.QueryRow("SELECT typeof(?1), quote(?1)", arg).Scan(&class, &literal)
			got[i] = class + " " + literal
			if err != nil {
				got[i] = err.Error()
				refused++
			}
			var n int
			if err2 := db.QueryRow("SELECT count(*) FROM (SELECT ?1 AS v) WHERE v IS ?1", arg).Scan(&n); (err2 != nil) != (err != nil) || err == nil && n != 1 {
				t.Errorf("%T %.20v: equal to itself %d times, %v", arg, arg, n, err2)
			}
		}
		if refused == 2 { // in words of their own
			got[0], got[1] = "an error", "an error"
		}
		l.note(t, observation{topicArguments, fmt.Sprintf("%T %.30v", arg, arg), "", "", got[0], got[1]})
	}
	l.end(t, topicArguments)
}

func TestCallsWithTheirArgumentsAreThoseOfTheStockDriver(t *testing.T) {
	_, handle := open(t, pool.Config{})
	stock := openStock(t)
	l := newLedger()
	x, y := sql.Named("x", 1), sql.Named("y", 2)
	for _, c := range []struct {
		question string
		args     []any
	}{
		{"SELECT ?, ?|1 2", []any{1, 2}}, {"SELECT $2, ?1|1 2", []any{1, 2}}, {"SELECT ?1, ?3|1 2 3", []any{1, 2, 3}}, {"SELECT :x, @y|y=2 x=1", []any{y, x}},
		{"SELECT ?, :y|1 y=2", []any{1, y}}, {"SELECT ?1; SELECT ?1, ?2|1 2", []any{1, 2}},
		{"SELECT ?|1 2", []any{1, 2}}, {"SELECT :x|x=1 x=2", []any{x, sql.Named("x", 2)}}, {"SELECT ?, :x|x=1 5", []any{x, 5}},
		{"SELECT ?; SELECT ?|1 2", []any{1, 2}}, {"SELECT ?; SELECT ?|1", []any{1}}, {"SELECT ?; SELECT ?1|1", []any{1}}, {"SELECT ?03|1 2 3", []any{1, 2, 3}},
	} {
		query, _, _ := strings.Cut(c.question, "|")
		var got [2]string
		for i, db := range []*sql.DB{stock, handle} {
			var err error
			if got[i], err = columns(t, db, "a *sql.DB", query, c.args); err != nil {
				got[i] = err.Error()
			}
		}
		l.note(t, observation{topicParameters, c.question, "", "", got[0], got[1]})
	}
	const script = "INSERT INTO log VALUES (?1); INSERT INTO log VALUES (?2)"
	var got [2]string
	for i, db := range []*sql.DB{stock, handle} {
		exec(t, db, "CREATE TABLE log (v)")
		if _, err := db.Exec(script, 1); err == nil {
			t.Errorf("%s takes one argument", script)
		}
		got[i] = fmt.Sprintf("%d rows inserted", one[int](t, db, "SELECT count(*) FROM log"))
		got[i] = strings.Replace(got[i], "1 rows", "1 row", 1)
	}
	l.note(t, observation{topicParameters, script + "|1", "", "", got[0], got[1]})
	l.end(t, topicParameters)
}

// Ping is asked of an open database, with an ended context, after Close, and of a
// file that is no database.
func TestPingAnswersWhetherTheDatabaseCanBeUsed(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 1})
	stock := openStock(t)
	l := newLedger()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	answer := func(err error) string {
		if err == nil {
			return "no error"
		}
		return err.Error()
	}
	ask := func(question string, stock, lido error) {
		t.Helper()
		l.note(t, observation{topicConnections, question, "", "", answer(stock), answer(lido)})
	}
	ctx := context.Background()
	ask("ping", stock.PingContext(ctx), handle.PingContext(ctx))
	ask("ping with an ended context", stock.PingContext(ended), handle.PingContext(ended))
	for _, on := range []*sql.DB{stock, handle} { // on a reader, beside a transaction that writes
		tx := begin(t, on)
		if err := on.PingContext(ctx); err != nil {
			t.Error(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
	rows := next(t, handle, numbers)
	if err := handle.PingContext(soon(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a reader: %v", err)
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}

	path := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o644); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.PingContext(ctx); err == nil {
		t.Error("the stock driver: a file that is no database answers")
	}
	if _, err := pool.Open(ctx, path, pool.Config{}); !errors.Is(err, lido.ErrCorrupt) {
		t.Errorf("a file that is no database: %v", err)
	}

	second, stockErr := stock.Driver().Open(filepath.Join(t.TempDir(), "other.db"))
	_, lidoErr := handle.Driver().Open("other.db")
	ask("open by name", stockErr, lidoErr)

	if err := errors.Join(second.Close(), other.Close(), stock.Close(), db.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	ask("ping after the pool is closed", stock.PingContext(ctx), handle.PingContext(ctx))
	if err := handle.Close(); err != nil {
		t.Error(err)
	}
	ask("ping after the *sql.DB is closed", stock.PingContext(ctx), handle.PingContext(ctx))
	l.end(t, topicConnections)
}
