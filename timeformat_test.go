package lido_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool/pooltest"
)

var timeFormats = []lido.TimeFormat{lido.TimeLido, lido.TimeMattn, lido.TimeRFC3339Nano, lido.TimeUnix, lido.TimeUnixMilli}

func TestATimeIsStoredInTheFormatOfItsColumn(t *testing.T) {
	db := pooltest.Open(t, nil)
	at := time.Date(2024, 2, 29, 13, 14, 15, 123456789, time.FixedZone("", 3600))
	for _, c := range []struct {
		format lido.TimeFormat
		want   string
		keeps  time.Duration
	}{
		{lido.TimeLido, "text 2024-02-29 12:14:15.123456789Z", 1},
		{lido.TimeMattn, "text 2024-02-29 13:14:15.123456789+01:00", 1},
		{lido.TimeRFC3339Nano, "text 2024-02-29T12:14:15.123456789Z", 1},
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
	for _, f := range timeFormats[:3] {
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
