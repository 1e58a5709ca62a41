// Package booktest_test runs an example with types of its own, JSON and
// transactions end to end.
package booktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/examples/booktest/db"
	"github.com/lidodb/lido/examples/booktest/kind"
	"github.com/lidodb/lido/pool/pooltest"
)

var spring = time.Date(2021, 3, 20, 9, 37, 0, 123456789, time.UTC)

// shop is a database with two authors, one of them with two books.
func shop(t *testing.T) (*db.Store, []db.Book) {
	t.Helper()
	store := db.NewStore(pooltest.Open(t, os.DirFS("schema")))
	var books []db.Book
	err := store.Write(t.Context(), func(ctx context.Context, q *db.Queries) error {
		if _, err := q.CreateAuthor(ctx, "Nobody Yet"); err != nil {
			return err
		}
		a, err := q.CreateAuthor(ctx, "Ursula Iver")
		if err != nil {
			return err
		}
		for _, b := range []db.CreateBookParams{
			{Isbn: "978-0-00-000001-0", Kind: kind.Fiction, Title: "The Tide Clock", Year: 2001, Tags: json.RawMessage(`["sea","time"]`)},
			{Isbn: "978-0-00-000002-7", Kind: kind.Nonfiction, Title: "Knots", Year: 2014, Tags: json.RawMessage(`["sea","rope"]`)},
		} {
			b.AuthorID, b.Available = a.AuthorID, spring
			book, err := q.CreateBook(ctx, b)
			if err != nil {
				return err
			}
			books = append(books, book)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return store, books
}

func TestABookComesBackAsItWasStored(t *testing.T) {
	store, books := shop(t)
	got, err := store.GetBook(t.Context(), books[1].BookID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Kind != kind.Nonfiction || !got.Available.Equal(spring) || string(got.Tags) != `["sea","rope"]` || got.Isbn != books[1].Isbn {
		t.Errorf("got %+v", got)
	}
	list, err := store.BooksByTitleYear(t.Context(), db.BooksByTitleYearParams{Title: "Knots", Year: 2014})
	if err != nil || len(list) != 1 || list[0].BookID != got.BookID {
		t.Errorf("by title and year: %+v, %v", list, err)
	}
}

func TestBooksAreFoundByAnyOfSeveralTags(t *testing.T) {
	store, _ := shop(t)
	for _, c := range []struct {
		tags []any
		want []string
	}{
		{[]any{"rope"}, []string{"Knots"}},
		{[]any{"time", "rope"}, []string{"Knots", "The Tide Clock"}},
		{[]any{"sea"}, []string{"Knots", "The Tide Clock"}},
		{[]any{"land"}, nil},
		{nil, nil},
	} {
		rows, err := store.BooksByTags(t.Context(), c.tags)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != len(c.want) {
			t.Errorf("%v: got %+v, want %v", c.tags, rows, c.want)
			continue
		}
		for i, r := range rows {
			if r.Title != c.want[i] || r.Author != "Ursula Iver" {
				t.Errorf("%v: got %+v, want %v", c.tags, r, c.want[i])
			}
		}
	}
}

func TestAnAuthorWithoutABookIsListedWithNone(t *testing.T) {
	store, books := shop(t)
	rows, err := store.AuthorsWithBooks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || rows[0].Author.Name != "Nobody Yet" || rows[0].Book != nil {
		t.Fatalf("got %+v", rows)
	}
	if rows[1].Book == nil || rows[1].Book.BookID != books[0].BookID {
		t.Errorf("got %+v", rows[1])
	}
	years, err := store.Years(t.Context(), books[0].AuthorID)
	if err != nil || years.Books != 2 || years.Earliest.Int64 != 2001 || years.Latest.Int64 != 2014 {
		t.Errorf("got %+v, %v", years, err)
	}
	if years, err := store.Years(t.Context(), rows[0].Author.AuthorID); err != nil || years.Books != 0 || years.Earliest.Valid {
		t.Errorf("without books: %+v, %v", years, err)
	}
}

func TestWhatTheSchemaForbidsIsToldApart(t *testing.T) {
	store, books := shop(t)
	b := books[0]
	create := db.CreateBookParams{AuthorID: b.AuthorID, Isbn: b.Isbn, Kind: kind.Fiction, Title: "x", Available: spring, Tags: json.RawMessage("[]")}
	if _, err := store.CreateBook(t.Context(), create); !errors.Is(err, lido.ErrUnique) {
		t.Errorf("the same ISBN: %v", err)
	}
	create.Isbn, create.AuthorID = "another", 99
	if _, err := store.CreateBook(t.Context(), create); !errors.Is(err, lido.ErrForeignKey) {
		t.Errorf("an author who is not there: %v", err)
	}
	create.AuthorID, create.Kind = b.AuthorID, "verse"
	if _, err := store.CreateBook(t.Context(), create); !errors.Is(err, lido.ErrCheck) {
		t.Errorf("a kind that is not allowed: %v", err)
	}
	if err := store.DeleteAuthor(t.Context(), b.AuthorID); !errors.Is(err, lido.ErrForeignKey) {
		t.Errorf("an author with books was deleted: %v", err)
	}
}

func TestATransactionThatFailsLeavesNothing(t *testing.T) {
	store, books := shop(t)
	stop := errors.New("stop")
	err := store.Write(t.Context(), func(ctx context.Context, q *db.Queries) error {
		n, err := q.UpdateBook(ctx, db.UpdateBookParams{Title: "Changed", Kind: kind.Fiction, Tags: json.RawMessage("[]"), BookID: books[0].BookID})
		if err != nil || n != 1 {
			t.Errorf("UpdateBook: %d, %v", n, err)
		}
		if n, err := q.DeleteBook(ctx, books[1].BookID); err != nil || n != 1 {
			t.Errorf("DeleteBook: %d, %v", n, err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	for _, b := range books {
		got, err := store.GetBook(t.Context(), b.BookID)
		if err != nil || got.Title != b.Title {
			t.Errorf("after the rollback: %+v, %v", got, err)
		}
	}
}
