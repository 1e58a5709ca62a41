package exercise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/seal"
	"github.com/lidodb/lido/sqlite"
)

// column is a column of a table that can be written.
type column struct {
	table, name, declared string
	notNull, key          bool
}

// columns are those of every table and virtual table. Shadow tables are left
// out, and virtual ones whose content another table or nobody keeps.
func columns(ctx context.Context, c *sqlite.Conn) (list []column, err error) {
	stmt, err := c.Prepare(ctx, `SELECT t.name, x.name, x.type, x."notnull", x.pk
		FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS x
		WHERE t.schema = 'main' AND t.type IN ('table', 'virtual') AND t.name NOT LIKE 'sqlite_%' AND x.hidden = 0
			AND NOT EXISTS (SELECT 1 FROM sqlite_schema AS s WHERE s.name = t.name AND t.type = 'virtual' AND s.sql LIKE '%content=%')
		ORDER BY t.name, x.cid`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	row, err := stmt.Step()
	for row && err == nil {
		list = append(list, column{
			stmt.ColumnText(0), stmt.ColumnText(1), strings.ToUpper(stmt.ColumnText(2)), stmt.ColumnInt64(3) != 0, stmt.ColumnInt64(4) != 0,
		})
		row, err = stmt.Step()
	}
	return list, err
}

// fill returns statements that give every table three rows: one that plain
// arguments find, another, and one with NULL wherever that may be.
func fill(ctx context.Context, schema []string) (_ []string, err error) {
	c, err := sqlite.Open(ctx, ":memory:", sqlite.Options{Create: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for _, text := range schema {
		if err := c.Exec(ctx, text); err != nil {
			return nil, err
		}
	}
	list, err := columns(ctx, c)
	if err != nil {
		return nil, err
	}
	out := []string{"PRAGMA foreign_keys = OFF", "PRAGMA ignore_check_constraints = ON"}
	for len(list) > 0 {
		n := slices.IndexFunc(list, func(c column) bool { return c.table != list[0].table })
		if n < 0 {
			n = len(list)
		}
		for row := range 3 {
			var names, values []string
			for _, c := range list[:n] {
				names = append(names, quote(c.name))
				values = append(values, literal(c, row))
			}
			out = append(out, fmt.Sprintf("INSERT OR IGNORE INTO %s (%s) VALUES (%s)", quote(list[0].table), strings.Join(names, ", "), strings.Join(values, ", ")))
		}
		list = list[n:]
	}
	return append(out, "PRAGMA ignore_check_constraints = OFF"), nil
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal is a value for a column, by the rules of column affinity.
//
// https://www.sqlite.org/datatype3.html#determination_of_column_affinity
func literal(c column, row int) string {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(c.declared, w) })
	}
	switch {
	case row == 2 && !c.notNull && !c.key:
		return "NULL"
	case has("DATE", "TIMESTAMP"):
		return "'" + aTime.AddDate(0, 0, row).Format(lido.TimeLayout) + "'"
	case has("BOOL"):
		return fmt.Sprint((row + 1) % 2)
	case has("JSON"):
		return fmt.Sprintf("'{\"k\":%d}'", row+1)
	case has("INT"):
		return fmt.Sprint(row + 1)
	case has("CHAR", "CLOB", "TEXT"), c.declared == "":
		return fmt.Sprintf(`'"%c"'`, 'a'+row)
	case has("BLOB"):
		return []string{"x'626c6f62'", "x'00ff'", "x''"}[row]
	case has("REAL", "FLOA", "DOUB", "DEC", "NUM"):
		return fmt.Sprintf("%d.5", row+1)
	}
	return fmt.Sprint(row + 1)
}

// tables compares what the tables hold on both sides, storage classes
// included.
func (r *run) tables(stock StockDB, w lido.Writer) string {
	if d := r.compareText(stock, w, `SELECT coalesce(group_concat(name || coalesce(sql, ''), '; '), '')
		FROM (SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name)`); d != "" {
		return "schema: " + d
	}
	names, err := r.texts(w, `SELECT name FROM pragma_table_list WHERE type IN ('table', 'virtual') AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	if err != nil {
		return err.Error()
	}
	for _, name := range names {
		exprs, err := r.texts(w, `SELECT 'quote(' || '"' || replace(name, '"', '""') || '"' || ')' FROM pragma_table_xinfo('`+strings.ReplaceAll(name, "'", "''")+`') WHERE hidden = 0`)
		if err != nil {
			return err.Error()
		}
		if d := r.compareText(stock, w, "SELECT "+strings.Join(exprs, " || ', ' || ")+" FROM "+quote(name)+" ORDER BY 1"); d != "" {
			return "table " + name + ": " + d
		}
	}
	return ""
}

// compareText compares the text that a query gives on both sides.
func (r *run) compareText(stock StockDB, w lido.Writer, query string) string {
	got, err := r.texts(w, query)
	if err != nil {
		return err.Error()
	}
	rows, err := stock.QueryContext(r.ctx, query)
	if err != nil {
		return err.Error()
	}
	defer rows.Close()
	var want []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return err.Error()
		}
		want = append(want, s)
	}
	if err := rows.Err(); err != nil {
		return err.Error()
	}
	if !slices.Equal(want, got) {
		return fmt.Sprintf("want %q, got %q", want, got)
	}
	return ""
}

func (r *run) texts(w lido.Writer, query string) (list []string, err error) {
	stmt, err := w.PrepareRead(r.ctx, &lido.Query{Name: "exercise", SQL: query, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	row, err := stmt.Step()
	for row && err == nil {
		list = append(list, stmt.ColumnText(0))
		row, err = stmt.Step()
	}
	return list, err
}

func execAll(ctx context.Context, path string, texts []string) (err error) {
	c, err := sqlite.Open(ctx, path, sqlite.Options{Create: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for _, text := range texts {
		if err := c.Exec(ctx, text); err != nil {
			return fmt.Errorf("%w in %.200s", err, text)
		}
	}
	return nil
}

// single is the least engine that generated code runs on: one connection.
type single struct{ *sqlite.Conn }

type singleStmt struct{ *sqlite.Stmt }

func (singleStmt) Seal(seal.Stmt) {}

func openSingle(ctx context.Context, path string, texts []string) (single, error) {
	c, err := sqlite.Open(ctx, path, sqlite.Options{Create: true})
	if err != nil {
		return single{}, err
	}
	for _, text := range append(slices.Clip(texts), "PRAGMA foreign_keys = ON") {
		if err := c.Exec(ctx, text); err != nil {
			return single{}, errors.Join(err, c.Close())
		}
	}
	return single{c}, nil
}

func (c single) PrepareRead(ctx context.Context, q *lido.Query) (lido.Stmt, error) {
	return c.PrepareWrite(ctx, q)
}

func (c single) PrepareWrite(ctx context.Context, q *lido.Query) (lido.Stmt, error) {
	s, err := c.Prepare(ctx, q.SQL)
	if err != nil {
		return nil, err
	}
	return singleStmt{s}, nil
}

func (c single) Read(ctx context.Context, fn func(context.Context, lido.Reader) error) error {
	return fn(ctx, c)
}

func (c single) Write(ctx context.Context, fn func(context.Context, lido.Tx) error) error {
	if err := c.Begin(ctx, sqlite.Immediate); err != nil {
		return err
	}
	if err := fn(ctx, singleTx{c}); err != nil {
		return errors.Join(err, c.Rollback())
	}
	return c.Commit()
}

type singleTx struct{ single }

func (tx singleTx) Savepoint(ctx context.Context, fn func(context.Context, lido.Tx) error) error {
	return fn(ctx, tx)
}
