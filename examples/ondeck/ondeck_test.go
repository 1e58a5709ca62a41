// Package ondeck_test runs an example with several query files, interfaces and
// a schema in three migrations end to end.
package ondeck_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/examples/ondeck/db"
	"github.com/lidodb/lido/pool/pooltest"
)

// opening is a day, without a time.
var opening = time.Date(1994, 5, 13, 0, 0, 0, 0, time.UTC)

func open(t *testing.T) *db.Store {
	t.Helper()
	store := db.NewStore(pooltest.Open(t, os.DirFS("schema")))
	for slug, name := range map[string]string{"turku": "Turku", "oulu": "Oulu"} {
		if _, err := store.PutCity(t.Context(), db.PutCityParams{Slug: slug, Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []db.CreateVenueParams{
		{Slug: "barge", Name: "The Barge", City: "turku", Seats: sql.NullInt64{Int64: 120, Valid: true}, OpenedOn: sql.NullTime{Time: opening, Valid: true}},
		{Slug: "attic", Name: "The Attic", City: "turku"},
	} {
		v.CreatedAt = opening
		if id, err := store.CreateVenue(t.Context(), v); err != nil || id == 0 {
			t.Fatalf("CreateVenue: %d, %v", id, err)
		}
	}
	return store
}

// names is written against the interface, so a fake can stand for the store.
func names(ctx context.Context, q db.ReadQuerier, city string, closed bool) (string, error) {
	venues, err := q.ListVenues(ctx, db.ListVenuesParams{City: city, Closed: closed})
	var all []string
	for _, v := range venues {
		all = append(all, v.Slug)
	}
	return strings.Join(all, " "), err
}

func TestVenuesAreListedByCityAndStatus(t *testing.T) {
	store := open(t)
	if got, err := names(t.Context(), store, "turku", false); err != nil || got != "attic barge" {
		t.Errorf("open venues: %q, %v", got, err)
	}
	res, err := store.SetStatus(t.Context(), db.SetStatusParams{Status: "closed", Slug: "attic"})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		t.Errorf("SetStatus changed %d, %v", n, err)
	}
	for closed, want := range map[bool]string{false: "barge", true: "attic barge"} {
		if got, err := names(t.Context(), store, "turku", closed); err != nil || got != want {
			t.Errorf("closed %v: %q, %v", closed, got, err)
		}
	}
	if n, err := store.DeleteVenue(t.Context(), "barge"); err != nil || n != 0 {
		t.Errorf("an open venue was deleted: %d, %v", n, err)
	}
	if n, err := store.DeleteVenue(t.Context(), "attic"); err != nil || n != 1 {
		t.Errorf("DeleteVenue: %d, %v", n, err)
	}
}

func TestAFakeStandsForTheDatabase(t *testing.T) {
	if got, err := names(t.Context(), fake{}, "anywhere", true); err != nil || got != "fake" {
		t.Errorf("got %q, %v", got, err)
	}
}

// fake answers one query; the others are not called.
type fake struct{ db.ReadQuerier }

func (fake) ListVenues(context.Context, db.ListVenuesParams) ([]db.Venue, error) {
	return []db.Venue{{Slug: "fake"}}, nil
}

func TestACityIsRenamedAndMovedWithItsVenues(t *testing.T) {
	store := open(t)
	city, err := store.PutCity(t.Context(), db.PutCityParams{Slug: "turku", Name: "Åbo"})
	if err != nil || city.Name != "Åbo" {
		t.Errorf("PutCity again: %+v, %v", city, err)
	}
	if n, err := store.MoveCity(t.Context(), db.MoveCityParams{Slug: "abo", OldSlug: "turku"}); err != nil || n != 1 {
		t.Errorf("MoveCity: %d, %v", n, err)
	}
	v, err := store.GetVenue(t.Context(), db.GetVenueParams{Slug: "barge", City: "abo"})
	if err != nil {
		t.Fatal(err)
	}
	if !v.OpenedOn.Valid || !v.OpenedOn.Time.Equal(opening) || v.Seats.Int64 != 120 || v.Status != "open" {
		t.Errorf("got %+v", v)
	}
	if _, err := store.CreateVenue(t.Context(), db.CreateVenueParams{Slug: "new", City: "turku", CreatedAt: opening}); !errors.Is(err, lido.ErrForeignKey) {
		t.Errorf("a venue in a city that has moved: %v", err)
	}
}

func TestCitiesWithoutVenuesAreCountedToo(t *testing.T) {
	store := open(t)
	var rows []db.VenuesByCityRow
	err := store.Read(t.Context(), func(ctx context.Context, q *db.ReadQueries) (err error) {
		rows, err = q.VenuesByCity(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(rows)
	const want = `[{"slug":"turku","name":"Turku","venues":2,"seats":120},{"slug":"oulu","name":"Oulu","venues":0,"seats":0}]`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
	if cities, err := store.ListCities(t.Context()); err != nil || len(cities) != 2 || cities[0].Name != "Oulu" {
		t.Errorf("ListCities = %+v, %v", cities, err)
	}
	if c, err := store.GetCity(t.Context(), "oulu"); err != nil || c.Name != "Oulu" {
		t.Errorf("GetCity = %+v, %v", c, err)
	}
}

func TestAnEmptyListIsAnEmptyArrayInJSON(t *testing.T) {
	store := db.NewStore(pooltest.Open(t, os.DirFS("schema")))
	cities, err := store.ListCities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(cities); err != nil || string(text) != "[]" {
		t.Errorf("got %s, %v", text, err)
	}
}
