-- +goose Up
CREATE TABLE authors (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  bio  TEXT,
  born INTEGER,
  UNIQUE (name, born)
);

-- +goose Down
DROP TABLE authors;
