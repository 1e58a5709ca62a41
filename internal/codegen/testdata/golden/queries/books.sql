-- name: CreateBook :one
INSERT INTO books (author_id, title, digest, anything, pages) VALUES (?, ?, ?, ?, ?) RETURNING id;

-- BooksWithAuthors shows books whether or not they have an author.
-- name: BooksWithAuthors :many
-- @scan
SELECT sqlc.embed(b), sqlc.embed(a), (SELECT count(*) FROM loans WHERE loans.book_id = b.id) AS loans
FROM books AS b LEFT JOIN authors AS a ON a.id = b.author_id
ORDER BY b.id;

-- name: BooksByDigest :many
-- @scan
SELECT title FROM books WHERE digest IN (sqlc.slice(digests)) ORDER BY title;

-- name: LoansDue :many
-- @scan
SELECT book_id, reader FROM loans WHERE due IN (sqlc.slice(moments)) ORDER BY book_id;

-- name: Lend :exec
INSERT INTO loans (book_id, reader, due) VALUES (@book_id, @reader, @due)
ON CONFLICT (book_id, reader) DO UPDATE SET due = excluded.due
RETURNING due;

-- name: SearchBooks :many
SELECT b.title FROM book_search JOIN books AS b ON b.id = book_search.rowid
WHERE book_search MATCH @query ORDER BY rank;

-- name: Shelf :many
-- @scan
SELECT * FROM shelf;

-- name: BookPair :many
-- @scan
SELECT * FROM books AS x JOIN books AS y ON y.author_id = x.author_id AND y.id > x.id;

-- name: Anything :one
SELECT anything FROM books WHERE id = @id;

-- name: GetLoan :one
SELECT * FROM loans WHERE book_id = ? LIMIT 1;

-- name: PagesOf :one
SELECT pages FROM books WHERE id = ?;
