-- The header of the file belongs to no query.

-- CreateAuthor adds an author.
-- name: CreateAuthor :one
INSERT INTO authors (name, born, retired, rating, portrait, extra, created_at)
VALUES (@name, sqlc.narg(born), @retired, @rating, @portrait, @extra, @created_at)
RETURNING *;

-- name: GetAuthor :one
-- GetAuthor returns one author.
SELECT * FROM authors WHERE id = ?;

-- ListAuthors returns all authors.
-- name: ListAuthors :many
-- @scan
SELECT id, name, born FROM authors ORDER BY name;

/* name: ListAuthorsIn :many */
/* ListAuthorsIn has slices before, between and after other parameters. */
SELECT id FROM authors
WHERE id IN (sqlc.slice(ids)) AND retired = @retired AND name NOT IN (sqlc.slice('names')) AND rating > @rating
ORDER BY id;

-- name: CountAuthors :one
-- @scan
SELECT count(*) FROM authors;

-- SortAuthors uses one parameter twice, once in a CASE.
-- name: SortAuthors :many
-- @scan
SELECT name FROM authors
ORDER BY CASE WHEN @by = 'name' THEN name END, CASE WHEN @by = 'id' THEN id END;

-- name: RetireAuthor :execrows
UPDATE authors SET retired = TRUE WHERE id = $id;

-- name: TouchAuthor :execresult
UPDATE authors SET created_at = :at WHERE id = :id;

-- name: AddAuthor :execlastid
INSERT INTO authors (name) VALUES (?1);

-- DeleteAuthor deletes an author, and by foreign key the books and loans.
-- name: DeleteAuthor :exec
DELETE FROM authors WHERE id = ?;

-- name: LastRowID :one
-- @transaction
SELECT last_insert_rowid();
