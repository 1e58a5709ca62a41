-- name: AddAuthor :one
INSERT INTO authors (name, bio, born) VALUES (?, ?, ?) RETURNING id;

-- name: AddBook :one
INSERT INTO books (author_id, title, price, data, digest, sold, added) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *;

-- name: SliceFirst :many
SELECT name FROM authors WHERE id IN (sqlc.slice(ids)) AND name <> ? AND born > ? ORDER BY name;

-- name: SliceBetween :many
SELECT name FROM authors WHERE name <> @name AND id IN (sqlc.slice(ids)) AND born > @born ORDER BY name;

-- name: SliceLast :many
SELECT name FROM authors WHERE name <> ? AND born > ? AND id IN (sqlc.slice(ids)) ORDER BY name LIMIT ?;

-- name: SliceTwice :many
SELECT name FROM authors WHERE id IN (sqlc.slice(ids)) OR (born > @born AND name NOT IN (sqlc.slice(names)) AND id NOT IN (sqlc.slice(ids))) ORDER BY name;

-- name: SliceInCTE :many
WITH chosen AS (SELECT id FROM authors WHERE name IN (sqlc.slice(names)) AND born > @born)
SELECT b.title FROM books AS b JOIN chosen ON chosen.id = b.author_id WHERE b.price < @price ORDER BY b.title;

-- name: SliceInSubquery :many
SELECT title FROM books
WHERE price < ? AND author_id IN (SELECT id FROM authors WHERE name IN (sqlc.slice(names)) AND born > ?) AND title <> ?
ORDER BY title;

-- name: SliceOfEverything :many
SELECT title FROM books
WHERE digest IN (sqlc.slice(digests)) OR added IN (sqlc.slice(times)) OR price IN (sqlc.slice(prices)) OR sold IN (sqlc.slice(solds)) OR author_id IN (sqlc.slice(authors))
ORDER BY title;

-- name: SliceNot :many
SELECT title FROM books WHERE author_id NOT IN (sqlc.slice(authors)) ORDER BY title;

-- name: SliceDelete :many
DELETE FROM books WHERE id IN (sqlc.slice(ids)) AND title <> ? RETURNING id;

-- name: SliceUpdate :execrows
UPDATE books SET price = price * ? WHERE id IN (sqlc.slice(ids)) AND price > ?;

-- name: SliceCount :one
SELECT count(*) FROM authors WHERE id IN (sqlc.slice(ids)) AND id >= @from_id;
