package lido_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"
)

// readers read a column, by the Go type that comes of it.
var readers = map[string]func(s lido.Stmt) any{
	"int64":   func(s lido.Stmt) any { return s.ColumnInt64(0) },
	"int8":    func(s lido.Stmt) any { return lido.ColumnInt[int8](s, 0) },
	"int16":   func(s lido.Stmt) any { return lido.ColumnInt[int16](s, 0) },
	"int32":   func(s lido.Stmt) any { return lido.ColumnInt[int32](s, 0) },
	"uint8":   func(s lido.Stmt) any { return lido.ColumnInt[uint8](s, 0) },
	"uint64":  func(s lido.Stmt) any { return lido.ColumnInt[uint64](s, 0) },
	"float64": func(s lido.Stmt) any { return s.ColumnFloat64(0) },
	"float32": func(s lido.Stmt) any { return lido.ColumnFloat32(s, 0) },
	"bool":    func(s lido.Stmt) any { return lido.ColumnBool(s, 0) },
	"string":  func(s lido.Stmt) any { return s.ColumnText(0) },
	"bytes":   func(s lido.Stmt) any { return s.ColumnBlob(0, nil) },
	"time":    func(s lido.Stmt) any { return lido.ColumnTime(s, 0) },
	"millis":  func(s lido.Stmt) any { return lido.ColumnTimeAs(s, 0, lido.TimeUnixMilli) },
	"scan":    func(s lido.Stmt) any { var n sql.NullInt64; lido.ColumnScan(s, 0, &n); return n.Int64 },
}

// refused stands for an error.
type refused string

// conversions are values of every storage class and what comes of them. What
// would lose something is an error that names the column and what it holds.
var conversions = []struct {
	sql, as string
	want    any
}{
	{"7", "int64", int64(7)},
	{"7.0", "int64", int64(7)},
	{"1e18", "int64", int64(1e18)},
	{"'7'", "int64", int64(7)},
	{"7.5", "int64", refused("REAL")},
	{"1e19", "int64", refused("REAL")},
	{"1e999", "int64", refused("REAL")},
	{"'7.5'", "int64", refused("TEXT")},
	{"'7 of them'", "int64", refused("TEXT")},
	{"''", "int64", refused("TEXT")},
	{"'9223372036854775808'", "int64", refused("TEXT")},
	{"x'37'", "int64", refused("BLOB")},
	{"NULL", "int64", refused("NULL")},
	{"9223372036854775807", "int64", int64(math.MaxInt64)},
	{"'seven'", "scan", refused("TEXT")},

	{"127", "int8", int8(127)},
	{"128", "int8", refused("INTEGER 128 cannot be read as int8")},
	{"-32769", "int16", refused("INTEGER -32769 cannot be read as int16")},
	{"2147483648", "int32", refused("INTEGER 2147483648 cannot be read as int32")},
	{"256", "uint8", refused("INTEGER 256 cannot be read as uint8")},
	{"-1", "uint8", refused("INTEGER -1 cannot be read as uint8")},
	{"-1", "uint64", refused("INTEGER -1 cannot be read as uint64")},
	{"7.5", "int8", refused("REAL")},
	{"NULL", "int32", refused("NULL")},

	{"0.1", "float64", 0.1},
	{"9007199254740992", "float64", 9007199254740992.0},
	{"9007199254740993", "float64", refused("INTEGER cannot be read as a float64, which cannot hold it exactly")},
	{"9223372036854775807", "float64", refused("INTEGER")},
	{"-9223372036854775808", "float64", -9223372036854775808.0},
	{"'0.5'", "float64", 0.5},
	{"'1e999'", "float64", refused("TEXT")},
	{"'NaN'", "float64", refused("TEXT")},
	{"'half'", "float64", refused("TEXT")},
	{"x'00'", "float64", refused("BLOB")},
	{"NULL", "float64", refused("NULL")},
	{"0.1", "float32", float32(0.1)},
	{"1e39", "float32", refused("REAL 1e+39 cannot be read as float32")},
	{"1e999", "float32", float32(math.Inf(1))},
	{"NULL", "float32", refused("NULL")},

	{"0", "bool", false},
	{"1", "bool", true},
	{"1.0", "bool", true},
	{"'true'", "bool", true},
	{"'f'", "bool", false},
	{"6 & 6", "bool", refused("INTEGER 6 cannot be read as a boolean")},
	{"6 | 8", "bool", refused("INTEGER 14 cannot be read as a boolean")},
	{"1 << 2", "bool", refused("INTEGER 4 cannot be read as a boolean")},
	{"8 >> 1", "bool", refused("INTEGER 4 cannot be read as a boolean")},
	{"~1", "bool", refused("INTEGER -2 cannot be read as a boolean")},
	{"CAST(2 AS BOOLEAN)", "bool", refused("INTEGER 2 cannot be read as a boolean")},
	{"0.5", "bool", refused("REAL 0.5 cannot be read as a boolean")},
	{"'perhaps'", "bool", refused(`TEXT "perhaps" cannot be read as a boolean`)},
	{"x'01'", "bool", refused("BLOB cannot be read as a boolean")},
	{"NULL", "bool", refused("NULL cannot be read as a boolean")},

	{"0.1 + 0.2", "string", "0.30000000000000004"},
	{"-9223372036854775808", "string", "-9223372036854775808"},
	{"x'00ff'", "string", "\x00\xff"},
	{"'a' || char(0) || 'b'", "string", "a\x00b"},
	{"NULL", "string", refused("NULL")},
	{"'häßlich'", "bytes", []byte("häßlich")},
	{"x''", "bytes", []byte{}},
	{"NULL", "bytes", []byte(nil)},

	{"1700000000", "time", time.Unix(1700000000, 0).UTC()},
	{"1700000000123", "time", time.UnixMilli(1700000000123).UTC()},
	{"1700000000123456", "time", refused("INTEGER 1700000000123456 cannot be read as a time")},   // microseconds
	{"1700000000123456789", "time", refused("INTEGER 1700000000123456789 cannot be read as")},    // nanoseconds
	{"-999999999999", "time", refused("INTEGER -999999999999 cannot be read as a time")},         // the year -29719
	{"1700000000.25", "time", time.Unix(1700000000, 250e6).UTC()},                                //
	{"1700000000123.0", "time", refused("REAL 1.700000000123e+12 cannot be read as a time")},     // milliseconds
	{"julianday('2024-02-29')", "time", refused("REAL 2.4603695e+06 cannot be read as a time")},  //
	{"1e300", "time", refused("REAL 1e+300 cannot be read as a time")},                           //
	{"'yesterday'", "time", refused(`TEXT cannot be read as a time: "yesterday" is not a time`)}, //
	{"'2023-02-29'", "time", refused("TEXT cannot be read as a time")},                           //
	{"x'32303234'", "time", refused("BLOB cannot be read as a time")},                            //
	{"NULL", "time", refused("NULL cannot be read as a time")},                                   //
	{"1700000000123456", "millis", time.UnixMilli(1700000000123456).UTC()},                       // what the format says
	{"1700000000.25", "millis", time.Unix(1700000000, 250e6).UTC()},                              //
	{"'2024-02-29 13:14:15'", "time", time.Date(2024, 2, 29, 13, 14, 15, 0, time.UTC)},           //
	{"'2024-02-29 13:14:15+01:00'", "time", time.Date(2024, 2, 29, 12, 14, 15, 0, time.UTC)},     //
	{"'2024-02-29 13:14:15.123456789Z'", "time", time.Date(2024, 2, 29, 13, 14, 15, 123456789, time.UTC)},
}

