package backup

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// SchemaHash hashes the names, kinds and SQL of everything in the main
// schema, except what SQLite adds by itself. Two databases have the same hash
// if the same statements made their schemas, in whatever order.
//
// https://www.sqlite.org/schematab.html
func SchemaHash(ctx context.Context, c *sqlite.Conn) (string, error) {
	h := sha256.New()
	err := eachRow(ctx, c, `SELECT type, name, tbl_name, ifnull(sql, '') FROM main.sqlite_schema
		WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY type, name`, func(s *sqlite.Stmt) {
		for i := range 4 {
			text := s.ColumnText(i)
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
			h.Write([]byte(text))
		}
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// inspect reads what a database says about itself. The caller has a
// transaction open where the answers must fit each other.
func inspect(ctx context.Context, c *sqlite.Conn, migrationTable string) (d DatabaseInfo, err error) {
	for pragma, dst := range map[string]*int64{
		"page_size":      &d.PageSize,
		"page_count":     &d.PageCount,
		"application_id": &d.ApplicationID,
		"user_version":   &d.UserVersion,
	} {
		if *dst, err = c.QueryInt64(ctx, "PRAGMA main."+pragma); err != nil {
			return d, err
		}
	}
	if d.SchemaSHA256, err = SchemaHash(ctx, c); err != nil {
		return d, err
	}
	d.Migration, err = migrationOf(ctx, c, migrationTable)
	return d, err
}

// migrationOf returns the newest migration that table records, or nil where
// there is no such table, or one that is not goose's.
func migrationOf(ctx context.Context, c *sqlite.Conn, table string) (*Migration, error) {
	n, err := c.QueryInt64(ctx, "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = "+quoteText(table))
	if err != nil || n == 0 {
		return nil, err
	}
	version, err := c.QueryInt64(ctx, "SELECT ifnull(max(version_id), 0) FROM main."+quoteName(table)+" WHERE is_applied")
	var e *lido.Error
	if errors.As(err, &e) && e.Code == codeError { // no such column: a table of the application's own
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &Migration{Table: table, Version: version}, nil
}

// codeError is SQLite's result code for a statement it cannot prepare.
const codeError = 1

// openForCheck opens a finished copy that no other program knows. Its content is
// not trusted: no function with side effects runs on behalf of its schema,
// nothing is mapped, no value can grow far beyond the file, and its expressions
// end with ctx.
func openForCheck(ctx context.Context, path string, size int64, onConnect ConnectFunc) (*sqlite.Conn, *guard, error) {
	c, err := sqlite.Open(ctx, path, sqlite.Options{
		ReadOnly:     true,
		Immutable:    true, // a file in WAL mode would else grow a -wal and a -shm
		VerifyChecks: true,
		Pragmas: []sqlite.Pragma{
			{Name: "trusted_schema", Value: "0"},
			{Name: "cell_size_check", Value: "1"},
			{Name: "mmap_size", Value: "0"},
		},
	})
	if err != nil {
		return nil, nil, err
	}
	c.Limit(sqlite.LimitLength, int(min(max(2*size, 16<<20), sqlite.MaxLength)))
	g, err := newGuard(ctx, c)
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	if onConnect != nil {
		if err := onConnect(ctx, c); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("OnConnect: %w", err), g.close(), c.Close())
		}
	}
	return c, g, nil
}

// checkNameIntegrity is the check that speaks about the data and not about the
// copy.
const checkNameIntegrity = "integrity_check"

// checkDatabase runs every check that needs the engine on the plain copy at
// path, compares what it says about itself to m, and returns what its rows
// break of its schema. With record it writes that into m: a backup carries what
// the database has.
func checkDatabase(ctx context.Context, path string, m *Manifest, onConnect ConnectFunc, record bool) (broken *Broken, err error) {
	damaged := func(check, format string, args ...any) error {
		return &DamageError{ID: m.ID, Check: check, Detail: fmt.Sprintf(format, args...)}
	}
	var guard *guard
	// The engine's word for a broken file is a finding, not a failure to look.
	finding := func(check string, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if guard != nil && guard.err != nil {
			return fmt.Errorf("backup %s: %s: %w", m.ID, check, guard.err)
		}
		if errors.Is(err, lido.ErrCorrupt) {
			return damaged(check, "%v", err)
		}
		return fmt.Errorf("backup %s: %s: %w", m.ID, check, err)
	}
	c, guard, err := openForCheck(ctx, path, m.Plain.Bytes, onConnect)
	if err != nil {
		return nil, finding("open", err)
	}
	defer func() { err = errors.Join(err, guard.close(), c.Close()) }()

	damage, broken, orphans, err := checkRows(ctx, c)
	if err != nil {
		return nil, finding(checkNameIntegrity, err)
	}
	if len(damage) > 0 {
		return nil, damaged(checkNameIntegrity, "%s", strings.Join(damage, "; "))
	}
	if record {
		m.Database.ForeignKeyViolations, m.Database.Broken = orphans, broken
	}
	if orphans != m.Database.ForeignKeyViolations {
		return nil, damaged("foreign_key_check", "%d rows refer to a row that does not exist, %d were expected",
			orphans, m.Database.ForeignKeyViolations)
	}
	table := ""
	if m.Database.Migration != nil {
		table = m.Database.Migration.Table
	}
	got, err := inspect(ctx, c, table)
	if err != nil {
		return nil, finding("schema", err)
	}
	want := &m.Database
	switch {
	case got.PageSize != want.PageSize || got.PageCount != want.PageCount:
		return nil, damaged("size", "%d pages of %d bytes instead of %d of %d",
			got.PageCount, got.PageSize, want.PageCount, want.PageSize)
	case got.ApplicationID != want.ApplicationID || got.UserVersion != want.UserVersion:
		return nil, damaged("identity", "application_id %d and user_version %d instead of %d and %d",
			got.ApplicationID, got.UserVersion, want.ApplicationID, want.UserVersion)
	case got.SchemaSHA256 != want.SchemaSHA256:
		return nil, damaged("schema hash", "%s instead of %s", got.SchemaSHA256, want.SchemaSHA256)
	case want.Migration != nil && (got.Migration == nil || *got.Migration != *want.Migration):
		return nil, damaged("migration version", "not %d in table %q", want.Migration.Version, want.Migration.Table)
	}
	return broken, nil
}

// eachRow runs sql and gives each of its rows to fn.
func eachRow(ctx context.Context, c *sqlite.Conn, sql string, fn func(*sqlite.Stmt)) error {
	s, err := c.Prepare(ctx, sql)
	if err != nil {
		return err
	}
	for {
		row, err := s.Step()
		if err != nil || !row {
			return errors.Join(err, s.Close())
		}
		fn(s)
	}
}

// quoteText writes s as an SQL string, quoteName as an SQL name. Neither has
// a NUL in it; see validTable.
func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
