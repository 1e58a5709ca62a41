package lido_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool/pooltest"
	"pgregory.net/rapid"
)

var timeFormats = []lido.TimeFormat{lido.TimeLido, lido.TimeMattn, lido.TimeRFC3339Nano, lido.TimeDateTime, lido.TimeUnix, lido.TimeUnixMilli}

func TestATimeIsStoredInTheFormatOfItsColumn(t *testing.T) {
	db := pooltest.Open(t, nil)
	at := time.Date(2024, 2, 29, 13, 14, 15, 123456789, time.FixedZone("", 3600))
	for _, c := range []struct {
		format lido.TimeFormat
		want   string
		keeps  time.Duration
	}{
		{lido.TimeLido, "text 2024-02-29 12:14:15.123456789Z", 1},
		{lido.TimeMattn, "text 2024-02-29 12:14:15.123456789+00:00", 1},
		{lido.TimeRFC3339Nano, "text 2024-02-29T12:14:15.123456789Z", 1},
		{lido.TimeDateTime, "text 2024-02-29 12:14:15", time.Second},
		{lido.TimeUnix, "integer 1709208855", time.Second},
		{lido.TimeUnixMilli, "integer 1709208855123", time.Millisecond},
	} {
		err := ask(t, db, "SELECT typeof(?1) || ' ' || ?1, ?1, ?1 IN (SELECT value FROM json_each(?2)), 0 IN (SELECT value FROM json_each(?3))",
			func(s lido.Stmt) {
				lido.BindTimeAs(s, 1, at, c.format)
				lido.BindTimesAs(s, 2, []time.Time{at.AddDate(1, 0, 0), at}, c.format)
				lido.BindTimesAs(s, 3, nil, c.format)
			},
			func(s lido.Stmt) {
				if got := s.ColumnText(0); got != c.want {
					t.Errorf("%s: stored as %q, want %q", c.format, got, c.want)
				}
				if got := lido.ColumnTimeAs(s, 1, c.format); !got.Equal(at.Truncate(c.keeps)) {
					t.Errorf("%s: read as %v", c.format, got)
				}
				if s.ColumnInt64(2) != 1 || s.ColumnInt64(3) != 0 {
					t.Errorf("%s: not found among its own kind", c.format)
				}
			})
		if err != nil {
			t.Errorf("%s: %v", c.format, err)
		}
	}
}

