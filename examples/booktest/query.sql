-- name: CreateAuthor :one
INSERT INTO authors (name) VALUES (?) RETURNING *;

-- GetAuthorByName finds an author before one is created twice.
-- name: GetAuthorByName :one
SELECT * FROM authors WHERE name = ?;

-- name: DeleteAuthor :exec
DELETE FROM authors WHERE author_id = ?;

-- name: CreateBook :one
INSERT INTO books (author_id, isbn, kind, title, year, available, tags)
VALUES (?, ?, ?, ?, ?, ?, ?)
RETURNING *;

-- name: GetBook :one
SELECT * FROM books WHERE book_id = ?;

-- name: BooksByTitleYear :many
SELECT * FROM books WHERE title = ? AND year = ? ORDER BY book_id;

-- BooksByTags returns the books that carry one of the tags, each with its
-- author.
-- name: BooksByTags :many
-- @scan
SELECT DISTINCT b.book_id, b.title, a.name AS author, b.isbn, b.tags
FROM books AS b
JOIN authors AS a ON a.author_id = b.author_id
JOIN json_each(b.tags) AS tag
WHERE tag.value IN (sqlc.slice(tags))
ORDER BY b.title, b.book_id;

-- AuthorsWithBooks lists every author with every book, and those without one
-- once.
-- name: AuthorsWithBooks :many
-- @scan
SELECT sqlc.embed(a), sqlc.embed(b)
FROM authors AS a LEFT JOIN books AS b ON b.author_id = a.author_id
ORDER BY a.name, b.year;

-- name: UpdateBook :execrows
UPDATE books SET title = @title, tags = @tags, kind = @kind WHERE book_id = @book_id;

-- Years sums up an author's work.
-- name: Years :one
SELECT count(*) AS books, min(year) AS earliest, max(year) AS latest FROM books WHERE author_id = ?;

-- name: DeleteBook :execrows
DELETE FROM books WHERE book_id = ?;
