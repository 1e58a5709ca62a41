package foreignkey

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// Key is one foreign key of the main schema.
type Key struct {
	Table         string
	Columns       []string
	Parent        string
	ParentColumns []string
}

// state is what the schema says about a key.
type state uint8

const (
	sound      state = iota
	parentGone       // there is no table of that name
	mismatched       // the parent has no unique index on exactly those columns
)

// key is a Key, and how its rows can be looked for.
type key struct {
	Key
	state state
	// countable: rows can be compared with those of the parent, which needs
	// neither a unique index nor anything but columns of these names.
	countable bool
	rowid     bool // the table has rowids
}

// keys lists the foreign keys, ordered by table and by their numbers in it.
func keys(ctx context.Context, c *sqlite.Conn) ([]key, error) {
	var list []key
	err := each(ctx, c, `SELECT m.name, f.id, f."table", f."from", f."to", m.wr = 0, p.type
		FROM pragma_table_list AS m, pragma_foreign_key_list(m.name, 'main') AS f
		LEFT JOIN pragma_table_list AS p ON p.schema = 'main' AND p.name = f."table" COLLATE NOCASE
		WHERE m.schema = 'main' AND m.type = 'table' ORDER BY m.name, f.id, f.seq`, func() func(*sqlite.Stmt) {
		last := int64(-1)
		return func(s *sqlite.Stmt) {
			table, id := s.ColumnText(0), s.ColumnInt64(1)
			if n := len(list); n == 0 || list[n-1].Table != table || last != id {
				k := key{Key: Key{Table: table, Parent: s.ColumnText(2)}, rowid: s.ColumnInt64(5) != 0}
				switch {
				case s.ColumnType(6) == lido.Null:
					k.state = parentGone
				case s.ColumnText(6) == "table":
					k.countable = true
				}
				list = append(list, k)
				last = id
			}
			k := &list[len(list)-1]
			k.Columns = append(k.Columns, s.ColumnText(3))
			if s.ColumnType(4) != lido.Null {
				k.ParentColumns = append(k.ParentColumns, s.ColumnText(4))
			}
		}
	}())
	if err != nil {
		return nil, err
	}
	for i := range list {
		if err := list[i].resolve(ctx, c); err != nil {
			return nil, err
		}
	}
	return list, match(ctx, c, list)
}

// resolve names the parent's primary key where the schema leaves it out.
func (k *key) resolve(ctx context.Context, c *sqlite.Conn) error {
	if k.state == parentGone || len(k.ParentColumns) > 0 {
		return nil
	}
	err := each(ctx, c, "SELECT name FROM pragma_table_info("+text(k.Parent)+", 'main') WHERE pk > 0 ORDER BY pk", func(s *sqlite.Stmt) {
		k.ParentColumns = append(k.ParentColumns, s.ColumnText(0))
	})
	k.countable = k.countable && len(k.ParentColumns) == len(k.Columns)
	return err
}

// match asks the engine table by table whether it accepts the foreign keys,
// and where it does not, finds those that it means: its answer names the first
// pair of tables only.
func match(ctx context.Context, c *sqlite.Conn, list []key) error {
	for first := 0; first < len(list); {
		end := first
		for end < len(list) && list[end].Table == list[first].Table {
			end++
		}
		table := list[first:end]
		first = end
		answer, err := refused(ctx, c, table[0].Table)
		if err != nil {
			return err
		}
		if answer == "" {
			continue
		}
		found := false
		for i := range table {
			k := &table[i]
			if k.state == parentGone {
				continue
			}
			unique, err := k.unique(ctx, c)
			if err != nil {
				return err
			}
			if !unique {
				k.state, found = mismatched, true
			}
		}
		// An index of the right columns and another collation than theirs.
		for i := range table {
			k := &table[i]
			if !found && k.state == sound && strings.HasSuffix(answer, " referencing "+quoted(k.Parent)) {
				k.state = mismatched
			}
		}
	}
	return nil
}

// refused returns what the engine says of a table with a foreign key that
// matches no unique index, or "".
func refused(ctx context.Context, c *sqlite.Conn, table string) (string, error) {
	s, err := c.Prepare(ctx, "PRAGMA main.foreign_key_check("+text(table)+")")
	if err == nil {
		return "", s.Close()
	}
	var e *lido.Error
	if errors.As(err, &e) && strings.HasPrefix(e.Message, "foreign key mismatch - ") {
		return e.Message, nil
	}
	return "", err
}

// unique reports whether the parent has a primary key or a unique index on the
// columns that k refers to. Collations are not compared.
func (k *key) unique(ctx context.Context, c *sqlite.Conn) (bool, error) {
	want := map[string]bool{}
	for _, name := range k.ParentColumns {
		want[strings.ToLower(name)] = true
	}
	if len(want) == 0 || len(k.ParentColumns) != len(k.Columns) {
		return false, nil
	}
	// The columns of each candidate; the primary key of a rowid table need not
	// have an index.
	candidates := map[string][]string{}
	err := each(ctx, c, `SELECT '', name FROM pragma_table_info(`+text(k.Parent)+`, 'main') WHERE pk > 0
		UNION ALL
		SELECT 'i' || l.name, coalesce(x.name, '') FROM pragma_index_list(`+text(k.Parent)+`, 'main') AS l,
			pragma_index_info(l.name, 'main') AS x WHERE l."unique" AND NOT l.partial`, func(s *sqlite.Stmt) {
		candidates[s.ColumnText(0)] = append(candidates[s.ColumnText(0)], s.ColumnText(1))
	})
	if err != nil {
		return false, err
	}
	for _, columns := range candidates {
		all := len(columns) == len(want)
		for _, name := range columns {
			all = all && want[strings.ToLower(name)]
		}
		if all {
			return true, nil
		}
	}
	return false, nil
}

// orphans selects the rows whose parent does not exist: the rowid or NULL, and
// the values of the key. A plus takes away the affinity of a column, so that
// the values are compared as the engine does it, by affinity and collation of
// the parent's column.
//
// https://www.sqlite.org/foreignkeys.html#fk_basics
func (k *key) orphans() string {
	rowid := "NULL"
	if k.rowid {
		rowid = "c._rowid_"
	}
	var values, where, on []string
	for i, name := range k.Columns {
		column := "c." + quoted(name)
		values = append(values, column)
		where = append(where, column+" IS NOT NULL")
		if k.state != parentGone {
			on = append(on, "p."+quoted(k.ParentColumns[i])+" = +"+column)
		}
	}
	sql := "SELECT " + rowid + ", " + strings.Join(values, ", ") + " FROM main." + quoted(k.Table) + " AS c"
	if k.state != parentGone {
		sql += " LEFT JOIN main." + quoted(k.Parent) + " AS p ON " + strings.Join(on, " AND ")
		where = append(where, "p."+quoted(k.ParentColumns[0])+" IS NULL")
	}
	return sql + " WHERE " + strings.Join(where, " AND ")
}

// each runs sql and gives each of its rows to fn.
func each(ctx context.Context, c *sqlite.Conn, sql string, fn func(*sqlite.Stmt)) (err error) {
	s, err := c.Prepare(ctx, sql)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for {
		row, err := s.Step()
		if err != nil || !row {
			return err
		}
		fn(s)
	}
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func text(s string) string      { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

// String writes the key as "child (parent_id) -> parent (id)".
func (k Key) String() string {
	parent := k.Parent
	if len(k.ParentColumns) > 0 {
		parent += " (" + strings.Join(k.ParentColumns, ", ") + ")"
	}
	return fmt.Sprintf("%s (%s) -> %s", k.Table, strings.Join(k.Columns, ", "), parent)
}
