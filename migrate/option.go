package migrate

import (
	"context"

	"github.com/pressly/goose/v3"
)

// Option changes what New returns.
type Option func(*options)

type options struct {
	backup        func(ctx context.Context) error
	trace         func(ctx context.Context, sql string)
	goMigrations  []*goose.Migration
	outOfOrder    bool
	noTransaction bool
}

// WithBackup names what is called before migrations run on a database that
// holds rows. It runs once, under the lock and before anything is changed, and
// is to return when the copy has been proved good. Its error stops the
// migration.
func WithBackup(backup func(ctx context.Context) error) Option {
	return func(o *options) { o.backup = backup }
}

// WithTrace calls fn with the text of every statement just before it goes to
// the engine. fn must not use the database.
func WithTrace(fn func(ctx context.Context, sql string)) Option {
	return func(o *options) { o.trace = fn }
}

// WithGoMigrations adds migrations written in Go, made by
// [goose.NewGoMigration] with functions that take a *sql.Tx. Goose's global
// registry is not looked at.
func WithGoMigrations(migrations ...*goose.Migration) Option {
	return func(o *options) { o.goMigrations = append(o.goMigrations, migrations...) }
}

// WithOutOfOrder lets migrations run whose number is below one that has been
// applied, as happens when two branches are merged. They run first.
func WithOutOfOrder() Option {
	return func(o *options) { o.outOfOrder = true }
}

// WithUnsafeNoTransaction lets migrations run that are not transactions. Each
// of their statements is committed by itself: what fails half way stays half
// done, may have to be repaired by hand, and foreign keys are not checked.
func WithUnsafeNoTransaction() Option {
	return func(o *options) { o.noTransaction = true }
}
