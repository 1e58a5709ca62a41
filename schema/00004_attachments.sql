-- Receipts and invoices. The sum is taken by the program that stores them and
-- is verified by "ledger check".

-- +goose Up
CREATE TABLE attachments (
    id             INTEGER NOT NULL PRIMARY KEY,
    transaction_id INTEGER NOT NULL REFERENCES transactions (id) ON DELETE CASCADE,
    name           TEXT    NOT NULL,
    media_type     TEXT    NOT NULL DEFAULT 'application/octet-stream',
    sha256         BLOB    NOT NULL,
    content        BLOB    NOT NULL,
    created_at     TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000000Z'),
    UNIQUE (transaction_id, name),
    CONSTRAINT attachment_name_is_1_to_255_characters
        CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT attachment_sha256_is_32_bytes
        CHECK (length(sha256) = 32),
    CONSTRAINT attachment_is_at_most_16_mib
        CHECK (length(content) <= 16777216)
) STRICT;

CREATE INDEX attachments_sha256 ON attachments (sha256);

-- +goose Down
DROP TABLE attachments;
