-- name: ImportAuthors :copyfrom
-- Authors as another library lists them.
INSERT INTO authors (id, name, born, retired, rating, portrait, extra, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: ImportBooks :copyfrom
INSERT INTO books (title, author_id, digest) VALUES (@title, sqlc.narg(author_id), @digest);

-- name: ImportNames :copyfrom
INSERT OR IGNORE INTO authors (name) VALUES (?);

-- name: RenameAuthors :batchexec
UPDATE authors SET name = @name WHERE id = @id;

-- name: DeleteAuthors :batchexec
DELETE FROM authors WHERE id = ?;

-- name: AddAuthors :batchone
-- One author for each name, with what the database made of it.
INSERT INTO authors (name) VALUES (?) RETURNING id, name;

-- name: AuthorsByID :batchone
SELECT * FROM authors WHERE id = ?;

-- name: TitlesOf :batchmany
SELECT title FROM books WHERE author_id = ? ORDER BY title;

-- name: Retitle :batchmany
UPDATE books SET title = @title WHERE author_id = @author_id RETURNING id, title;

-- name: AddBorn :batchone
INSERT INTO authors (name, born) VALUES (@name, CAST(@born AS TEXT)) RETURNING born;
