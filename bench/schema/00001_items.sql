-- +goose Up
CREATE TABLE items (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL,
    email TEXT NOT NULL,
    price INTEGER NOT NULL
);

-- +goose Down
DROP TABLE items;
