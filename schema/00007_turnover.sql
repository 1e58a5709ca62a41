-- How much was ever moved in a currency: the sum of its postings without their
-- signs. It bounds every sum that anybody takes over postings or balances of
-- that currency, in any order. So none of them can overflow, not the balance of
-- a whole branch and not a running balance, and no reader has to be prepared
-- for one that does.

-- +goose Up
ALTER TABLE currencies ADD COLUMN turnover INTEGER NOT NULL DEFAULT 0
    CONSTRAINT turnover_is_below_9_times_10_to_18
    CHECK (turnover BETWEEN 0 AND 9000000000000000000);

UPDATE currencies
SET turnover = coalesce((
    SELECT sum(abs(p.amount))
    FROM postings AS p
    JOIN transactions AS t ON t.id = p.transaction_id
    WHERE p.currency = currencies.code AND t.posted = 1
), 0);

-- A sum that leaves 64 bits is an error of sum(), or a floating-point number
-- that a STRICT column does not take: refused like one beyond the CHECK.
-- +goose StatementBegin
CREATE TRIGGER turnover_follows_posting
AFTER UPDATE OF posted ON transactions
WHEN OLD.posted = 0 AND NEW.posted = 1
BEGIN
    UPDATE currencies
    SET turnover = turnover + (
        SELECT sum(abs(amount)) FROM postings
        WHERE transaction_id = NEW.id AND currency = currencies.code
    )
    WHERE code IN (SELECT currency FROM postings WHERE transaction_id = NEW.id);
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER turnover_follows_posting;
ALTER TABLE currencies DROP COLUMN turnover;
