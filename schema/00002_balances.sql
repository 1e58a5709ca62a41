-- The balance of every account in every currency, kept by the database itself
-- at the moment a transaction is posted. The postings prove them: "ledger
-- check" adds up every posting and compares.

-- +goose Up
CREATE TABLE balances (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    currency   TEXT    NOT NULL REFERENCES currencies (code),
    amount     INTEGER NOT NULL,
    postings   INTEGER NOT NULL,
    PRIMARY KEY (account_id, currency),
    CONSTRAINT balance_is_below_4_times_10_to_18
        CHECK (amount BETWEEN -4000000000000000000 AND 4000000000000000000)
) STRICT, WITHOUT ROWID;

CREATE INDEX balances_currency ON balances (currency);

INSERT INTO balances (account_id, currency, amount, postings)
SELECT p.account_id, p.currency, sum(p.amount), count(*)
FROM postings AS p
JOIN transactions AS t ON t.id = p.transaction_id
WHERE t.posted = 1
GROUP BY p.account_id, p.currency;

-- +goose StatementBegin
CREATE TRIGGER balances_follow_posting
AFTER UPDATE OF posted ON transactions
WHEN OLD.posted = 0 AND NEW.posted = 1
BEGIN
    INSERT INTO balances (account_id, currency, amount, postings)
    SELECT account_id, currency, sum(amount), count(*)
    FROM postings
    WHERE transaction_id = NEW.id
    GROUP BY account_id, currency
    ON CONFLICT (account_id, currency) DO UPDATE
    SET amount = amount + excluded.amount,
        postings = postings + excluded.postings;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER balances_follow_posting;
DROP TABLE balances;
