-- CreateTransaction adds an unposted transaction and returns its id. It counts
-- for nothing until PostTransaction.
-- name: CreateTransaction :one
INSERT INTO transactions (
    date, status, code, description, comment, tags, created_at, idempotency_key, request_hash
) VALUES (
    @date, @status, @code, @description, @comment, @tags, @created_at,
    sqlc.narg(idempotency_key), @request_hash
)
RETURNING id;

-- PostTransaction makes a transaction and its postings final and adds them to
-- the balances. The database refuses one that does not sum to zero in every
-- currency.
-- name: PostTransaction :execrows
UPDATE transactions SET posted = 1 WHERE id = @id AND posted = 0;

-- PostTransactions is PostTransaction for each of several transactions.
-- name: PostTransactions :batchexec
UPDATE transactions SET posted = 1 WHERE id = @id AND posted = 0;

-- DeleteDraft removes a transaction that was never posted; its postings must
-- have gone before.
-- name: DeleteDraft :execrows
DELETE FROM transactions WHERE id = @id AND posted = 0;

-- UpdateDraft rewrites the description of an unposted transaction.
-- name: UpdateDraft :one
UPDATE transactions
SET description = coalesce(sqlc.narg(description), description),
    comment     = coalesce(sqlc.narg(comment), comment),
    tags        = coalesce(sqlc.narg(tags), tags)
WHERE id = @id AND posted = 0
RETURNING *;

-- GetTransaction returns the transaction with an id.
-- name: GetTransaction :one
SELECT * FROM transactions WHERE id = @id;

-- GetTransactionByKey finds what an earlier request under the same idempotency
-- key has stored.
-- name: GetTransactionByKey :one
SELECT * FROM transactions WHERE idempotency_key = @idempotency_key;

-- ListTransactions returns posted transactions, the latest day first, starting
-- below the place where the previous page ended. The first page starts below
-- the day "9999-99-99".
-- name: ListTransactions :many
SELECT * FROM transactions
WHERE posted = 1
  AND (date < @before_date OR (date = @before_date AND id < @before_id))
ORDER BY date DESC, id DESC
LIMIT CAST(@page_size AS INTEGER);

-- ListTransactionsBetween returns posted transactions in the order of the
-- books; a bound that is absent does not bound.
-- name: ListTransactionsBetween :many
SELECT * FROM transactions
WHERE posted = 1
  AND date >= coalesce(sqlc.narg(first_date), '')
  AND date <= coalesce(sqlc.narg(last_date), '9999-99-99')
ORDER BY date, id;

-- ListTransactionsByTag returns posted transactions whose tags hold a key with
-- a value, such as "invoice" with "2025-014".
-- name: ListTransactionsByTag :many
-- @scan
SELECT t.* FROM transactions AS t
WHERE t.posted = 1
  AND EXISTS (SELECT 1 FROM json_each(t.tags) AS tag WHERE tag.key = CAST(@tag AS TEXT) AND tag.value = CAST(@value AS TEXT))
ORDER BY t.date, t.id;

-- ListTags returns every tag in use, how often, and when first and last.
-- name: ListTags :many
-- @scan
SELECT CAST(tag.key AS TEXT) AS tag, count(*) AS uses,
       CAST(min(t.date) AS TEXT) AS first_date, CAST(max(t.date) AS TEXT) AS last_date
FROM transactions AS t, json_each(t.tags) AS tag
WHERE t.posted = 1
GROUP BY tag.key
ORDER BY tag.key;

-- SearchTransactions finds words in descriptions and comments, the best match
-- first, in the query language of FTS5.
--
-- https://www.sqlite.org/fts5.html#full_text_query_syntax
-- name: SearchTransactions :many
SELECT t.* FROM transaction_search
JOIN transactions AS t ON t.id = transaction_search.rowid
WHERE transaction_search MATCH CAST(@query AS TEXT) AND t.posted = 1
ORDER BY bm25(transaction_search), t.date DESC, t.id DESC
LIMIT CAST(@page_size AS INTEGER);

-- CountTransactions counts posted transactions and drafts.
-- name: CountTransactions :one
-- @scan
SELECT CAST(coalesce(sum(posted = 1), 0) AS INTEGER) AS posted,
       CAST(coalesce(sum(posted = 0), 0) AS INTEGER) AS drafts
FROM transactions;

-- HasTransactions reports whether anything was ever recorded.
-- name: HasTransactions :one
-- @scan
SELECT CAST(EXISTS (SELECT 1 FROM transactions) AS INTEGER) AS present;
