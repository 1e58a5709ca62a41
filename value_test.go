package lido_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask runs a read-only query with one parameter and hands its one row to read.
func ask(t *testing.T, db *pool.DB, sql string, bind func(lido.Stmt), read func(lido.Stmt)) error {
	t.Helper()
	s, err := db.PrepareRead(t.Context(), &lido.Query{Name: "Ask", SQL: sql, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bind(s)
	if row, err := s.Step(); err != nil || !row {
		return err
	}
	read(s)
	return s.Close()
}

func TestATimeSurvivesAsTextThatSortsAndThatSQLiteUnderstands(t *testing.T) {
	db := pooltest.Open(t, nil)
	zone := time.FixedZone("somewhere", -5*3600)
	times := []time.Time{
		time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(2026, 2, 28, 23, 0, 0, 1, zone),
		time.Date(2026, 3, 1, 4, 0, 0, 2, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	last := ""
	for _, want := range times {
		var got time.Time
		var text, seconds string
		err := ask(t, db, "SELECT ?1, strftime('%Y-%m-%d %H:%M:%S', ?1), ?1",
			func(s lido.Stmt) { lido.BindTime(s, 1, want) },
			func(s lido.Stmt) { got, seconds, text = lido.ColumnTime(s, 0), s.ColumnText(1), s.ColumnText(2) })
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%v came back as %v (%v)", want, got, err)
		}
		if seconds != want.UTC().Format("2006-01-02 15:04:05") {
			t.Errorf("SQLite reads %s as %s", text, seconds)
		}
		if text <= last || len(text) != len(lido.TimeLayout) {
			t.Errorf("%s does not sort after %s", text, last)
		}
		last = text
	}
	for _, year := range []int{-1, 10000} {
		err := ask(t, db, "SELECT ?1", func(s lido.Stmt) { lido.BindTime(s, 1, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)) }, func(lido.Stmt) {})
		if err == nil || !strings.Contains(err.Error(), "parameter 1") {
			t.Errorf("year %d: %v", year, err)
		}
	}
}

func TestTimesThatOthersHaveWrittenAreRead(t *testing.T) {
	db := pooltest.Open(t, nil)
	want := time.Date(2026, 11, 23, 14, 5, 6, 0, time.UTC)
	for _, literal := range []string{
		"'2026-11-23 14:05:06'",                       // CURRENT_TIMESTAMP
		"'2026-11-23 14:05:06+00:00'",                 // mattn/go-sqlite3
		"'2026-11-23T15:05:06+01:00'",                 // RFC 3339
		"'2026-11-23T14:05:06Z'",                      //
		"'2026-11-23 14:05:06 +0000 UTC'",             // modernc.org/sqlite: Go's String
		"'2026-11-23 15:05:06 +0100 CET m=+0.012345'", // with the monotonic clock
		"'2026-11-23 11:05:06 -0300 -03'",             // a zone without a name
		"'2026-11-23 19:35:06 +0530 +0530'",
		"unixepoch('2026-11-23 14:05:06')",               // seconds
		"unixepoch('2026-11-23 14:05:06') * 1000",        // milliseconds
		"CAST(unixepoch('2026-11-23 14:05:06') AS REAL)", //
	} {
		var got time.Time
		err := ask(t, db, "SELECT "+literal, func(lido.Stmt) {}, func(s lido.Stmt) { got = lido.ColumnTime(s, 0) })
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: %v (%v)", literal, got, err)
		}
	}
	for _, literal := range []string{"'yesterday'", "'2026-02-30 00:00:00.000000000Z'", "''", "NULL", "x'00'"} {
		err := ask(t, db, "SELECT "+literal, func(lido.Stmt) {}, func(s lido.Stmt) { lido.ColumnTime(s, 0) })
		if err == nil || !strings.Contains(err.Error(), "column 0") {
			t.Errorf("%s: %v", literal, err)
		}
	}
}

func FuzzParseTimeReadsWhatFormatTimeWrites(f *testing.F) {
	f.Add(int64(0), int64(0))
	f.Add(int64(253402300799), int64(999999999))
	f.Fuzz(func(t *testing.T, sec, ns int64) {
		want := time.Unix(sec, ns)
		text, err := lido.FormatTime(want)
		if err != nil {
			return
		}
		if got, err := lido.ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%v: %s: %v %v", want, text, got, err)
		}
	})
}