func TestConversion_losesNothingWithoutAnError(t *testing.T) {
	db := pooltest.Open(t, nil)
	err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
		s, err := tx.PrepareWrite(ctx, &lido.Query{Name: "Create", SQL: "CREATE TABLE sink (x)"})
		if err != nil {
			return err
		}
		_, err = s.Step()
		return errors.Join(err, s.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	// The engine's own rows, and those of a write that the pool has kept.
	read := lido.Query{Name: "Ask", SQL: "SELECT %s AS x", ReadOnly: true}
	write := lido.Query{Name: "Ask", SQL: "INSERT INTO sink VALUES (%[1]s) RETURNING %[1]s AS x", Writes: []string{"sink"}}
	for _, c := range conversions {
		for _, q := range []lido.Query{read, write} {
			q.SQL = fmt.Sprintf(q.SQL, c.sql)
			prepare := db.PrepareWrite
			if q.ReadOnly {
				prepare = db.PrepareRead
			}
			s, err := prepare(t.Context(), &q)
			if err != nil {
				t.Fatal(err)
			}
			row, err := s.Step()
			if err != nil || !row {
				t.Fatalf("%s: %v %v", q.SQL, row, err)
			}
			got := readers[c.as](s)
			check(t, q.SQL, c.as, c.want, got, s.Close())
		}
	}
}

// check compares a value, or the refusal of it, with the one that is wanted.
func check(t *testing.T, sql, as string, want, got any, err error) {
	t.Helper()
	says, refusal := want.(refused)
	switch {
	case !refusal:
		if at, ok := got.(time.Time); ok {
			got = at.UTC()
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s as %s: got %v (%v), want %v", sql, as, got, err, want)
		}
	case err == nil:
		t.Errorf("%s as %s: got %v without an error", sql, as, got)
	default:
		for _, part := range []string{"Ask", "column 0 (x)", string(says)} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s as %s: %v does not say %q", sql, as, err, part)
			}
		}
	}
}

// one column as each type that Select can read.
type column[T any] struct{ X T }

func selected[T any](t *testing.T, db lido.Reader, text *lido.SQL) (any, error) {
	row, err := lido.SelectOne[column[T]](t.Context(), db, text)
	return row.X, err
}

