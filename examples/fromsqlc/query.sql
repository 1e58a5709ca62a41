-- name: FindAuthor :one
SELECT * FROM authors WHERE name = ?;

-- name: AddAuthor :one
INSERT INTO authors (name) VALUES (?) RETURNING *;

-- name: DeleteAuthor :execrows
DELETE FROM authors WHERE name = ?;

-- name: AddBook :one
INSERT INTO books (author_id, title, bought) VALUES (?, ?, ?) RETURNING *;

-- name: ListBooks :many
SELECT b.id, b.title, b.bought, b.lent_to, a.name AS author
FROM books AS b JOIN authors AS a ON a.id = b.author_id
ORDER BY b.bought, b.id;

-- name: Lend :execrows
UPDATE books SET lent_to = sqlc.narg(lent_to) WHERE id IN (sqlc.slice(ids));

-- name: SetBought :exec
UPDATE books SET bought = ? WHERE id = ?;
