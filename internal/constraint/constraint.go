// Package constraint reads what integrity_check and quick_check report, and
// tells rows that break a constraint of their table from damage to the file.
//
// SQLite takes a CHECK, a NOT NULL or a type of a STRICT table on trust where a
// constraint is added to a table that has rows, or a program turns it off. Such
// rows are data that an application had. They are reported, and neither a
// reason to restore an older backup nor to refuse a new one.
package constraint

import (
	"context"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// broken is what the engine says of a row that breaks a constraint.
//
// https://www.sqlite.org/pragma.html#pragma_integrity_check
var broken = regexp.MustCompile(`(?s)^(CHECK constraint failed in |(NULL|NUMERIC|TEXT|non-[A-Z]+) value in )`)

// Broken reports whether finding speaks of such a row, and not of the file.
func Broken(finding string) bool { return broken.MatchString(finding) }

// Rows is one finding and the number of rows it is made for.
type Rows struct {
	Finding string
	Count   int64
}

// Report is what a check has found.
type Report struct {
	Damage []string // of the file, the first of it
	Broken []Rows   // ordered by Finding
	// More says that the engine stopped before it had counted all of Broken: on a
	// single table it reports a hundred findings.
	More bool
	// Unverified says why CHECK constraints could not be evaluated: their
	// functions are unknown to the connection. It is "" where they could.
	Unverified string
}

// Check runs pragma, which is integrity_check or quick_check, on the main
// database or one table of it, and reports at most damage complaints about the
// file. Rows that break constraints are all counted: the engine stops at a
// number of findings, and they must not hide what lies behind them. The
// connection has been opened with VerifyChecks.
func Check(ctx context.Context, c *sqlite.Conn, pragma, table string, damage int) (r Report, err error) {
	unverified := ""
	r, full, err := run(ctx, c, pragma, table, damage, damage)
	if unknown(err) {
		unverified = err.Error()
		if err := c.Exec(ctx, "PRAGMA ignore_check_constraints = 1"); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, c.Exec(ctx, "PRAGMA ignore_check_constraints = 0")) }()
		r, full, err = run(ctx, c, pragma, table, damage, damage)
	}
	// The pages were looked at before all rows, so where none is damaged no
	// more than a line for each row is to come.
	if err == nil && full && len(r.Damage) == 0 {
		if table == "" {
			r, _, err = run(ctx, c, pragma, table, math.MaxInt32, damage)
		}
		r.More = table != ""
	}
	r.Unverified = unverified
	return r, err
}

// unknown reports whether the engine could not compile the check for want of a
// function, or because the schema may not use it.
func unknown(err error) bool {
	var e *lido.Error
	return errors.As(err, &e) && e.Code == 1 &&
		(strings.HasPrefix(e.Message, "unknown function: ") || strings.HasPrefix(e.Message, "unsafe use of "))
}

// run asks for up to limit findings. It is full if there may be more.
func run(ctx context.Context, c *sqlite.Conn, pragma, table string, limit, damage int) (r Report, full bool, err error) {
	arg := strconv.Itoa(limit)
	if table != "" {
		// Together with a table no limit can be given; the engine's is 100.
		arg, limit = "'"+strings.ReplaceAll(table, "'", "''")+"'", 100
	}
	s, err := c.Prepare(ctx, "PRAGMA main."+pragma+"("+arg+")")
	if err != nil {
		return r, false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	count := map[string]int64{}
	lines := 0
	for len(r.Damage) < damage {
		row, err := s.Step()
		if err != nil {
			return r, false, err
		}
		if !row {
			break
		}
		lines++
		switch text := s.ColumnText(0); {
		case text == "ok":
		case Broken(text):
			count[text]++
		default:
			r.Damage = append(r.Damage, strings.ReplaceAll(text, "\n", " "))
		}
	}
	for text, n := range count {
		r.Broken = append(r.Broken, Rows{text, n})
	}
	slices.SortFunc(r.Broken, func(a, b Rows) int { return strings.Compare(a.Finding, b.Finding) })
	return r, lines >= limit, nil
}
