package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// state is what the database says has been applied.
type state struct {
	at    map[int64]time.Time
	order []int64 // the latest first, without version 0
	max   int64
}

// readState looks and writes nothing: a database that was never migrated has
// no table to look at.
func readState(ctx context.Context, db *sql.DB) (_ state, err error) {
	st := state{at: make(map[int64]time.Time)}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return st, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	exists, err := store{}.TableExists(ctx, tx)
	if err != nil || !exists {
		return st, err
	}
	rows, err := tx.QueryContext(ctx, "SELECT version_id, tstamp"+latest+" AND version_id > 0 ORDER BY id DESC")
	if err != nil {
		return st, err
	}
	defer rows.Close()
	for rows.Next() {
		var version int64
		var at any
		if err := rows.Scan(&version, &at); err != nil {
			return st, err
		}
		st.at[version], _ = at.(time.Time)
		st.order = append(st.order, version)
		st.max = max(st.max, version)
	}
	return st, rows.Err()
}

// without returns the highest version that is left when one is undone.
func (st state) without(version int64) int64 {
	left := int64(0)
	for _, v := range st.order {
		if v != version {
			left = max(left, v)
		}
	}
	return left
}

// pending returns what of sources has not been applied.
func (st state) pending(sources []source) []source {
	return slices.DeleteFunc(slices.Clone(sources), func(s source) bool {
		_, applied := st.at[s.Version]
		return applied
	})
}

// holdsRows reports whether any table of the user has a row, which is when a
// migration puts something at risk.
func holdsRows(ctx context.Context, db *sql.DB) (_ bool, err error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	rows, err := tx.QueryContext(ctx,
		`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> ?`, table)
	if err != nil {
		return false, err
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return false, errors.Join(err, rows.Close())
		}
		names = append(names, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return false, err
	}
	for _, name := range names {
		var some bool
		quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+quoted+")").Scan(&some); err != nil {
			return false, fmt.Errorf("look for rows in %s: %w", quoted, err)
		}
		if some {
			return true, nil
		}
	}
	return false, nil
}