func TestANumberOfMillisecondsIsOneWhateverItsSize(t *testing.T) {
	db := pooltest.Open(t, nil)
	for _, at := range []time.Time{time.Unix(0, 0), time.Unix(-1, 0), time.UnixMilli(999), time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(40000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		for _, f := range []lido.TimeFormat{lido.TimeUnix, lido.TimeUnixMilli} {
			err := ask(t, db, "SELECT ?1", func(s lido.Stmt) { lido.BindTimeAs(s, 1, at, f) }, func(s lido.Stmt) {
				want := at
				if f == lido.TimeUnix {
					want = time.Unix(at.Unix(), 0)
				}
				if got := lido.ColumnTimeAs(s, 0, f); !got.Equal(want) {
					t.Errorf("%s: %v came back as %v", f, at, got)
				}
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}

func TestEachFormatReadsWhatTheOthersHaveWrittenAsText(t *testing.T) {
	db := pooltest.Open(t, nil)
	at := time.Date(2024, 2, 29, 13, 14, 15, 5e8, time.UTC)
	for _, written := range timeFormats[:3] {
		for _, read := range timeFormats {
			err := ask(t, db, "SELECT ?1", func(s lido.Stmt) { lido.BindTimeAs(s, 1, at, written) }, func(s lido.Stmt) {
				if got := lido.ColumnTimeAs(s, 0, read); !got.Equal(at) {
					t.Errorf("written as %s, read as %s: %v", written, read, got)
				}
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}

func TestAYearThatDoesNotSortAsTextIsRefusedInEveryTextFormat(t *testing.T) {
	db := pooltest.Open(t, nil)
	far := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, f := range timeFormats[:4] {
		for name, bind := range map[string]func(lido.Stmt){
			"one":  func(s lido.Stmt) { lido.BindTimeAs(s, 1, far, f) },
			"list": func(s lido.Stmt) { lido.BindTimesAs(s, 1, []time.Time{far}, f) },
		} {
			if err := ask(t, db, "SELECT ?1", bind, func(lido.Stmt) {}); err == nil || !strings.Contains(err.Error(), "year 10000") {
				t.Errorf("%s, %s: %v", f, name, err)
			}
		}
	}
}

// precision is what each form keeps of a time.
var precision = map[lido.TimeFormat]time.Duration{
	lido.TimeLido: 1, lido.TimeMattn: 1, lido.TimeRFC3339Nano: 1,
	lido.TimeDateTime: time.Second, lido.TimeUnix: time.Second, lido.TimeUnixMilli: time.Millisecond,
}

// Times lie close together, so that many are equal but for what a form cuts
// off, and in several zones.
var someTime = rapid.Custom(func(t *rapid.T) time.Time {
	base := rapid.SampledFrom([]time.Time{
		time.Date(1969, 12, 31, 23, 59, 58, 0, time.UTC), time.Date(2024, 2, 29, 12, 14, 15, 0, time.UTC), time.Date(9, 1, 1, 0, 0, 0, 0, time.UTC),
	}).Draw(t, "base")
	fraction := rapid.SampledFrom([]time.Duration{0, 1, 100, 999_999, 1e6, 5e8, 123_456_789, 999_999_999}).Draw(t, "fraction")
	zone := rapid.SampledFrom([]int{0, 3600, -5*3600 - 1800, 14 * 3600}).Draw(t, "zone")
	return base.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "seconds"))*time.Second + fraction).In(time.FixedZone("", zone))
})

func TestTimesOfEveryFormatCompareInSQLAsInGo(t *testing.T) {
	db := pooltest.Open(t, nil)
	for _, f := range timeFormats {
		rapid.Check(t, func(rt *rapid.T) {
			a, b, c := someTime.Draw(rt, "a"), someTime.Draw(rt, "b"), someTime.Draw(rt, "c")
			cut := func(t time.Time) time.Time { // towards the past, before 1970 too
				n := time.Duration(t.Nanosecond())
				return t.Add(-(n % precision[f]))
			}
			x, y, z := cut(a), cut(b), cut(c)
			flag := func(ok bool) int64 {
				if ok {
					return 1
				}
				return 0
			}
			want := []int64{
				flag(x.Before(y)), flag(!x.After(y)), flag(x.Equal(y)), flag(!y.After(x) && !x.After(z)),
				flag(x.Before(y) || x.Equal(y) && 1 < 2), flag(x.Equal(y) || x.Equal(z)),
			}
			err := ask(t, db, `SELECT ?1 < ?2, ?1 <= ?2, ?1 = ?2, ?1 BETWEEN ?2 AND ?3, (?1, 1) < (?2, 2), ?1 IN (SELECT value FROM json_each(?4)), ?1`,
				func(s lido.Stmt) {
					for i, v := range []time.Time{a, b, c} {
						lido.BindTimeAs(s, i+1, v, f)
					}
					lido.BindTimesAs(s, 4, []time.Time{b, c}, f)
				},
				func(s lido.Stmt) {
					for i, w := range want {
						if got := s.ColumnInt64(i); got != w {
							rt.Errorf("%s: column %d is %d, want %d for %v, %v, %v", f, i, got, w, a, b, c)
						}
					}
					if got := lido.ColumnTimeAs(s, len(want), f); !got.Equal(x) {
						rt.Errorf("%s: %v came back as %v", f, a, got)
					}
				})
			if err != nil {
				rt.Fatal(err)
			}
		})
	}
}

func TestAParameterInTheFormOfTheEnginesClockFindsWhatItWrote(t *testing.T) {
	db := pooltest.Open(t, nil)
	var now time.Time
	for range 2 { // CURRENT_TIMESTAMP is one value for a statement only
		err := ask(t, db, "SELECT t, t = ?1, t < ?1, t > ?1 FROM (SELECT '2024-05-06 07:08:09' AS t UNION ALL SELECT CURRENT_TIMESTAMP WHERE 0)",
			func(s lido.Stmt) { lido.BindTimeAs(s, 1, now, lido.TimeDateTime) },
			func(s lido.Stmt) {
				if !now.IsZero() && (s.ColumnInt64(1) != 1 || s.ColumnInt64(2) != 0 || s.ColumnInt64(3) != 0) {
					t.Errorf("%v is not found", now)
				}
				now = lido.ColumnTimeAs(s, 0, lido.TimeDateTime).Add(999 * time.Millisecond)
			})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestATimeOfAnyTypeIsBoundInTheFormatOfItsColumn(t *testing.T) {
	db := pooltest.Open(t, nil)
	at := time.Date(2024, 2, 29, 12, 14, 15, 5, time.UTC)
	for _, c := range []struct {
		value any
		want  string
	}{
		{at, "2024-02-29 12:14:15"}, {&at, "2024-02-29 12:14:15"}, {sql.NullTime{Time: at, Valid: true}, "2024-02-29 12:14:15"},
		{sql.NullTime{}, ""}, {(*time.Time)(nil), ""}, {nil, ""}, {"noon", "noon"}, {7, "7"},
	} {
		err := ask(t, db, "SELECT coalesce(?1, '')", func(s lido.Stmt) { lido.BindAnyAs(s, 1, c.value, lido.TimeDateTime) }, func(s lido.Stmt) {
			if got := s.ColumnText(0); got != c.want {
				t.Errorf("%v is stored as %q, want %q", c.value, got, c.want)
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
}
