package stdlib

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/foreignkey"
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

// checkForeignKeys fails if the transaction on c breaks a foreign key, and then
// rolls it back. What was broken before is no fault of the transaction: it holds
// the write lock, so another connection sees the database as it was when the
// transaction began. That look is only needed where something is broken.
//
// https://www.sqlite.org/pragma.html#pragma_foreign_key_check
func checkForeignKeys(ctx context.Context, c *sqlite.Conn, open func(context.Context) (*sqlite.Conn, error)) error {
	found, err := foreignkey.Find(ctx, c, 1)
	if err == nil && len(found) > 0 {
		found, err = brokenSince(ctx, c, open)
	}
	if err != nil {
		return fmt.Errorf("foreign_key_check before commit: %w", errors.Join(err, c.Rollback()))
	}
	if len(found) == 0 {
		return nil
	}
	const enough = 5
	var what []string
	for _, b := range found[:min(enough, len(found))] {
		what = append(what, b.String())
	}
	if len(found) > enough {
		what = append(what, fmt.Sprintf("and %d more", len(found)-enough))
	}
	broken := &lido.Error{
		Code: codeConstraint, Extended: codeForeignKey, Offset: -1,
		Message: "foreign_key_check before commit: the transaction breaks foreign keys that held before it: " + strings.Join(what, "; "),
	}
	if err := c.Rollback(); err != nil {
		return errors.Join(broken, err)
	}
	return broken
}

// brokenSince returns what the open transaction of c has broken.
func brokenSince(ctx context.Context, c *sqlite.Conn, open func(context.Context) (*sqlite.Conn, error)) (found []foreignkey.Broken, err error) {
	before, err := open(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at what was broken before the transaction: %w", err)
	}
	defer func() { err = errors.Join(err, before.Close()) }()
	if err := before.Begin(ctx, sqlite.Deferred); err != nil {
		return nil, err
	}
	baseline, err := foreignkey.Remember(ctx, before)
	if err != nil {
		return nil, fmt.Errorf("look at what was broken before the transaction: %w", err)
	}
	return baseline.FindNew(ctx, c)
}
