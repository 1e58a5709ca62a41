-- AddPosting adds one line to an unposted transaction.
-- name: AddPosting :exec
INSERT INTO postings (transaction_id, line, account_id, currency, amount, status, comment)
VALUES (@transaction_id, @line, @account_id, @currency, @amount, @status, @comment);

-- AddPostings adds the lines of any number of unposted transactions, all of
-- them or none.
-- name: AddPostings :copyfrom
INSERT INTO postings (transaction_id, line, account_id, currency, amount, status, comment)
VALUES (@transaction_id, @line, @account_id, @currency, @amount, @status, @comment);

-- DeleteDraftPostings removes the lines of a transaction that was never posted.
-- name: DeleteDraftPostings :execrows
DELETE FROM postings WHERE transaction_id = @transaction_id;

-- ListPostings returns the lines of one transaction in order, each with the
-- account it is booked on and the currency it is counted in.
-- name: ListPostings :many
SELECT sqlc.embed(p), sqlc.embed(a), sqlc.embed(c)
FROM postings AS p
JOIN accounts AS a ON a.id = p.account_id
JOIN currencies AS c ON c.code = p.currency
WHERE p.transaction_id = @transaction_id
ORDER BY p.line;

-- ListPostingsOf returns the lines of several transactions, in order.
-- name: ListPostingsOf :many
SELECT sqlc.embed(p), a.name AS account, c.digits
FROM postings AS p
JOIN accounts AS a ON a.id = p.account_id
JOIN currencies AS c ON c.code = p.currency
WHERE p.transaction_id IN (sqlc.slice(transaction_ids))
ORDER BY p.transaction_id, p.line;

-- ListAllPostings returns every line of every posted transaction. "ledger
-- check" adds them up without the help of the database.
-- name: ListAllPostings :many
-- @scan
SELECT p.transaction_id, t.date, t.description, p.account_id, p.currency, p.amount
FROM postings AS p
JOIN transactions AS t ON t.id = p.transaction_id
WHERE t.posted = 1
ORDER BY p.transaction_id, p.line;

-- CountPostings says how many lines the books hold, drafts included.
-- name: CountPostings :one
-- @scan
SELECT count(*) FROM postings;
