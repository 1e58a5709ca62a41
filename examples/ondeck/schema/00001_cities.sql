-- +goose Up
CREATE TABLE cities (
  slug TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE cities;
