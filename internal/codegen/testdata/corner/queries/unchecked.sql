-- Elsewhere reads what another program has made.
-- name: Elsewhere :many
-- @unchecked
SELECT * FROM elsewhere WHERE id IN (sqlc.slice(ids)) AND note <> ? ORDER BY id;

-- name: AddElsewhere :one
-- @unchecked
INSERT INTO elsewhere (note) VALUES (?) RETURNING id;
