-- +goose Up
CREATE TABLE items (
    id         INTEGER NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    note       TEXT,
    done       INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
    created_at TEXT    NOT NULL
) STRICT;

-- +goose Down
DROP TABLE items;
