// Package shelf keeps track of books, on Lido.
package shelf

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/examples/fromsqlc/after/db"
	"github.com/lidodb/lido/pool"
)

// ErrExists says that the book is on the shelf already.
var ErrExists = errors.New("the book is on the shelf already")

// Shelf is a database of books.
type Shelf struct {
	pool  *pool.DB
	store *db.Store
}

// Open opens the database in a file that has the schema.
func Open(ctx context.Context, path string) (*Shelf, error) {
	p, err := pool.Open(ctx, path, pool.Config{})
	if err != nil {
		return nil, err
	}
	return &Shelf{pool: p, store: db.NewStore(p)}, nil
}

// Close closes the database.
func (s *Shelf) Close(ctx context.Context) error { return s.pool.Close(ctx) }

// Add puts a book on the shelf, and its author into the list if need be.
func (s *Shelf) Add(ctx context.Context, author, title string, bought time.Time) (book db.Book, err error) {
	err = s.store.Write(ctx, func(ctx context.Context, q *db.Queries) error {
		a, err := q.FindAuthor(ctx, author)
		if errors.Is(err, sql.ErrNoRows) {
			a, err = q.AddAuthor(ctx, author)
		}
		if err != nil {
			return err
		}
		book, err = q.AddBook(ctx, db.AddBookParams{AuthorID: a.ID, Title: title, Bought: bought})
		if errors.Is(err, lido.ErrUnique) {
			return fmt.Errorf("%q: %w", title, ErrExists)
		}
		return err
	})
	return book, err
}

// List returns all books, those bought first first.
func (s *Shelf) List(ctx context.Context) ([]db.ListBooksRow, error) {
	return s.store.ListBooks(ctx)
}

// Lend notes who has the books.
func (s *Shelf) Lend(ctx context.Context, to string, ids ...int64) (int64, error) {
	return s.store.Lend(ctx, db.LendParams{LentTo: sql.NullString{String: to, Valid: to != ""}, Ids: ids})
}

// RewriteTimes brings the times that the old program has stored into the form
// that Lido writes. It runs once, in one transaction.
func (s *Shelf) RewriteTimes(ctx context.Context) error {
	return s.store.Write(ctx, func(ctx context.Context, q *db.Queries) error {
		books, err := q.ListBooks(ctx)
		if err != nil {
			return err
		}
		for _, b := range books {
			if err := q.SetBought(ctx, db.SetBoughtParams{Bought: b.Bought, ID: b.ID}); err != nil {
				return err
			}
		}
		return nil
	})
}
