package health

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// maxFindings bounds what one statement of an integrity check may report.
const maxFindings = 20

// checkQuick looks for damaged pages. It finds whole pages that are not what
// they should be, except the last overflow page of a long value, which has no
// structure of its own, and hardly ever a single flipped bit. CHECK constraints are
// not looked at: a read-only connection does not even parse them.
//
// https://www.sqlite.org/pragma.html#pragma_quick_check
func checkQuick(cfg Config) Check {
	s := &scan{pragma: "quick_check", wholeBytes: cfg.WholeCheckBytes, budget: cfg.QuickCheckBudget}
	return Check{
		Name: QuickCheck, Cost: Expensive, Interval: time.Hour, Timeout: 5 * time.Minute,
		Run: s.run,
	}
}

// checkIntegrity also compares every index with its table.
//
// https://www.sqlite.org/pragma.html#pragma_integrity_check
func checkIntegrity(cfg Config) Check {
	const timeout = 30 * time.Minute
	s := &scan{pragma: "integrity_check", wholeBytes: cfg.WholeCheckBytes, budget: timeout / 2}
	return Check{
		Name: IntegrityCheck, Cost: Expensive, Interval: 24 * time.Hour, Timeout: timeout,
		Run: provedOr(cfg, s.run),
	}
}

// provedOr spares the work when a young backup has passed the same checks.
func provedOr(cfg Config, run func(context.Context, *pool.DB) Result) func(context.Context, *pool.DB) Result {
	if cfg.Backups == nil || cfg.ProvedByBackup < 0 {
		return run
	}
	return func(ctx context.Context, db *pool.DB) Result {
		// An error is for backup_age to report.
		at, ok, err := cfg.Backups.LastVerified(ctx)
		if age := time.Since(at); err == nil && ok && age >= 0 && age < cfg.ProvedByBackup {
			return okay("proved by the verified backup taken %s ago", roundTime(age))
		}
		return run(ctx, db)
	}
}

// scan checks a database of any size: a small one in one statement, a large
// one table by table, so that no snapshot is held for long. It remembers where
// it ended, and which tables it has found damaged or could not finish, until
// they are looked at again.
type scan struct {
	pragma     string
	wholeBytes int64
	budget     time.Duration

	mu         sync.Mutex
	cursor     string              // the last table looked at, or empty at the start of a round
	rounds     int                 // how many rounds were completed, with every table
	ended      time.Time           // when the last one was
	damaged    map[string][]string // what was found in tables, until they are found sound
	unfinished map[string]bool     // tables that a timeout left unchecked, until they are checked
}

func (s *scan) run(ctx context.Context, db *pool.DB) (res Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bytes int64
	if !inMemory(db) {
		info, err := os.Stat(realPath(db.Path()))
		if err != nil {
			return failed(remedyMoved, "the database file is not there: %v", err)
		}
		bytes = info.Size()
	}
	err := onFresh(ctx, db, func(c *sqlite.Conn) (err error) {
		if bytes <= s.wholeBytes {
			res, err = s.whole(ctx, c)
		} else {
			res, err = s.tables(ctx, c)
		}
		return err
	})
	switch {
	case err == nil:
		return res
	case errors.Is(err, lido.ErrCorrupt):
		return failed(remedyRestore, "%s stopped at damage: %v", s.pragma, err)
	case errors.Is(err, lido.ErrBusy) && ctx.Err() == nil:
		return degraded(remedyBusy, "%s cannot read: %v", s.pragma, err)
	}
	return failed(remedyFor(err), "%s cannot read the database: %v", s.pragma, err)
}

// whole checks everything in one statement.
func (s *scan) whole(ctx context.Context, c *sqlite.Conn) (Result, error) {
	began := time.Now()
	var found []string
	err := inSnapshot(ctx, c, func() (err error) {
		found, err = s.ask(ctx, c, fmt.Sprint(maxFindings))
		return err
	})
	if err != nil {
		return Result{}, err
	}
	clear(s.damaged)
	clear(s.unfinished)
	if len(found) > 0 {
		return failed(remedyFound(found), "%s reports %s", s.pragma, summary(found)), nil
	}
	return okay("%s passed in %s", s.pragma, since(began)), nil
}

