package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/pressly/goose/v3"
)

// template is what Create writes.
const template = `-- +goose Up
-- A statement ends with the semicolon at the end of a line. Put one that holds
-- such semicolons itself, as CREATE TRIGGER does, between goose's annotations
-- StatementBegin and StatementEnd.


-- +goose Down
-- Undo it here, in the reverse order.

`

// createTimeout is how long Create waits for another Create.
const createTimeout = 10 * time.Second

// timestamps are versions of 14 digits, which goose makes from the time of day.
const timestamps = 1e13

// Create writes an empty migration into the folder dir and returns its path.
// Its number is the next after the highest there, or the time in UTC where the
// highest is a time itself. The name's words are joined by underscores.
//
// It locks a file in dir while it looks for the number, so that two Creates
// with different names do not take the same one; it waits up to 10 seconds.
func Create(dir, name string) (path string, err error) {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if len(words) == 0 {
		return "", fmt.Errorf("migrate: create: %q has no letter or digit to name a migration by", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), createTimeout)
	defer cancel()
	unlock, err := lockFile(ctx, filepath.Join(dir, ".create.lock"))
	if err != nil {
		return "", fmt.Errorf("migrate: create: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	for {
		version, err := nextVersion(dir)
		if err != nil {
			return "", fmt.Errorf("migrate: create: %w", err)
		}
		path := filepath.Join(dir, fmt.Sprintf("%05d_%s.sql", version, strings.Join(words, "_")))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, os.ErrExist) {
			continue // someone made it by hand since nextVersion looked
		}
		if err != nil {
			return "", fmt.Errorf("migrate: create: %w", err)
		}
		_, err = f.WriteString(template)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", fmt.Errorf("migrate: create: %w", err)
		}
		return path, nil
	}
}

func nextVersion(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	highest := int64(0)
	for _, e := range entries {
		if v, err := goose.NumericComponent(e.Name()); err == nil {
			highest = max(highest, v)
		}
	}
	if highest < timestamps {
		return highest + 1, nil
	}
	var now int64
	if _, err := fmt.Sscan(time.Now().UTC().Format("20060102150405"), &now); err != nil {
		return 0, err
	}
	return max(highest+1, now), nil
}
