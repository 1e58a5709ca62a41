-- PutCity adds a city, or renames the one that has the slug.
-- name: PutCity :one
INSERT INTO cities (slug, name) VALUES (?, ?)
ON CONFLICT (slug) DO UPDATE SET name = excluded.name
RETURNING *;

-- name: GetCity :one
SELECT * FROM cities WHERE slug = ?;

-- name: ListCities :many
-- @scan
SELECT * FROM cities ORDER BY name;

-- MoveCity gives a city another slug; its venues follow.
-- name: MoveCity :execrows
UPDATE cities SET slug = @slug WHERE slug = @old_slug;
