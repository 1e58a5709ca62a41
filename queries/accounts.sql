-- CreateAccount adds an account below parent_id, or a top-level one when that
-- is NULL. The database refuses a name or a type that does not fit the parent.
-- name: CreateAccount :one
INSERT INTO accounts (parent_id, name, type, created_at)
VALUES (sqlc.narg(parent_id), @name, @type, @created_at)
RETURNING *;

-- GetAccount returns the account with an id.
-- name: GetAccount :one
SELECT * FROM accounts WHERE id = @id;

-- GetAccountByName returns the account with a full name, such as
-- "assets:bank:checking".
-- name: GetAccountByName :one
SELECT * FROM accounts WHERE name = @name;

-- ListAccounts returns every account by name, parents before their children.
-- name: ListAccounts :many
-- @scan
SELECT * FROM accounts ORDER BY name;

-- ListAccountsByName returns those of the named accounts that exist.
-- name: ListAccountsByName :many
SELECT * FROM accounts WHERE name IN (sqlc.slice(names)) ORDER BY name;

-- ListAccountsOfType returns the accounts of the given type; without one,
-- all of them. Closed accounts are left out unless asked for.
-- name: ListAccountsOfType :many
-- @scan
SELECT * FROM accounts
WHERE (type = sqlc.narg(type) OR sqlc.narg(type) IS NULL)
  AND closed <= CAST(@with_closed AS INTEGER)
ORDER BY name;

-- ListChildren returns the accounts directly below one.
-- name: ListChildren :many
-- @scan
SELECT * FROM accounts WHERE parent_id = @parent_id ORDER BY name;

-- SetAccountClosed closes an account to further postings, or opens it again.
-- name: SetAccountClosed :execrows
UPDATE accounts SET closed = @closed WHERE name = @name;

-- CountAccounts says how many accounts there are.
-- name: CountAccounts :one
-- @scan
SELECT count(*) FROM accounts;
