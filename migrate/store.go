package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// table is where goose keeps what has been applied.
const table = goose.DefaultTablename

// store is goose's own, with a look at the table before each change of it. The
// look happens inside the migration's transaction, which is then the only
// writer of the file, so it holds against programs that do not take the lock.
type store struct{ database.Store }

func newStore() (store, error) {
	s, err := database.NewStore(database.DialectSQLite3, table)
	return store{s}, err
}

func (s store) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	applied, err := s.applied(ctx, db, req.Version)
	if err != nil {
		return err
	}
	if applied {
		return fmt.Errorf("another program applied it at the same time: %w", goose.ErrAlreadyApplied)
	}
	return s.Store.Insert(ctx, db, req)
}

func (s store) Delete(ctx context.Context, db database.DBTxConn, version int64) error {
	applied, err := s.applied(ctx, db, version)
	if err != nil {
		return err
	}
	if !applied {
		return fmt.Errorf("another program undid it at the same time: %w", goose.ErrNotApplied)
	}
	return s.Store.Delete(ctx, db, version)
}

// latest are the rows that count. Old versions of goose did not delete the row
// of a migration that was undone but added one with is_applied 0, so of several
// rows for one version the last decides.
const latest = " FROM " + table + " WHERE is_applied AND id IN (SELECT max(id) FROM " + table + " GROUP BY version_id)"

func (s store) applied(ctx context.Context, db database.DBTxConn, version int64) (bool, error) {
	var n int64
	err := db.QueryRowContext(ctx, "SELECT count(*)"+latest+" AND version_id = ?", version).Scan(&n)
	return n > 0, err
}

// GetMigration and ListMigrations are goose's, by the rows that count.
func (s store) GetMigration(ctx context.Context, db database.DBTxConn, version int64) (*database.GetMigrationResult, error) {
	applied, err := s.applied(ctx, db, version)
	if err != nil {
		return nil, err
	}
	if !applied {
		return nil, fmt.Errorf("version %d: %w", version, database.ErrVersionNotFound)
	}
	return s.Store.GetMigration(ctx, db, version)
}

func (s store) ListMigrations(ctx context.Context, db database.DBTxConn) (list []*database.ListMigrationsResult, err error) {
	rows, err := db.QueryContext(ctx, "SELECT version_id"+latest+" ORDER BY id DESC")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		r := &database.ListMigrationsResult{IsApplied: true}
		if err := rows.Scan(&r.Version); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// TableExists spares goose finding out by a query that fails.
func (s store) TableExists(ctx context.Context, db database.DBTxConn) (bool, error) {
	var n int64
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", table).Scan(&n)
	return n > 0, err
}
