-- CreateItem adds an item. Names are unique.
-- name: CreateItem :one
INSERT INTO items (name, note, created_at) VALUES (@name, sqlc.narg(note), @created_at) RETURNING *;

-- GetItem returns one item.
-- name: GetItem :one
SELECT * FROM items WHERE id = @id;

-- ListItems returns all items, the oldest first.
-- name: ListItems :many
-- @scan
SELECT * FROM items ORDER BY id;

-- FinishItem marks an item as done. It returns how many there were: 0 or 1.
-- name: FinishItem :execrows
UPDATE items SET done = 1 WHERE id = @id;
