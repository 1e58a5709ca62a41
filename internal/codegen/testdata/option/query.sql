-- name: GetUser :one
-- GetUser finds a user.
SELECT * FROM users WHERE id = ?;

-- name: ListUsers :many
-- @scan
SELECT id, full_name, score FROM users WHERE full_name LIKE @pattern AND created_at > @since ORDER BY id;

-- name: RenameUser :exec
UPDATE users SET full_name = ? WHERE id = ?;

-- name: ImportUsers :copyfrom
INSERT INTO users (full_name, created_at) VALUES (?, ?);

-- name: DeleteUsers :batchexec
DELETE FROM users WHERE id = ?;

-- name: ListParents :many
-- @scan
SELECT sqlc.embed(u), sqlc.embed(p) FROM users AS u LEFT JOIN users AS p ON p.id = u.parent_id;