// tables goes on with the round until it or the budget is at its end.
func (s *scan) tables(ctx context.Context, c *sqlite.Conn) (Result, error) {
	var rows [][]string
	err := inSnapshot(ctx, c, func() (err error) {
		rows, err = queryTexts(ctx, c, "SELECT name FROM sqlite_schema WHERE type = 'table' UNION SELECT 'sqlite_schema' ORDER BY name", 1)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r[0]
	}
	if s.damaged == nil {
		s.damaged, s.unfinished = map[string][]string{}, map[string]bool{}
	}
	maps.DeleteFunc(s.damaged, func(name string, _ []string) bool { return !slices.Contains(names, name) })
	maps.DeleteFunc(s.unfinished, func(name string, _ bool) bool { return !slices.Contains(names, name) })

	first := 0
	if i, found := slices.BinarySearch(names, s.cursor); s.cursor != "" {
		first = i
		if found {
			first++
		}
		if first == len(names) { // the round ended with a table that was not finished
			first = 0
		}
	}
	began := time.Now()
	next := first
	for next < len(names) && (next == first || time.Since(began) < s.budget) {
		name := names[next]
		found, err := s.askTable(ctx, c, name)
		switch {
		case err == nil && len(found) == 0:
			delete(s.damaged, name)
		case err == nil:
			s.damaged[name] = found
		case ctx.Err() != nil:
			// The next run must not stop at the same table again.
			s.cursor = name
			s.unfinished[name] = true
			return Result{}, fmt.Errorf("table %s: %w", name, err)
		case errors.Is(err, lido.ErrCorrupt):
			s.damaged[name] = []string{err.Error()}
		default:
			return Result{}, fmt.Errorf("table %s: %w", name, err)
		}
		delete(s.unfinished, name)
		s.cursor = name
		next++
	}
	if next == len(names) {
		s.cursor = ""
		if len(s.unfinished) == 0 {
			s.ended = time.Now()
			s.rounds++
		}
	}
	if len(s.damaged) > 0 {
		var texts, all []string
		for _, name := range slices.Sorted(maps.Keys(s.damaged)) {
			texts = append(texts, "table "+name+": "+summary(s.damaged[name]))
			all = append(all, s.damaged[name]...)
		}
		return failed(remedyFound(all), "%s reports %s", s.pragma, summary(texts)), nil
	}
	text := fmt.Sprintf("%s passed for %s of %d in %s", s.pragma, count(next-first, "table"), len(names), since(began))
	switch {
	case next < len(names) && s.rounds == 0:
		text += "; the first round goes on with the next run"
	case next < len(names):
		text += fmt.Sprintf("; the last full round ended %s ago", since(s.ended))
	}
	if len(s.unfinished) > 0 {
		return degraded(remedyUnfinished, "%s; still unchecked for want of time: %s", text,
			summary(slices.Sorted(maps.Keys(s.unfinished)))), nil
	}
	return okay("%s", text), nil
}

// askTable runs the PRAGMA on a table, unless it has been dropped.
func (s *scan) askTable(ctx context.Context, c *sqlite.Conn, name string) (found []string, err error) {
	err = inSnapshot(ctx, c, func() error {
		n, err := c.QueryInt64(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = "+quoteText(name))
		if err != nil || n == 0 && name != "sqlite_schema" {
			return err
		}
		found, err = s.ask(ctx, c, quoteText(name))
		return err
	})
	return found, err
}

// ask runs the PRAGMA and returns what it complains of.
func (s *scan) ask(ctx context.Context, c *sqlite.Conn, arg string) ([]string, error) {
	rows, err := queryTexts(ctx, c, "PRAGMA "+s.pragma+"("+arg+")", 1)
	var found []string
	for _, r := range rows {
		if r[0] != "ok" {
			found = append(found, r[0])
		}
	}
	if err != nil && len(found) > 0 && errors.Is(err, lido.ErrCorrupt) {
		return append(found, err.Error()), nil
	}
	return found, err
}

// remedyFound says what to do about findings: not all of them are damage to
// the file. What is not known is.
func remedyFound(found []string) string {
	var index, rows bool
	for _, f := range found {
		switch {
		case strings.Contains(f, "from index ") || strings.Contains(f, " in index ") || strings.Contains(f, " of index "):
			index = true
		case strings.HasPrefix(f, "CHECK constraint failed in ") || strings.Contains(f, " value in "):
			rows = true
		default:
			return remedyRestore
		}
	}
	switch {
	case index && rows:
		return remedyIndex + "; " + remedyRows
	case index:
		return remedyIndex
	}
	return remedyRows
}

// summary shows the first findings and the number of all.
func summary(found []string) string {
	const shown = 3
	text := strings.Join(found[:min(shown, len(found))], "; ")
	if len(found) > shown {
		text += fmt.Sprintf("; and %d more", len(found)-shown)
	}
	return text
}

// maxOrphans is where the foreign key check stops to count.
const maxOrphans = 10_000

// checkForeignKeys looks for rows whose parent does not exist.
//
// https://www.sqlite.org/pragma.html#pragma_foreign_key_check
func checkForeignKeys(cfg Config) Check {
	return Check{
		Name: ForeignKeys, Cost: Expensive, Interval: 24 * time.Hour, Timeout: 10 * time.Minute,
		Run: provedOr(cfg, func(ctx context.Context, db *pool.DB) Result {
			began := time.Now()
			var orphans map[string]int
			var total int
			err := onFresh(ctx, db, func(c *sqlite.Conn) (err error) {
				return inSnapshot(ctx, c, func() (err error) {
					orphans, total, err = findOrphans(ctx, c)
					return err
				})
			})
			if err != nil {
				return failed(remedyFor(err), "foreign_key_check cannot run: %v", err)
			}
			if total == 0 {
				return okay("foreign_key_check passed in %s", since(began))
			}
			var texts []string
			for _, k := range slices.Sorted(maps.Keys(orphans)) {
				texts = append(texts, fmt.Sprintf("%s: %s", k, count(orphans[k], "row")))
			}
			more := ""
			if total == maxOrphans {
				more = " or more"
			}
			return failed(`list them with "PRAGMA foreign_key_check", then delete them or add the rows they point to`,
				"%s%s point to a row that does not exist: %s", count(total, "row"), more, summary(texts))
		}),
	}
}

// findOrphans counts violations by "child -> parent".
func findOrphans(ctx context.Context, c *sqlite.Conn) (orphans map[string]int, total int, err error) {
	s, err := c.Prepare(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	orphans = map[string]int{}
	for total < maxOrphans {
		row, err := s.Step()
		if err != nil || !row {
			return orphans, total, err
		}
		orphans[s.ColumnText(0)+" -> "+s.ColumnText(2)]++
		total++
	}
	return orphans, total, nil
}