// What ParseTime reads without package time, it reads as package time does.
func TestTheFormsOfTheEngineAreReadAsPackageTimeReadsThem(t *testing.T) {
	for _, text := range []string{
		"2024-02-29 23:59:59", "2023-02-29 23:59:59", "2024-13-01 00:00:00", "2024-00-01 00:00:00", "2024-01-00 00:00:00",
		"2024-01-31 24:00:00", "2024-01-31 23:60:00", "2024-01-31 23:59:60", "0000-01-01 00:00:00", "9999-12-31 23:59:59",
		"2024-02-29", "2023-02-29", "2024-13-01", "0000-01-01", "2024-04-31", "2024-1-011", "2024/01/01", "2024-01-0x",
		"2024-01-31T23:59:59", "2024-01-31 23.59:59", "2024-01-31 23:59 59", "-024-01-31 23:59:59",
	} {
		layout := time.DateTime
		if len(text) == len(time.DateOnly) {
			layout = time.DateOnly
		} else if text[10] == 'T' {
			layout = "2006-01-02T15:04:05"
		}
		want, wantErr := time.Parse(layout, text)
		got, err := lido.ParseTime(text)
		if (err == nil) != (wantErr == nil) || !got.Equal(want) || err == nil && got.Location() != time.UTC {
			t.Errorf("%s: %v, %v; package time says %v, %v", text, got, err, want, wantErr)
		}
	}
}

func FuzzParseTimeNeverPanics(f *testing.F) {
	for _, s := range []string{"2026-11-23 14:05:06.000000000Z", "2026-11-23", " m=", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { _, _ = lido.ParseTime(s) })
}

