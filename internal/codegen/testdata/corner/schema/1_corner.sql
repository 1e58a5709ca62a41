CREATE TABLE authors (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  bio  TEXT,
  born INTEGER
) STRICT;

CREATE TABLE books (
  id        INTEGER PRIMARY KEY,
  author_id INTEGER REFERENCES authors (id),
  title     TEXT NOT NULL,
  price     REAL NOT NULL DEFAULT 0,
  data      JSON,
  digest    BLOB,
  sold      BOOLEAN NOT NULL DEFAULT FALSE,
  added     DATETIME
);

CREATE TABLE pairs (
  k TEXT NOT NULL,
  n INTEGER NOT NULL,
  v TEXT,
  PRIMARY KEY (k, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE shapes (
  a INTEGER NOT NULL,
  b INTEGER GENERATED ALWAYS AS (a * 2) VIRTUAL,
  c TEXT AS ('x' || a) STORED
);

CREATE TABLE "order" (
  "select" INTEGER PRIMARY KEY,
  "from"   TEXT,
  "a b"    TEXT,
  "type"   TEXT,
  func     TEXT,
  "range"  INTEGER,
  a_b      TEXT
);

CREATE VIRTUAL TABLE pages USING fts5(title, body);
