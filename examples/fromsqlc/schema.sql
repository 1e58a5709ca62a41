CREATE TABLE authors (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE books (
  id        INTEGER PRIMARY KEY,
  author_id INTEGER NOT NULL REFERENCES authors (id),
  title     TEXT NOT NULL,
  bought    DATETIME NOT NULL,
  lent_to   TEXT,
  UNIQUE (author_id, title)
);

CREATE INDEX books_bought ON books (bought);
