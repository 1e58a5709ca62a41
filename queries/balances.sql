-- GetBalance returns what an account itself holds in one currency, without its
-- subaccounts.
-- name: GetBalance :one
SELECT b.amount
FROM balances AS b
JOIN accounts AS a ON a.id = b.account_id
WHERE a.name = @name AND b.currency = @currency;

-- ListBalances returns the balances of the accounts themselves, subaccounts
-- not included. Accounts that nothing was ever posted to are absent.
-- name: ListBalances :many
-- @scan
SELECT a.name, a.type, b.currency, c.digits, b.amount, b.postings
FROM balances AS b
JOIN accounts AS a ON a.id = b.account_id
JOIN currencies AS c ON c.code = b.currency
ORDER BY a.name, b.currency;

-- ListKeptBalances returns the balances as the database keeps them, for a
-- comparison with the postings. In damaged books the account may be absent.
-- name: ListKeptBalances :many
-- @scan
SELECT sqlc.embed(b), sqlc.embed(a)
FROM balances AS b
LEFT JOIN accounts AS a ON a.id = b.account_id
ORDER BY b.account_id, b.currency;

-- GetSubtreeBalance sums an account and everything below it, per currency. The
-- CROSS JOIN keeps the order of the tables: without it all balances are read.
-- name: GetSubtreeBalance :many
-- @scan
WITH RECURSIVE subtree (id) AS (
    SELECT root.id FROM accounts AS root WHERE root.name = @name
    UNION ALL
    SELECT child.id FROM accounts AS child JOIN subtree ON child.parent_id = subtree.id
)
SELECT b.currency, c.digits, CAST(sum(b.amount) AS INTEGER) AS amount
FROM subtree
CROSS JOIN balances AS b ON b.account_id = subtree.id
JOIN currencies AS c ON c.code = b.currency
GROUP BY b.currency, c.digits
ORDER BY b.currency;

-- ListSubtreeBalances returns for every account and currency the sum of the
-- account and everything below it. An account without any is absent.
-- name: ListSubtreeBalances :many
-- @scan
WITH RECURSIVE lineage (id, ancestor_id) AS (
    SELECT leaf.id, leaf.id FROM accounts AS leaf
    UNION ALL
    SELECT lineage.id, above.parent_id
    FROM lineage
    JOIN accounts AS above ON above.id = lineage.ancestor_id
    WHERE above.parent_id IS NOT NULL
)
SELECT a.name, a.type, b.currency, c.digits, CAST(sum(b.amount) AS INTEGER) AS amount
FROM lineage
JOIN balances AS b ON b.account_id = lineage.id
JOIN accounts AS a ON a.id = lineage.ancestor_id
JOIN currencies AS c ON c.code = b.currency
GROUP BY a.name, a.type, b.currency, c.digits
ORDER BY a.name, b.currency;

-- ListTotalsByType sums the books by type of account and currency. Over all
-- types each currency comes to zero.
-- name: ListTotalsByType :many
-- @scan
SELECT a.type, b.currency, c.digits, CAST(sum(b.amount) AS INTEGER) AS amount
FROM balances AS b
JOIN accounts AS a ON a.id = b.account_id
JOIN currencies AS c ON c.code = b.currency
GROUP BY a.type, b.currency, c.digits
ORDER BY a.type, b.currency;

-- ListUnbalanced returns posted transactions that do not sum to zero in some
-- currency. The database never lets one in; a damaged file may hold one.
-- name: ListUnbalanced :many
-- @scan
SELECT t.id, t.date, t.description, p.currency, CAST(sum(p.amount) AS INTEGER) AS amount
FROM transactions AS t
JOIN postings AS p ON p.transaction_id = t.id
WHERE t.posted = 1
GROUP BY t.id, t.date, t.description, p.currency
HAVING sum(p.amount) <> 0
ORDER BY t.id;
