package timeform_test

import (
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/timeform"
	"github.com/lidodb/lido/sqlite"
)

func TestToDateTimeCutsEveryFormToTheOneOfCurrentTimestamp(t *testing.T) {
	conn, err := sqlite.Open(t.Context(), ":memory:", sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(t.Context(), `CREATE TABLE "a ""t" (id INTEGER PRIMARY KEY, "at x" DATETIME NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	for stored, want := range map[string]string{
		"'2024-02-29 12:14:15.999999999Z'":                 "2024-02-29 12:14:15", // not rounded up
		"'2024-02-29 12:14:15'":                            "2024-02-29 12:14:15",
		"'2024-02-29T12:14:15.5Z'":                         "2024-02-29 12:14:15",
		"'2024-02-29 13:14:15.123+01:00'":                  "2024-02-29 12:14:15",
		"'2024-02-28 22:44:15-13:30'":                      "2024-02-29 12:14:15",
		"'2024-02-29'":                                     "2024-02-29 00:00:00",
		"'2024-02-29 12:14:15.5 +0000 UTC'":                "2024-02-29 12:14:15.5 +0000 UTC",
		"'2024-02-29 13:14:15.5 +0100 CET'":                "2024-02-29 13:14:15.5 +0100 CET",
		"'2024-02-29 13:14:15.5 +0100 CET m=+0.000000001'": "2024-02-29 13:14:15.5 +0100 CET m=+0.000000001",
		"1709208855":                                       "1709208855",
		"'long ago'":                                       "long ago",
	} {
		err := conn.Exec(t.Context(), `DELETE FROM "a ""t"; INSERT INTO "a ""t" ("at x") VALUES (`+stored+`); `+timeform.ToDateTime(`a "t`, "at x"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := conn.QueryText(t.Context(), `SELECT "at x" FROM "a ""t"`)
		if err != nil || got != want {
			t.Errorf("%s becomes %q, want %q (%v)", stored, got, want, err)
		}
	}
}

func TestOfTextNamesWhatLidoWrites(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 14, 15, 5e8, time.UTC)
	text, err := lido.FormatTime(at)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		text: timeform.Lido, "2024-02-29 12:14:15": timeform.DateTime, "2024-02-29T12:14:15.500000000Z": timeform.RFC3339Nano,
		"2024-02-29T12:14:15.5Z": "rfc3339_fraction", "2024-02-29 12:14:15.5+00:00": timeform.Mattn, "2024-02-29 12:14:15.5+01:00": "mattn_zone", "noon": timeform.Other,
	} {
		if got := timeform.OfText(text); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}
