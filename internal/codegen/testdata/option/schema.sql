CREATE TABLE users (
    id         INTEGER PRIMARY KEY,
    full_name  TEXT NOT NULL,
    parent_id  INTEGER REFERENCES users (id),
    score      REAL,
    is_admin   BOOLEAN NOT NULL DEFAULT FALSE,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE series (
    id    INTEGER PRIMARY KEY,
    title TEXT NOT NULL
);

