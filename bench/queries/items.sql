-- GetItem returns one row by its key.
-- name: GetItem :one
SELECT id, name, email, price FROM items WHERE id = ?;

-- ListItems returns the first rows by key.
-- name: ListItems :many
SELECT id, name, email, price FROM items ORDER BY id LIMIT ?;

-- InsertItem adds a row.
-- name: InsertItem :exec
INSERT INTO items (name, email, price) VALUES (?, ?, ?);