func TestConversion_ofSelectIsThatOfGeneratedCode(t *testing.T) {
	db := pooltest.Open(t, nil)
	selects := map[string]func(*testing.T, lido.Reader, *lido.SQL) (any, error){
		"int64": selected[int64], "int8": selected[int8], "int16": selected[int16], "int32": selected[int32], "uint8": selected[uint8],
		"uint64": selected[uint64], "float64": selected[float64], "float32": selected[float32], "bool": selected[bool],
		"string": selected[string], "bytes": selected[[]byte], "time": selected[time.Time],
	}
	for _, c := range conversions {
		if do, ok := selects[c.as]; ok {
			// The text of a statement is a constant of the program, unless one insists.
			text := lido.NewSQL("Ask", "")
			reflect.ValueOf(text.Add).Call([]reflect.Value{reflect.ValueOf("SELECT " + c.sql + " AS x").Convert(reflect.TypeOf(text.Add).In(0))})
			got, err := do(t, db, text)
			check(t, c.sql, c.as, c.want, got, err)
		}
	}
}

func TestConversion_ofParametersLosesNothingWithoutAnError(t *testing.T) {
	db := pooltest.Open(t, nil)
	amsterdam := time.Date(1930, 1, 1, 0, 0, 0, 0, time.FixedZone("AMT", 19*60+32))
	for _, c := range []struct {
		what string
		bind func(s lido.Stmt)
		want string // or "" for an error
	}{
		{"the largest integer", func(s lido.Stmt) { lido.BindInt(s, 1, uint64(math.MaxInt64)) }, "integer 9223372036854775807"},
		{"one more", func(s lido.Stmt) { lido.BindInt(s, 1, uint64(math.MaxInt64)+1) }, ""},
		{"one more, in an any", func(s lido.Stmt) { lido.BindAny(s, 1, uint64(math.MaxInt64)+1) }, ""},
		{"one more, in a list", func(s lido.Stmt) { lido.BindSlice(s, 1, []uint64{math.MaxInt64 + 1}) }, ""},
		{"infinity", func(s lido.Stmt) { s.BindFloat64(1, math.Inf(1)) }, "real 9.0e+999"},
		{"NaN", func(s lido.Stmt) { s.BindFloat64(1, math.NaN()) }, ""},
		{"NaN in an any", func(s lido.Stmt) { lido.BindAny(s, 1, math.NaN()) }, ""},
		{"NaN in a float32", func(s lido.Stmt) { lido.BindAny(s, 1, float32(math.NaN())) }, ""},
		{"NaN in a list", func(s lido.Stmt) { lido.BindSlice(s, 1, []float64{math.NaN()}) }, ""},
		{"no document", func(s lido.Stmt) { lido.BindJSON(s, 1, json.RawMessage(nil)) }, "null NULL"},
		{"a list of text that JSON cannot hold", func(s lido.Stmt) { lido.BindSlice(s, 1, []string{"\xff"}) }, ""},
		{"a time after 9999", func(s lido.Stmt) { lido.BindTime(s, 1, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) }, ""},
		{"an offset with seconds", func(s lido.Stmt) { lido.BindTimeAs(s, 1, amsterdam, lido.TimeMattn) }, "text '1929-12-31 23:40:28+00:00'"},
		{"a time's nanoseconds", func(s lido.Stmt) { lido.BindTime(s, 1, time.Unix(0, 1)) }, "text '1970-01-01 00:00:00.000000001Z'"},
	} {
		var got string
		err := ask(t, db, "SELECT typeof(?1) || ' ' || quote(?1) AS x", c.bind, func(s lido.Stmt) { got = s.ColumnText(0) })
		if c.want == "" && err == nil {
			t.Errorf("%s: stored as %s without an error", c.what, got)
		}
		if c.want == "" && err != nil && (!strings.Contains(err.Error(), "parameter 1") || !strings.Contains(err.Error(), "Ask")) {
			t.Errorf("%s: %v names neither query nor parameter", c.what, err)
		}
		if c.want != "" && (err != nil || got != c.want) {
			t.Errorf("%s: stored as %s, want %s (%v)", c.what, got, c.want, err)
		}
	}
}

// Text and blobs have the bytes in a database of UTF-16 that they have in one
// of UTF-8.
func TestConversion_inUTF16(t *testing.T) {
	db := pooltest.Open(t, nil, pool.Config{Prepare: func(ctx context.Context, db *pool.DB) error {
		return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
			return c.Exec(ctx, "PRAGMA encoding = 'UTF-16le'; CREATE TABLE sink (x)")
		})
	}})
	for _, c := range conversions {
		if c.as != "string" && c.as != "bytes" {
			continue
		}
		var got any
		err := ask(t, db, "SELECT "+c.sql+" AS x", func(s lido.Stmt) {}, func(s lido.Stmt) { got = readers[c.as](s) })
		check(t, c.sql, c.as, c.want, got, err)
	}
	err := ask(t, db, "SELECT ?1", func(s lido.Stmt) { s.BindText(1, "a\xff") }, func(lido.Stmt) {})
	if err == nil || !strings.Contains(err.Error(), "not valid UTF-8") {
		t.Errorf("text that UTF-16 cannot hold: %v", err)
	}
}
