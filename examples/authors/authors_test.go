// Package authors_test runs the shortest of sqlc's examples end to end.
package authors_test

import (
	"database/sql"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/examples/authors/db"
	"github.com/lidodb/lido/pool/pooltest"
)

func open(t *testing.T) *db.Queries {
	t.Helper()
	return db.New(pooltest.Open(t, os.DirFS("schema")))
}

func create(t *testing.T, q *db.Queries, name, bio string, born int64) db.Author {
	t.Helper()
	a, err := q.CreateAuthor(t.Context(), db.CreateAuthorParams{
		Name: name,
		Bio:  sql.NullString{String: bio, Valid: bio != ""},
		Born: sql.NullInt64{Int64: born, Valid: born != 0},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuthorsAreCreatedReadListedChangedAndDeleted(t *testing.T) {
	q := open(t)
	if list, err := q.ListAuthors(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("a new database lists %v, %v", list, err)
	}
	selma := create(t, q, "Selma Lagerlöf", "wrote of Nils and his geese", 1858)
	anon := create(t, q, "anonymous", "", 0)
	if anon.Bio.Valid || anon.Born.Valid {
		t.Errorf("what is not known came back as %+v", anon)
	}

	got, err := q.GetAuthor(t.Context(), selma.ID)
	if err != nil || got != selma {
		t.Errorf("GetAuthor = %+v, %v; want %+v", got, err, selma)
	}
	list, err := q.ListAuthors(t.Context())
	if err != nil || !slices.Equal(list, []db.Author{selma, anon}) {
		t.Errorf("ListAuthors = %+v, %v", list, err)
	}

	n, err := q.SetBio(t.Context(), db.SetBioParams{ID: selma.ID})
	if err != nil || n != 1 {
		t.Errorf("SetBio changed %d, %v", n, err)
	}
	if got, err := q.GetAuthor(t.Context(), selma.ID); err != nil || got.Bio.Valid {
		t.Errorf("the bio is still %+v, %v", got.Bio, err)
	}
	if err := q.DeleteAuthor(t.Context(), selma.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := q.GetAuthor(t.Context(), selma.ID); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("GetAuthor of a deleted author: %v", err)
	}
	if n, err := q.SetBio(t.Context(), db.SetBioParams{ID: selma.ID}); err != nil || n != 0 {
		t.Errorf("SetBio of a deleted author changed %d, %v", n, err)
	}
}

func TestASecondAuthorOfTheSameNameAndYearIsRefused(t *testing.T) {
	q := open(t)
	create(t, q, "Astrid Lindgren", "", 1907)
	_, err := q.CreateAuthor(t.Context(), db.CreateAuthorParams{Name: "Astrid Lindgren", Born: sql.NullInt64{Int64: 1907, Valid: true}})
	if !errors.Is(err, lido.ErrUnique) {
		t.Errorf("got %v", err)
	}
	var e *lido.Error
	if !errors.As(err, &e) || e.Query != "CreateAuthor" || !slices.Equal(e.Columns, []string{"name", "born"}) {
		t.Errorf("the error says %+v", e)
	}
}

func TestAListCanBeReadRowByRow(t *testing.T) {
	q := open(t)
	for _, name := range []string{"c", "a", "b"} {
		create(t, q, name, "", 0)
	}
	var names []string
	for a, err := range q.ListAuthorsSeq(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if names = append(names, a.Name); len(names) == 2 {
			break
		}
	}
	if !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("got %v", names)
	}
}