func TestASliceIsOneParameterOfAnyLength(t *testing.T) {
	db := pooltest.Open(t, nil)
	// The values as the engine sees them, with their types.
	const list = "SELECT coalesce(group_concat(typeof(value) || ':' || quote(value), ' '), '') FROM json_each(?1)"
	type text string
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for want, bind := range map[string]func(s lido.Stmt){
		"":  func(s lido.Stmt) { lido.BindSlice(s, 1, []int64{}) },
		" ": func(s lido.Stmt) { lido.BindSlice[string](s, 1, nil) },
		"integer:-9223372036854775808 integer:9223372036854775807": func(s lido.Stmt) { lido.BindSlice(s, 1, []int64{math.MinInt64, math.MaxInt64}) },
		"text:'it''s <&> \"ü\"'":                                   func(s lido.Stmt) { lido.BindSlice(s, 1, []string{`it's <&> "ü"`}) },
		"text:'named'":                                             func(s lido.Stmt) { lido.BindSlice(s, 1, []text{"named"}) },
		"real:0.1 real:1.0e+300":                                   func(s lido.Stmt) { lido.BindSlice(s, 1, []float64{0.1, 1e300}) },
		"integer:1 integer:0":                                      func(s lido.Stmt) { lido.BindSlice(s, 1, []bool{true, false}) },
		"text:'00ff' null:NULL":                                    func(s lido.Stmt) { lido.BindSlice(s, 1, [][]byte{{0, 255}, nil}) },
		`text:'{"blob":"00ff"}' null:NULL text:'{}'`:               func(s lido.Stmt) { lido.BindSlice(s, 1, []any{[]byte{0, 255}, []byte(nil), json.RawMessage("{}")}) },
		"text:'a' null:NULL":                                       func(s lido.Stmt) { lido.BindSlice(s, 1, []sql.NullString{{String: "a", Valid: true}, {}}) },
		"integer:7 text:'x'":                                       func(s lido.Stmt) { lido.BindSlice(s, 1, []any{7, "x"}) },
		"text:'2026-01-02 03:04:05.000000006Z'":                    func(s lido.Stmt) { lido.BindSlice(s, 1, []time.Time{at}) },
	} {
		var got string
		err := ask(t, db, list, bind, func(s lido.Stmt) { got = s.ColumnText(0) })
		if err != nil || got != strings.TrimSpace(want) {
			t.Errorf("%q, want %q (%v)", got, want, err)
		}
	}
	var n int64
	many := make([]int64, 100_000)
	err := ask(t, db, "SELECT count(*) FROM json_each(?1)", func(s lido.Stmt) { lido.BindSlice(s, 1, many) }, func(s lido.Stmt) { n = s.ColumnInt64(0) })
	if n != 100_000 || err != nil {
		t.Error(n, err)
	}
	for name, bind := range map[string]func(s lido.Stmt){
		"element 1": func(s lido.Stmt) { lido.BindSlice(s, 1, []string{"fine", "\xff"}) },
		"element 0": func(s lido.Stmt) { lido.BindSlice(s, 1, []float64{math.NaN()}) },
	} {
		if err := ask(t, db, list, bind, func(lido.Stmt) {}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBoxedValuesKeepTheirType(t *testing.T) {
	db := pooltest.Open(t, nil)
	seven := int64(7)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, x := range []struct{ in, want any }{
		{nil, nil}, {int64(7), int64(7)}, {7, int64(7)}, {uint8(7), int64(7)}, {&seven, int64(7)}, {(*int64)(nil), nil},
		{1.5, 1.5}, {true, int64(1)}, {"x", "x"}, {[]byte("x"), []byte("x")}, {[]byte(nil), nil}, {[]byte{}, []byte{}},
		{json.RawMessage(`{}`), "{}"}, {sql.NullString{}, nil}, {at, "2026-01-02 03:04:05.000000006Z"},
	} {
		var got any
		err := ask(t, db, "SELECT ?1", func(s lido.Stmt) { lido.BindAny(s, 1, x.in) }, func(s lido.Stmt) { got = lido.ColumnAny(s, 0) })
		if err != nil || !reflect.DeepEqual(got, x.want) {
			t.Errorf("%#v came back as %#v, want %#v (%v)", x.in, got, x.want, err)
		}
	}
	if err := ask(t, db, "SELECT ?1", func(s lido.Stmt) { lido.BindAny(s, 1, struct{}{}) }, func(lido.Stmt) {}); err == nil {
		t.Error("a struct was bound")
	}
	var n sql.NullInt64
	err := ask(t, db, "SELECT 'seven'", func(lido.Stmt) {}, func(s lido.Stmt) { lido.ColumnScan(s, 0, &n) })
	if err == nil || !strings.Contains(err.Error(), "column 0") {
		t.Error(err)
	}
}

func TestErrorsMatchTheirSentinelsAndTheirCause(t *testing.T) {
	for code, want := range map[int]error{
		2067: lido.ErrUnique, 1555: lido.ErrUnique, 787: lido.ErrForeignKey, 1299: lido.ErrNotNull, 275: lido.ErrCheck,
		5: lido.ErrBusy, 517: lido.ErrBusy, 6: lido.ErrBusy, 8: lido.ErrReadOnly, 11: lido.ErrCorrupt, 26: lido.ErrCorrupt,
		13: lido.ErrFull, 9: lido.ErrInterrupted,
	} {
		err := error(&lido.Error{Query: "GetAccount", Code: code & 0xff, Extended: code, Message: "said the engine", Cause: context.Canceled})
		for _, other := range []error{lido.ErrUnique, lido.ErrForeignKey, lido.ErrNotNull, lido.ErrCheck, lido.ErrBusy, lido.ErrReadOnly, lido.ErrCorrupt, lido.ErrFull, lido.ErrInterrupted, lido.ErrNested, lido.ErrCommitted} {
			if errors.Is(err, other) != (other == want) {
				t.Errorf("code %d and %v: %v", code, other, errors.Is(err, other))
			}
		}
		if !errors.Is(err, context.Canceled) {
			t.Error("the cause is lost")
		}
		for _, part := range []string{"GetAccount", "said the engine", "context canceled"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not say %q", err, part)
			}
		}
	}
}

func TestIntegersOfEverySizeKeepTheirValueOrAreRefused(t *testing.T) {
	db := pooltest.Open(t, nil)
	roundTrip := func(bind func(lido.Stmt), read func(lido.Stmt) any) (got any, err error) {
		err = ask(t, db, "SELECT ?1", bind, func(s lido.Stmt) { got = read(s) })
		return got, err
	}
	for _, c := range []struct {
		bind func(lido.Stmt)
		read func(lido.Stmt) any
		want any // nil: refused
	}{
		{func(s lido.Stmt) { lido.BindInt(s, 1, int8(-128)) }, func(s lido.Stmt) any { return lido.ColumnInt[int8](s, 0) }, int8(-128)},
		{func(s lido.Stmt) { lido.BindInt(s, 1, 128) }, func(s lido.Stmt) any { return lido.ColumnInt[int8](s, 0) }, nil},
		{func(s lido.Stmt) { lido.BindInt(s, 1, uint8(255)) }, func(s lido.Stmt) any { return lido.ColumnInt[uint8](s, 0) }, uint8(255)},
		{func(s lido.Stmt) { lido.BindInt(s, 1, -1) }, func(s lido.Stmt) any { return lido.ColumnInt[uint64](s, 0) }, nil},
		{func(s lido.Stmt) { lido.BindInt(s, 1, -1) }, func(s lido.Stmt) any { return lido.ColumnInt[uint32](s, 0) }, nil},
		{func(s lido.Stmt) { lido.BindInt(s, 1, uint64(math.MaxInt64)) }, func(s lido.Stmt) any { return lido.ColumnInt[uint64](s, 0) }, uint64(math.MaxInt64)},
		{func(s lido.Stmt) { lido.BindInt(s, 1, uint64(math.MaxInt64)+1) }, func(s lido.Stmt) any { return lido.ColumnInt[uint64](s, 0) }, nil},
		{func(s lido.Stmt) { lido.BindInt(s, 1, math.MinInt) }, func(s lido.Stmt) any { return lido.ColumnInt[int](s, 0) }, math.MinInt},
		{func(s lido.Stmt) { lido.BindInt(s, 1, int32(math.MinInt32)) }, func(s lido.Stmt) any { return lido.ColumnInt[int32](s, 0) }, int32(math.MinInt32)},
		{func(s lido.Stmt) { s.BindNull(1) }, func(s lido.Stmt) any { return lido.ColumnInt[int32](s, 0) }, nil},
	} {
		got, err := roundTrip(c.bind, c.read)
		if (err != nil) != (c.want == nil) || c.want != nil && got != c.want {
			t.Errorf("got %v (%T), %v; want %v", got, got, err, c.want)
		}
	}
}
