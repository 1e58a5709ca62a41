-- Full-text search over what was bought from whom, and the view that readers
-- of the books ask. The index stores no text of its own: it points into
-- transactions, and the triggers keep it in step.
--
-- https://www.sqlite.org/fts5.html#external_content_tables

-- +goose Up
CREATE VIRTUAL TABLE transaction_search USING fts5 (
    description,
    comment,
    content = 'transactions',
    content_rowid = 'id',
    tokenize = "unicode61 remove_diacritics 2"
);

INSERT INTO transaction_search (transaction_search) VALUES ('rebuild');

-- +goose StatementBegin
CREATE TRIGGER transaction_search_insert
AFTER INSERT ON transactions
BEGIN
    INSERT INTO transaction_search (rowid, description, comment)
    VALUES (NEW.id, NEW.description, NEW.comment);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER transaction_search_delete
AFTER DELETE ON transactions
BEGIN
    INSERT INTO transaction_search (transaction_search, rowid, description, comment)
    VALUES ('delete', OLD.id, OLD.description, OLD.comment);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER transaction_search_update
AFTER UPDATE OF description, comment ON transactions
BEGIN
    INSERT INTO transaction_search (transaction_search, rowid, description, comment)
    VALUES ('delete', OLD.id, OLD.description, OLD.comment);
    INSERT INTO transaction_search (rowid, description, comment)
    VALUES (NEW.id, NEW.description, NEW.comment);
END;
-- +goose StatementEnd

-- One row for each line of the books: posted transactions only.
CREATE VIEW entries AS
SELECT p.id, t.id AS transaction_id, t.date, t.description, p.line,
       a.name AS account, p.amount, p.currency
FROM postings AS p
JOIN transactions AS t ON t.id = p.transaction_id
JOIN accounts AS a ON a.id = p.account_id
WHERE t.posted = 1;

-- +goose Down
DROP VIEW entries;
DROP TRIGGER transaction_search_update;
DROP TRIGGER transaction_search_delete;
DROP TRIGGER transaction_search_insert;
DROP TABLE transaction_search;
