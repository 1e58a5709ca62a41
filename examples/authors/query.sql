-- GetAuthor looks one author up.
-- name: GetAuthor :one
SELECT * FROM authors WHERE id = ?;

-- ListAuthors returns everybody, by name. It reads the whole table, and means
-- to.
-- name: ListAuthors :many
-- @scan
SELECT * FROM authors ORDER BY name, id;

-- name: CreateAuthor :one
INSERT INTO authors (name, bio, born) VALUES (?, ?, ?) RETURNING *;

-- SetBio replaces what is written about an author, or removes it.
-- name: SetBio :execrows
UPDATE authors SET bio = sqlc.narg(bio) WHERE id = sqlc.arg(id);

-- name: DeleteAuthor :exec
DELETE FROM authors WHERE id = ?;
