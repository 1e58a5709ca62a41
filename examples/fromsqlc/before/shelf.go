// Package shelf keeps track of books, on sqlc's own output.
package shelf

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/lidodb/lido/examples/fromsqlc/before/db"
)

// ErrExists says that the book is on the shelf already.
var ErrExists = errors.New("the book is on the shelf already")

// Shelf is a database of books.
type Shelf struct {
	conn    *sql.DB
	queries *db.Queries
}

// Open opens the database in a file that has the schema.
func Open(ctx context.Context, path string) (*Shelf, error) {
	conn, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	return &Shelf{conn: conn, queries: db.New(conn)}, conn.PingContext(ctx)
}

// Close closes the database.
func (s *Shelf) Close(context.Context) error { return s.conn.Close() }

// Add puts a book on the shelf, and its author into the list if need be.
func (s *Shelf) Add(ctx context.Context, author, title string, bought time.Time) (book db.Book, err error) {
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return book, err
	}
	defer tx.Rollback()
	q := s.queries.WithTx(tx)
	a, err := q.FindAuthor(ctx, author)
	if errors.Is(err, sql.ErrNoRows) {
		a, err = q.AddAuthor(ctx, author)
	}
	if err != nil {
		return book, err
	}
	book, err = q.AddBook(ctx, db.AddBookParams{AuthorID: a.ID, Title: title, Bought: bought})
	if err != nil && strings.Contains(err.Error(), "UNIQUE constraint failed") {
		return book, fmt.Errorf("%q: %w", title, ErrExists)
	}
	if err != nil {
		return book, err
	}
	return book, tx.Commit()
}

// List returns all books, those bought first first.
func (s *Shelf) List(ctx context.Context) ([]db.ListBooksRow, error) {
	return s.queries.ListBooks(ctx)
}

// Lend notes who has the books.
func (s *Shelf) Lend(ctx context.Context, to string, ids ...int64) (int64, error) {
	return s.queries.Lend(ctx, db.LendParams{LentTo: sql.NullString{String: to, Valid: to != ""}, Ids: ids})
}
