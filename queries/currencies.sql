-- AddCurrency declares a currency and how many decimals its smallest unit has.
-- Declaring it again with the same digits changes nothing; with other digits
-- it is refused once amounts are stored in it.
-- name: AddCurrency :one
INSERT INTO currencies (code, digits) VALUES (@code, @digits)
ON CONFLICT (code) DO UPDATE SET digits = excluded.digits
RETURNING *;

-- GetCurrency returns one currency.
-- name: GetCurrency :one
SELECT * FROM currencies WHERE code = @code;

-- ListCurrencies returns every currency, by code.
-- name: ListCurrencies :many
-- @scan
SELECT * FROM currencies ORDER BY code;
