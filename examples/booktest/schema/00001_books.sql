-- +goose Up
CREATE TABLE authors (
  author_id INTEGER PRIMARY KEY,
  name      TEXT NOT NULL UNIQUE
);

CREATE TABLE books (
  book_id   INTEGER PRIMARY KEY,
  author_id INTEGER NOT NULL REFERENCES authors (author_id) ON DELETE RESTRICT,
  isbn      VARCHAR(17) NOT NULL UNIQUE,
  kind      TEXT NOT NULL DEFAULT 'fiction' CHECK (kind IN ('fiction', 'nonfiction')),
  title     TEXT NOT NULL,
  year      INTEGER NOT NULL,
  available DATETIME NOT NULL,
  tags      JSON NOT NULL DEFAULT '[]' CHECK (json_type(tags) = 'array')
);

CREATE INDEX books_title ON books (title, year);
CREATE INDEX books_author ON books (author_id);

-- +goose Down
DROP TABLE books;
DROP TABLE authors;
