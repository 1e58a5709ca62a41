// Package schema holds the migrations of the ledger, the reference
// application. Another program replaces the SQL files by its own; all that
// makes applying them safe is in package migrate.
package schema

import (
	"context"
	"embed"

	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
)

// FS holds the migrations, for package migrate, for tests and for goose itself.
//
//go:embed *.sql
var FS embed.FS

// Migrate brings db to the newest version. It fits pool.Config.Prepare.
func Migrate(ctx context.Context, db *pool.DB) error {
	_, err := migrate.Up(ctx, db, FS)
	return err
}
