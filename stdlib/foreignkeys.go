package stdlib

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// SQLITE_CONSTRAINT and SQLITE_CONSTRAINT_FOREIGNKEY.
//
// https://www.sqlite.org/rescode.html
const (
	codeConstraint = 19
	codeForeignKey = 787
)

// foreignKeysOff turns foreign keys off and reports whether they were on. The
// PRAGMA does nothing inside a transaction, hence before BEGIN.
//
// https://www.sqlite.org/pragma.html#pragma_foreign_keys
func foreignKeysOff(ctx context.Context, c *sqlite.Conn) (wereOn bool, err error) {
	on, err := c.QueryInt64(ctx, "PRAGMA foreign_keys")
	if err != nil || on == 0 {
		return false, err
	}
	return true, c.SetPragma(ctx, sqlite.Pragma{Name: "foreign_keys", Value: "0"})
}

// foreignKeysOn undoes foreignKeysOff, whatever has become of the caller.
func foreignKeysOn(c *sqlite.Conn) error {
	return c.SetPragma(context.Background(), sqlite.Pragma{Name: "foreign_keys", Value: "1"})
}

// checkForeignKeys fails if any row refers to one that is not there. It then
// rolls the transaction back, and looks whether that was so before.
//
// https://www.sqlite.org/pragma.html#pragma_foreign_key_check
func checkForeignKeys(ctx context.Context, c *sqlite.Conn) error {
	found, err := foreignKeyViolations(ctx, c)
	if err != nil {
		return fmt.Errorf("foreign_key_check before commit: %w", errors.Join(err, c.Rollback()))
	}
	if len(found) == 0 {
		return nil
	}
	message := "foreign_key_check before commit: " + strings.Join(found, "; ")
	if err := c.Rollback(); err != nil {
		return errors.Join(foreignKeyError(message), err)
	}
	if before, err := foreignKeyViolations(ctx, c); err == nil && len(before) > 0 {
		message += " (before the transaction began: " + strings.Join(before, "; ") + ")"
	}
	return foreignKeyError(message)
}

func foreignKeyError(message string) error {
	return &lido.Error{Code: codeConstraint, Extended: codeForeignKey, Message: message, Offset: -1}
}

// foreignKeyViolations describes the first few violations: which row of which
// table refers to what.
func foreignKeyViolations(ctx context.Context, c *sqlite.Conn) (found []string, err error) {
	const enough = 5
	s, err := c.Prepare(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for {
		row, err := s.Step()
		if err != nil || !row {
			return found, err
		}
		if len(found) == enough {
			return append(found, "and more"), nil
		}
		child := "a row" // of a WITHOUT ROWID table
		if s.ColumnType(1) == lido.Integer {
			child = fmt.Sprintf("row %d", s.ColumnInt64(1))
		}
		found = append(found, fmt.Sprintf("%s of %s refers to a row of %s that is not there",
			child, s.ColumnText(0), s.ColumnText(2)))
	}
}
