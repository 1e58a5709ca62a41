-- Currencies, accounts, transactions and postings.
--
-- A transaction is inserted unposted, gets its postings, and is then posted.
-- Posting is refused unless the postings sum to zero in every currency; from
-- then on neither the transaction nor its postings can change or go.
--
-- Amounts are integers in the currency's smallest unit. The bounds leave room
-- below 2^63, so a sum that the database keeps can be refused by a CHECK
-- before SQLite would turn it into a floating-point number.

-- +goose Up
CREATE TABLE currencies (
    code   TEXT    NOT NULL PRIMARY KEY,
    digits INTEGER NOT NULL,
    CONSTRAINT currency_code_is_1_to_32_characters
        CHECK (length(code) BETWEEN 1 AND 32 AND trim(code) = code),
    CONSTRAINT currency_digits_are_0_to_12
        CHECK (digits BETWEEN 0 AND 12)
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    id         INTEGER NOT NULL PRIMARY KEY,
    parent_id  INTEGER REFERENCES accounts (id),
    name       TEXT    NOT NULL UNIQUE,
    created_at TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000000Z')
) STRICT;

CREATE TABLE transactions (
    id          INTEGER NOT NULL PRIMARY KEY,
    date        TEXT    NOT NULL,
    status      TEXT    NOT NULL DEFAULT '',
    code        TEXT    NOT NULL DEFAULT '',
    description TEXT    NOT NULL,
    comment     TEXT    NOT NULL DEFAULT '',
    tags        TEXT    NOT NULL DEFAULT '{}',
    posted      INTEGER NOT NULL DEFAULT 0,
    created_at  TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000000Z'),
    CONSTRAINT transaction_date_is_a_day
        CHECK (length(date) = 10 AND date(date, '+0 days') IS date),
    CONSTRAINT transaction_status_is_known
        CHECK (status IN ('', '!', '*')),
    CONSTRAINT transaction_tags_are_a_json_object
        CHECK (json_valid(tags) AND json_type(tags) = 'object'),
    CONSTRAINT transaction_posted_is_boolean
        CHECK (posted IN (0, 1))
) STRICT;

CREATE TABLE postings (
    id             INTEGER NOT NULL PRIMARY KEY,
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    line           INTEGER NOT NULL,
    account_id     INTEGER NOT NULL REFERENCES accounts (id),
    currency       TEXT    NOT NULL REFERENCES currencies (code),
    amount         INTEGER NOT NULL,
    status         TEXT    NOT NULL DEFAULT '',
    comment        TEXT    NOT NULL DEFAULT '',
    UNIQUE (transaction_id, line),
    CONSTRAINT posting_amount_is_below_10_to_18
        CHECK (amount BETWEEN -999999999999999999 AND 999999999999999999),
    CONSTRAINT posting_status_is_known
        CHECK (status IN ('', '!', '*'))
) STRICT;

CREATE INDEX accounts_parent ON accounts (parent_id);
CREATE INDEX postings_account ON postings (account_id, currency);
CREATE INDEX postings_currency ON postings (currency);

-- Readers page through posted transactions by day; drafts are not in the way.
CREATE INDEX transactions_posted_by_date ON transactions (date, id) WHERE posted = 1;

-- A change of digits would change what every stored amount means.
-- +goose StatementBegin
CREATE TRIGGER currencies_in_use_keep_their_digits
BEFORE UPDATE ON currencies
WHEN (NEW.code IS NOT OLD.code OR NEW.digits IS NOT OLD.digits)
 AND EXISTS (SELECT 1 FROM postings WHERE currency = OLD.code)
BEGIN
    SELECT RAISE(ABORT, 'currency is in use: its code and digits cannot change');
END;
-- +goose StatementEnd

-- Also stops INSERT OR REPLACE, which deletes without firing delete triggers.
-- +goose StatementBegin
CREATE TRIGGER transactions_start_unposted
BEFORE INSERT ON transactions
WHEN NEW.posted <> 0
  OR EXISTS (SELECT 1 FROM transactions WHERE id = NEW.id AND posted = 1)
BEGIN
    SELECT RAISE(ABORT, 'a transaction starts unposted, under an id of its own');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER transactions_posted_are_final
BEFORE UPDATE ON transactions
WHEN OLD.posted = 1
BEGIN
    SELECT RAISE(ABORT, 'transaction is posted: it cannot change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER transactions_keep_their_id
BEFORE UPDATE OF id ON transactions
WHEN NEW.id <> OLD.id
BEGIN
    SELECT RAISE(ABORT, 'the id of a transaction cannot change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER transactions_posted_are_kept
BEFORE DELETE ON transactions
WHEN OLD.posted = 1
BEGIN
    SELECT RAISE(ABORT, 'transaction is posted: it cannot be deleted');
END;
-- +goose StatementEnd

-- sum() reports an overflow as an error, so a sum that does not fit is refused
-- like one that is not zero.
-- +goose StatementBegin
CREATE TRIGGER transactions_post_balanced
BEFORE UPDATE OF posted ON transactions
WHEN OLD.posted = 0 AND NEW.posted = 1
BEGIN
    SELECT RAISE(ABORT, 'transaction has no postings: it cannot be posted')
    WHERE NOT EXISTS (SELECT 1 FROM postings WHERE transaction_id = OLD.id);

    SELECT RAISE(ABORT, 'transaction is unbalanced: its postings must sum to zero in each currency')
    WHERE EXISTS (
        SELECT 1 FROM postings
        WHERE transaction_id = OLD.id
        GROUP BY currency
        HAVING sum(amount) <> 0
    );
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER postings_join_drafts_only
BEFORE INSERT ON postings
WHEN EXISTS (SELECT 1 FROM transactions WHERE id = NEW.transaction_id AND posted = 1)
  OR EXISTS (SELECT 1 FROM postings WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'transaction is posted: postings cannot be added or replaced');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER postings_of_posted_are_final
BEFORE UPDATE ON postings
WHEN NEW.id <> OLD.id
  OR EXISTS (SELECT 1 FROM transactions
             WHERE id IN (OLD.transaction_id, NEW.transaction_id) AND posted = 1)
BEGIN
    SELECT RAISE(ABORT, 'transaction is posted: its postings cannot change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER postings_of_posted_are_kept
BEFORE DELETE ON postings
WHEN EXISTS (SELECT 1 FROM transactions WHERE id = OLD.transaction_id AND posted = 1)
BEGIN
    SELECT RAISE(ABORT, 'transaction is posted: its postings cannot be deleted');
END;
-- +goose StatementEnd

-- +goose Down
-- Dropping a table deletes its rows without firing the delete triggers.
DROP TABLE postings;
DROP TABLE transactions;
DROP TABLE accounts;
DROP TABLE currencies;
