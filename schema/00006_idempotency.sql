-- A client that does not hear an answer sends its request again under the same
-- key. The key finds the transaction of the first time; the hash tells whether
-- it is the same request.

-- +goose Up
ALTER TABLE transactions ADD COLUMN idempotency_key TEXT
    CONSTRAINT idempotency_key_is_1_to_255_bytes
    CHECK (idempotency_key IS NULL OR length(CAST(idempotency_key AS BLOB)) BETWEEN 1 AND 255);

ALTER TABLE transactions ADD COLUMN request_hash BLOB
    CONSTRAINT request_hash_is_32_bytes_beside_a_key
    CHECK ((request_hash IS NULL) = (idempotency_key IS NULL)
           AND (request_hash IS NULL OR length(request_hash) = 32));

CREATE UNIQUE INDEX transactions_idempotency_key ON transactions (idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- +goose Down
DROP INDEX transactions_idempotency_key;
ALTER TABLE transactions DROP COLUMN request_hash;
ALTER TABLE transactions DROP COLUMN idempotency_key;
