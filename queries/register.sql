-- ListRegister returns the lines booked on an account and the accounts below
-- it, with the running balance after each, per currency. Lines outside the
-- dates are left out, but count in the balance.
-- name: ListRegister :many
-- @scan
SELECT r.* FROM (
    SELECT p.id, t.id AS transaction_id, t.date, t.description, p.line,
           a.name AS account, p.amount, p.currency, c.digits,
           CAST(sum(p.amount) OVER (
               PARTITION BY p.currency ORDER BY t.date, t.id, p.line
               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
           ) AS INTEGER) AS balance
    FROM accounts AS a
    JOIN postings AS p ON p.account_id = a.id
    JOIN transactions AS t ON t.id = p.transaction_id
    JOIN currencies AS c ON c.code = p.currency
    WHERE (a.name = @name OR (a.name > CAST(@name AS TEXT) || ':' AND a.name < CAST(@name AS TEXT) || ';'))
      AND t.posted = 1
) AS r
WHERE r.date >= coalesce(CAST(sqlc.narg(first_date) AS TEXT), '')
  AND r.date <= coalesce(CAST(sqlc.narg(last_date) AS TEXT), '9999-99-99')
ORDER BY r.date, r.transaction_id, r.line;

-- ListEntries reads the view of the books for one day.
-- name: ListEntries :many
SELECT * FROM entries WHERE date = @date ORDER BY transaction_id, line;

-- ListMonths returns income and expenses of each month, per currency.
-- name: ListMonths :many
-- @scan
SELECT CAST(substr(e.date, 1, 7) AS TEXT) AS month, e.currency,
       CAST(sum(CASE WHEN e.account_type = 'income' THEN -e.amount ELSE 0 END) AS INTEGER) AS income,
       CAST(sum(CASE WHEN e.account_type = 'expense' THEN e.amount ELSE 0 END) AS INTEGER) AS expense
FROM entries AS e
WHERE e.account_type IN ('income', 'expense')
GROUP BY month, e.currency
ORDER BY month, e.currency;
