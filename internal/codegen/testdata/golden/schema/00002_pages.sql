-- +goose Up
ALTER TABLE books ADD COLUMN pages INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE books DROP COLUMN pages;
