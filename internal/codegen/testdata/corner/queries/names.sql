-- name: AddOrder :one
INSERT INTO "order" ("from", "a b", "type", func, "range", a_b) VALUES (?, ?, ?, ?, ?, ?)
RETURNING "select", "from", "a b", "type", func, "range", a_b;

-- name: Orders :many
SELECT "select", "from", "a b" AS spaced, "type", func, "range" FROM [order] WHERE "from" = ? AND func = ? ORDER BY 1;

-- name: OneOrder :one
SELECT "select" FROM "order" WHERE "a b" = @type AND "range" = @range AND func = @func AND "type" = @interface;

-- name: ByType :many
SELECT func FROM "order" WHERE "type" = ?;

-- name: ByRange :many
SELECT func FROM "order" WHERE "range" = @range;

-- name: SameNames :many
SELECT a.id, b.id, a.name AS id, b.title AS title FROM authors AS a JOIN books AS b ON b.author_id = a.id ORDER BY b.id;

-- name: OddNames :many
SELECT id AS "the id!", name AS "1st", bio AS "", born + 1 FROM authors ORDER BY id;

-- name: OwnVariables :many
SELECT name FROM authors WHERE id = @stmt OR id = @row OR name = @err OR bio = @q OR born = @ctx;

-- name: Error :one
SELECT name AS error, bio AS string, born AS len FROM authors WHERE id = @error;
