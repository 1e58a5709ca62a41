-- Another program makes this table at run time.
-- @sqlc-only
CREATE TABLE elsewhere (id INTEGER PRIMARY KEY, note TEXT NOT NULL);
