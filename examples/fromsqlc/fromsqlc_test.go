// Package fromsqlc_test runs one program before and after it moved from sqlc's
// own output to Lido, on the same files, and both generated packages side by
// side on one pool.
package fromsqlc_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	after "github.com/lidodb/lido/examples/fromsqlc/after"
	afterdb "github.com/lidodb/lido/examples/fromsqlc/after/db"
	before "github.com/lidodb/lido/examples/fromsqlc/before"
	beforedb "github.com/lidodb/lido/examples/fromsqlc/before/db"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/stdlib"
)

// file is a database with the schema, as an application of sqlc has one.
func file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shelf.db")
	schema, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(string(schema)); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func openBefore(t *testing.T, path string) *before.Shelf {
	t.Helper()
	s, err := before.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) }) //nolint:errcheck // closing again does nothing
	return s
}

func openAfter(t *testing.T, path string) *after.Shelf {
	t.Helper()
	s, err := after.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// day is a time with a fraction of a second, in a zone. The zone has a name:
// what the stock driver writes without one it cannot read back.
func day(n int) time.Time {
	return time.Date(2023, 10, n, 18, 30, 0, 1000*n, time.FixedZone("CEST", 2*60*60))
}

func TestBothProgramsDoTheSame(t *testing.T) {
	old, now := openBefore(t, file(t)), openAfter(t, file(t))
	ctx := t.Context()
	for i, b := range []struct{ author, title string }{{"Mary Shelley", "Frankenstein"}, {"Bram Stoker", "Dracula"}, {"Mary Shelley", "The Last Man"}} {
		x, err := old.Add(ctx, b.author, b.title, day(i+1))
		if err != nil {
			t.Fatal(err)
		}
		y, err := now.Add(ctx, b.author, b.title, day(i+1))
		if err != nil {
			t.Fatal(err)
		}
		if x.ID != y.ID || x.AuthorID != y.AuthorID || x.Title != y.Title || !x.Bought.Equal(y.Bought) {
			t.Errorf("before %+v, after %+v", x, y)
		}
	}
	if _, err := old.Add(ctx, "Bram Stoker", "Dracula", day(5)); !errors.Is(err, before.ErrExists) {
		t.Errorf("before: %v", err)
	}
	if _, err := now.Add(ctx, "Bram Stoker", "Dracula", day(5)); !errors.Is(err, after.ErrExists) {
		t.Errorf("after: %v", err)
	}
	n, err := old.Lend(ctx, "Percy", 1, 3)
	m, err2 := now.Lend(ctx, "Percy", 1, 3)
	if n != 2 || m != 2 || err != nil || err2 != nil {
		t.Errorf("Lend: before %d, %v; after %d, %v", n, err, m, err2)
	}
	x, err := old.List(ctx)
	y, err2 := now.List(ctx)
	if err != nil || err2 != nil || len(x) != 3 || len(y) != 3 {
		t.Fatalf("before %d, %v; after %d, %v", len(x), err, len(y), err2)
	}
	for i := range x {
		if x[i].Title != y[i].Title || x[i].Author != y[i].Author || x[i].LentTo != y[i].LentTo || !x[i].Bought.Equal(y[i].Bought) {
			t.Errorf("before %+v, after %+v", x[i], y[i])
		}
	}
}

// texts reads how the times are stored.
func texts(t *testing.T, path string) []string {
	t.Helper()
	p, err := pool.Open(t.Context(), path, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.Background())
	handle := stdlib.OpenDB(p)
	defer handle.Close()
	rows, err := handle.QueryContext(t.Context(), "SELECT CAST(bought AS TEXT) FROM books ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestTimesThatTheOldProgramStoredAreReadAndCanBeRewritten(t *testing.T) {
	path := file(t)
	old := openBefore(t, path)
	ctx := t.Context()
	if _, err := old.Add(ctx, "Mary Shelley", "Frankenstein", day(1)); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(ctx); err != nil {
		t.Fatal(err)
	}
	now := openAfter(t, path)
	if _, err := now.Add(ctx, "Bram Stoker", "Dracula", day(2)); err != nil {
		t.Fatal(err)
	}
	want := []string{"2023-10-01 18:30:00.000001 +0200 CEST", "2023-10-02 16:30:00.000002000Z"}
	if err := now.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, path); !slices.Equal(got, want) {
		t.Errorf("stored are %q, want %q", got, want)
	}

	now = openAfter(t, path)
	list, err := now.List(ctx)
	if err != nil || len(list) != 2 || !list[0].Bought.Equal(day(1)) || !list[1].Bought.Equal(day(2)) {
		t.Errorf("read are %+v, %v", list, err)
	}
	if err := now.RewriteTimes(ctx); err != nil {
		t.Fatal(err)
	}
	if err := now.Close(ctx); err != nil {
		t.Fatal(err)
	}
	want[0] = "2023-10-01 16:30:00.000001000Z"
	if got := texts(t, path); !slices.Equal(got, want) {
		t.Errorf("rewritten are %q, want %q", got, want)
	}
}

func TestForeignKeysHoldOnlyAfterTheMove(t *testing.T) {
	ctx := t.Context()
	oldPath := file(t)
	if _, err := openBefore(t, oldPath).Add(ctx, "Bram Stoker", "Dracula", day(1)); err != nil {
		t.Fatal(err)
	}
	conn, err := sql.Open("sqlite", oldPath)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := beforedb.New(conn).DeleteAuthor(ctx, "Bram Stoker"); err != nil || n != 1 {
		t.Errorf("before, an author with a book: %d deleted, %v", n, err)
	}

	p := pooltest.OpenPath(t, file(t))
	store := afterdb.NewStore(p)
	a, err := store.AddAuthor(ctx, "Bram Stoker")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.AddBook(ctx, afterdb.AddBookParams{AuthorID: a.ID, Title: "Dracula", Bought: day(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.DeleteAuthor(ctx, "Bram Stoker"); !errors.Is(err, lido.ErrForeignKey) {
		t.Errorf("after, an author with a book: %v", err)
	}
}

// The first open of a file with rows that no foreign key would allow does not
// fail; the rows stay as they are until something changes them.
func TestRowsThatBreakForeignKeysAreLeftWhereTheyAre(t *testing.T) {
	path := file(t)
	conn, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec("INSERT INTO books (author_id, title, bought) VALUES (99, 'orphan', '2020-01-01')"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	now := openAfter(t, path)
	if n, err := now.Lend(t.Context(), "somebody", 1); err != nil || n != 1 {
		t.Errorf("changing another column: %d, %v", n, err)
	}
}

func TestOldAndNewPackagesWorkSideBySideOnOnePool(t *testing.T) {
	ctx := t.Context()
	p := pooltest.OpenPath(t, file(t))
	handle := stdlib.OpenDB(p)
	defer handle.Close()
	old, now := beforedb.New(handle), afterdb.NewStore(p)

	a, err := old.AddAuthor(ctx, "Mary Shelley")
	if err != nil {
		t.Fatal(err)
	}
	b, err := now.AddBook(ctx, afterdb.AddBookParams{AuthorID: a.ID, Title: "Frankenstein", Bought: day(1)})
	if err != nil {
		t.Fatal(err)
	}
	// A transaction of the old package, seen by the new one once committed.
	tx, err := handle.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.WithTx(tx).AddBook(ctx, beforedb.AddBookParams{AuthorID: a.ID, Title: "The Last Man", Bought: day(2)}); err != nil {
		t.Fatal(err)
	}
	if list, err := now.ListBooks(ctx); err != nil || len(list) != 1 {
		t.Errorf("before the commit: %+v, %v", list, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	x, err := old.ListBooks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	y, err := now.ListBooks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(x) != 2 || len(y) != 2 || x[0].ID != b.ID {
		t.Fatalf("old %+v, new %+v", x, y)
	}
	for i := range x {
		if x[i].Title != y[i].Title || !x[i].Bought.Equal(y[i].Bought) {
			t.Errorf("old %+v, new %+v", x[i], y[i])
		}
	}
	// Through stdlib the old package has Lido's errors, times and foreign keys.
	if _, err := old.AddAuthor(ctx, "Mary Shelley"); !errors.Is(err, lido.ErrUnique) || !strings.Contains(err.Error(), "UNIQUE constraint failed") {
		t.Errorf("the same author again: %v", err)
	}
	if _, err := old.DeleteAuthor(ctx, "Mary Shelley"); !errors.Is(err, lido.ErrForeignKey) {
		t.Errorf("an author with books: %v", err)
	}
}

func TestErrorsKeepTheWordsOfSQLite(t *testing.T) {
	store := afterdb.NewStore(pooltest.OpenPath(t, file(t)))
	if _, err := store.AddAuthor(t.Context(), "Mary Shelley"); err != nil {
		t.Fatal(err)
	}
	_, err := store.AddAuthor(t.Context(), "Mary Shelley")
	var e *lido.Error
	if !errors.Is(err, lido.ErrUnique) || !errors.As(err, &e) || !strings.Contains(err.Error(), "UNIQUE constraint failed: authors.name") {
		t.Fatalf("got %v", err)
	}
	if e.Query != "AddAuthor" || e.Table != "authors" || !slices.Equal(e.Columns, []string{"name"}) {
		t.Errorf("got %+v", e)
	}
}

func TestTextInDoubleQuotesIsAStringOnlyOnRequest(t *testing.T) {
	for _, old := range []bool{false, true} {
		handle := stdlib.OpenDB(pooltest.OpenPath(t, file(t), pool.Config{DoubleQuotedStrings: old}))
		var text string
		err := handle.QueryRowContext(t.Context(), `SELECT "text"`).Scan(&text)
		if (err == nil) != old || old && text != "text" {
			t.Errorf("DoubleQuotedStrings %v: %q, %v", old, text, err)
		}
		if err := handle.Close(); err != nil {
			t.Error(err)
		}
	}
}
