-- PutAttachment stores a file beside a transaction. A file of the same name is
-- replaced.
-- name: PutAttachment :one
INSERT INTO attachments (transaction_id, name, media_type, sha256, content, created_at)
VALUES (@transaction_id, @name, @media_type, @sha256, @content, @created_at)
ON CONFLICT (transaction_id, name) DO UPDATE
SET media_type = excluded.media_type,
    sha256     = excluded.sha256,
    content    = excluded.content,
    created_at = excluded.created_at
RETURNING id, created_at;

-- GetAttachment returns one file with its content.
-- name: GetAttachment :one
SELECT * FROM attachments WHERE transaction_id = @transaction_id AND name = @name;

-- ListAttachments returns the files of one transaction without their content.
-- name: ListAttachments :many
SELECT id, name, media_type, sha256, CAST(length(content) AS INTEGER) AS size_bytes, created_at
FROM attachments
WHERE transaction_id = @transaction_id
ORDER BY name;

-- ListAttachmentContents returns every file, for a check of the sums.
-- name: ListAttachmentContents :many
-- @scan
SELECT id, transaction_id, name, sha256, content FROM attachments ORDER BY id;

-- DeleteAttachment removes a file.
-- name: DeleteAttachment :execrows
DELETE FROM attachments WHERE transaction_id = @transaction_id AND name = @name;
