-- +goose Up
-- A small library: enough kinds of columns and tables to show every shape of
-- generated code.
CREATE TABLE authors (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    born       DATE,
    retired    BOOLEAN NOT NULL DEFAULT FALSE,
    rating     REAL,
    portrait   BLOB,
    extra      JSON NOT NULL DEFAULT '{}',
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE books (
    id        INTEGER PRIMARY KEY,
    author_id INTEGER REFERENCES authors (id) ON DELETE CASCADE,
    title     TEXT NOT NULL,
    digest    BLOB NOT NULL,
    anything  ANY
);

CREATE TABLE loans (
    book_id INTEGER NOT NULL REFERENCES books (id) ON DELETE CASCADE,
    reader  TEXT NOT NULL,
    due     DATETIME,
    PRIMARY KEY (book_id, reader)
) WITHOUT ROWID;

CREATE INDEX books_author ON books (author_id);

CREATE VIEW shelf AS
SELECT b.id, b.title, a.name AS author FROM books AS b JOIN authors AS a ON a.id = b.author_id;

CREATE VIRTUAL TABLE book_search USING fts5(title, content='books', content_rowid='id');

-- +goose StatementBegin
CREATE TRIGGER books_are_found AFTER INSERT ON books
BEGIN
    INSERT INTO book_search (rowid, title) VALUES (NEW.id, NEW.title);
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE book_search;
DROP VIEW shelf;
DROP TABLE loans;
DROP TABLE books;
DROP TABLE authors;
