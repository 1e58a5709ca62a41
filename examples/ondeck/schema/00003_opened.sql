-- +goose Up
ALTER TABLE venues ADD COLUMN opened_on DATE;

-- +goose Down
ALTER TABLE venues DROP COLUMN opened_on;
