-- name: CreateVenue :execlastid
INSERT INTO venues (slug, name, city, seats, created_at, opened_on)
VALUES (@slug, @name, @city, @seats, @created_at, @opened_on);

-- name: GetVenue :one
SELECT * FROM venues WHERE slug = ? AND city = ?;

-- ListVenues returns the venues of a city, closed ones only if asked for.
-- name: ListVenues :many
SELECT * FROM venues
WHERE city = @city AND (status = 'open' OR CAST(@closed AS BOOLEAN))
ORDER BY name;

-- name: SetStatus :execresult
UPDATE venues SET status = @status WHERE slug = @slug;

-- name: DeleteVenue :execrows
DELETE FROM venues WHERE slug = @slug AND status = 'closed';

-- VenuesByCity counts the venues and seats of every city, the empty ones
-- included.
-- name: VenuesByCity :many
-- @scan
SELECT c.slug, c.name, count(v.id) AS venues, CAST(coalesce(sum(v.seats), 0) AS INTEGER) AS seats
FROM cities AS c LEFT JOIN venues AS v ON v.city = c.slug
GROUP BY c.slug, c.name
ORDER BY venues DESC, c.slug;
