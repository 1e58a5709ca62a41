-- Accounts get a type, the same for a whole branch of the tree, and can be
-- closed. A NOT NULL column with a composite foreign key cannot be added to a
-- table, so the table is built anew, as SQLite's twelve steps ask. Foreign
-- keys must be off meanwhile, or dropping the old table would count as deleting
-- accounts that postings refer to; package migrate sees to that, and checks all
-- foreign keys before it commits.
--
-- https://www.sqlite.org/lang_altertable.html#otheralter

-- +goose Up
DROP VIEW entries;

CREATE TABLE accounts_new (
    id         INTEGER NOT NULL PRIMARY KEY,
    parent_id  INTEGER,
    name       TEXT    NOT NULL UNIQUE,
    type       TEXT    NOT NULL,
    closed     INTEGER NOT NULL DEFAULT 0,
    created_at TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000000Z'),
    UNIQUE (id, type),
    -- A child is of its parent's type. RENAME below makes this point to accounts.
    FOREIGN KEY (parent_id, type) REFERENCES accounts_new (id, type),
    CONSTRAINT account_name_is_1_to_255_characters
        CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT account_name_has_no_empty_part
        CHECK (trim(name) = name AND instr(':' || name || ':', '::') = 0),
    CONSTRAINT account_type_is_known
        CHECK (type IN ('asset', 'liability', 'equity', 'income', 'expense')),
    CONSTRAINT account_closed_is_boolean
        CHECK (closed IN (0, 1))
) STRICT;

INSERT INTO accounts_new (id, parent_id, name, type, created_at)
SELECT id, parent_id, name,
       CASE
           WHEN name || ':' LIKE 'asset:%' OR name || ':' LIKE 'assets:%' THEN 'asset'
           WHEN name || ':' LIKE 'liability:%' OR name || ':' LIKE 'liabilities:%' THEN 'liability'
           WHEN name || ':' LIKE 'income:%' OR name || ':' LIKE 'revenue:%' OR name || ':' LIKE 'revenues:%' THEN 'income'
           WHEN name || ':' LIKE 'expense:%' OR name || ':' LIKE 'expenses:%' THEN 'expense'
           ELSE 'equity'
       END,
       created_at
FROM accounts;

DROP TABLE accounts;
ALTER TABLE accounts_new RENAME TO accounts;

CREATE INDEX accounts_parent ON accounts (parent_id, type);

-- +goose StatementBegin
CREATE TRIGGER accounts_name_follows_the_tree
BEFORE INSERT ON accounts
WHEN (NEW.parent_id IS NULL AND instr(NEW.name, ':') > 0)
  OR (NEW.parent_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM accounts AS parent
        WHERE parent.id = NEW.parent_id
          AND substr(NEW.name, 1, length(parent.name) + 1) = parent.name || ':'
          AND instr(substr(NEW.name, length(parent.name) + 2), ':') = 0))
BEGIN
    SELECT RAISE(ABORT, 'an account is named after its parent, a colon and one more part');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER accounts_keep_their_place
BEFORE UPDATE OF id, parent_id, name ON accounts
WHEN NEW.id <> OLD.id OR NEW.parent_id IS NOT OLD.parent_id OR NEW.name <> OLD.name
BEGIN
    SELECT RAISE(ABORT, 'an account keeps its id, name and parent');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER postings_avoid_closed_accounts
BEFORE INSERT ON postings
WHEN EXISTS (SELECT 1 FROM accounts WHERE id = NEW.account_id AND closed = 1)
BEGIN
    SELECT RAISE(ABORT, 'account is closed: nothing can be posted to it');
END;
-- +goose StatementEnd

CREATE VIEW entries AS
SELECT p.id, t.id AS transaction_id, t.date, t.description, p.line,
       a.name AS account, a.type AS account_type, p.amount, p.currency
FROM postings AS p
JOIN transactions AS t ON t.id = p.transaction_id
JOIN accounts AS a ON a.id = p.account_id
WHERE t.posted = 1;

-- +goose Down
DROP VIEW entries;
DROP TRIGGER postings_avoid_closed_accounts;

CREATE TABLE accounts_old (
    id         INTEGER NOT NULL PRIMARY KEY,
    parent_id  INTEGER REFERENCES accounts_old (id),
    name       TEXT    NOT NULL UNIQUE,
    created_at TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000000Z')
) STRICT;

INSERT INTO accounts_old (id, parent_id, name, created_at)
SELECT id, parent_id, name, created_at FROM accounts;

DROP TABLE accounts;
ALTER TABLE accounts_old RENAME TO accounts;

CREATE INDEX accounts_parent ON accounts (parent_id);

CREATE VIEW entries AS
SELECT p.id, t.id AS transaction_id, t.date, t.description, p.line,
       a.name AS account, p.amount, p.currency
FROM postings AS p
JOIN transactions AS t ON t.id = p.transaction_id
JOIN accounts AS a ON a.id = p.account_id
WHERE t.posted = 1;
