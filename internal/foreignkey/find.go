package foreignkey

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// Reason says why a foreign key does not hold.
type Reason string

// The reasons. They are written into manifests of backups.
const (
	NoRow    Reason = "no such row"     // rows refer to a row that does not exist
	NoParent Reason = "no such table"   // rows refer to a table that does not exist
	NoUnique Reason = "no unique index" // on the columns referred to: the engine refuses to check
)

// Broken is a foreign key that does not hold.
type Broken struct {
	Key
	Reason Reason
	// Rows counts the rows that refer to nothing. It may be 0 with NoUnique,
	// where it is 0 as well if the columns or the parent cannot be compared.
	Rows int64
	// First describes one such row, as "row 7" or by its values.
	First string
}

// String explains the fault in one clause.
func (b Broken) String() string {
	rows, refer, hold := "rows", "refer", "hold"
	if b.Rows == 1 {
		rows, refer, hold = "row", "refers", "holds"
	}
	what := fmt.Sprintf("%d %s of %s %s to a row of %s that does not exist (first: %s)", b.Rows, rows, b.Table, refer, b.Parent, b.First)
	switch b.Reason {
	case NoParent:
		return fmt.Sprintf("%s refers to the table %s, which does not exist, and %d %s %s such a reference (first: %s)", b.Table, b.Parent, b.Rows, rows, hold, b.First)
	case NoUnique:
		mismatch := fmt.Sprintf("foreign key mismatch: %s has no unique index on exactly the columns of %s", b.Parent, b.Key)
		if b.Rows == 0 {
			return mismatch
		}
		return mismatch + "; " + what
	}
	return what
}

// Remedy says how to repair it.
func (b Broken) Remedy() string {
	switch b.Reason {
	case NoParent:
		return fmt.Sprintf("create the table %s, or rebuild %s without the reference", b.Parent, b.Table)
	case NoUnique:
		return fmt.Sprintf("make a unique index on %s (%s), or rebuild %s without the reference", b.Parent, strings.Join(b.ParentColumns, ", "), b.Table)
	}
	return fmt.Sprintf(`list the rows with "PRAGMA foreign_key_check(%s)", then delete them or add the rows they refer to`, b.Table)
}

// Find returns the foreign keys that do not hold, ordered by table. It stops to
// count at limit rows in all, or at none if limit is 0, and reads every row of
// every table with a foreign key. The caller has a transaction open where the
// answers must fit each other. What was found before an error is returned
// beside it.
func Find(ctx context.Context, c *sqlite.Conn, limit int64) (found []Broken, err error) {
	total := int64(0)
	err = walk(ctx, c, func(k *key, row *row) bool {
		found = add(found, k, row)
		if row != nil {
			total++
		}
		return limit == 0 || total < limit
	})
	return found, err
}

// add notes one finding: a row, or a key that matches no index where row is
// nil. Findings of one key come together.
func add(found []Broken, k *key, row *row) []Broken {
	n := len(found)
	if n == 0 || found[n-1].Key.String() != k.Key.String() {
		reason := NoRow
		switch k.state {
		case parentGone:
			reason = NoParent
		case mismatched:
			reason = NoUnique
		}
		found = append(found, Broken{Key: k.Key, Reason: reason})
		n++
	}
	if row != nil {
		b := &found[n-1]
		if b.Rows == 0 {
			b.First = row.name()
		}
		b.Rows++
	}
	return found
}

// Baseline remembers what was broken at one moment.
type Baseline struct {
	seed   maphash.Seed
	counts map[uint64]int64
}

// Remember reads the faults of the database that c sees.
func Remember(ctx context.Context, c *sqlite.Conn) (*Baseline, error) {
	b := &Baseline{seed: maphash.MakeSeed(), counts: map[uint64]int64{}}
	return b, walk(ctx, c, func(k *key, row *row) bool {
		for _, h := range b.hashes(k, row) {
			b.counts[h]++
		}
		return true
	})
}

// FindNew returns the faults of the database that c sees and that b does not
// have. A reference counts as broken before if the same value was, in a
// column of the same names or to the same parent: a table that a migration has
// renamed or rebuilt brings its orphans along.
func (b *Baseline) FindNew(ctx context.Context, c *sqlite.Conn) (found []Broken, err error) {
	seen := map[uint64]int64{}
	err = walk(ctx, c, func(k *key, row *row) bool {
		before := false
		for _, h := range b.hashes(k, row) {
			seen[h]++
			before = before || seen[h] <= b.counts[h]
		}
		if !before {
			found = add(found, k, row)
		}
		return true
	})
	return found, err
}

// hashes identifies a finding by the child's side and by the parent's.
func (b *Baseline) hashes(k *key, row *row) [2]uint64 {
	value := "-"
	if row != nil {
		value = row.values()
	}
	side := func(which, table string, columns []string) uint64 {
		id := fmt.Sprintf("%s%q%q%s", which, strings.ToLower(table), columns, value)
		return maphash.String(b.seed, id)
	}
	return [2]uint64{side("child", k.Table, k.Columns), side("parent", k.Parent, k.ParentColumns)}
}

// row is one row that refers to nothing, as long as the walk stands on it.
type row struct {
	s     *sqlite.Stmt
	rowid bool
}

func (r *row) name() string {
	if r.rowid {
		return fmt.Sprintf("row %d", r.s.ColumnInt64(0))
	}
	return "(" + r.values() + ")"
}

// values writes the key of the row, so that different values differ.
func (r *row) values() string {
	var list []string
	for i := 1; i < r.s.ColumnCount(); i++ {
		switch r.s.ColumnType(i) {
		case lido.Blob:
			list = append(list, fmt.Sprintf("x'%x'", r.s.ColumnBlob(i, nil)))
		case lido.Text:
			list = append(list, fmt.Sprintf("%q", r.s.ColumnText(i)))
		default:
			list = append(list, r.s.ColumnText(i))
		}
	}
	return strings.Join(list, ", ")
}

// walk visits each key that matches no index, with a nil row, and each row that
// refers to nothing, until visit returns false.
func walk(ctx context.Context, c *sqlite.Conn, visit func(k *key, row *row) bool) error {
	list, err := keys(ctx, c)
	if err != nil {
		return err
	}
	for i := range list {
		k := &list[i]
		if k.state == mismatched && !visit(k, nil) {
			return nil
		}
		if k.state != parentGone && !k.countable {
			continue
		}
		if more, err := k.rows(ctx, c, visit); err != nil || !more {
			return err
		}
	}
	return nil
}

func (k *key) rows(ctx context.Context, c *sqlite.Conn, visit func(*key, *row) bool) (more bool, err error) {
	s, err := c.Prepare(ctx, k.orphans())
	var e *lido.Error
	if k.state == mismatched && errors.As(err, &e) && strings.HasPrefix(e.Message, "no such column") {
		return true, nil // the parent lacks a column: it cannot be compared
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	at := &row{s: s, rowid: k.rowid}
	for {
		found, err := s.Step()
		if err != nil || !found {
			return err == nil, err
		}
		if !visit(k, at) {
			return false, nil
		}
	}
}
