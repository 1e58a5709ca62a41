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
	"github.com/lidodb/lido/internal/constraint"
	"github.com/lidodb/lido/internal/foreignkey"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// maxFindings bounds what one statement of an integrity check may report.
const maxFindings = 20

// checkQuick looks for damaged pages. It finds whole pages that are not what
// they should be, except the last overflow page of a long value, which has no
// structure of its own, and hardly ever a single flipped bit. It also evaluates
// CHECK constraints, as integrity_check does.
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

// provedOr spares the work when a young backup has passed the same checks and
// carries no row that breaks the schema.
func provedOr(cfg Config, run func(context.Context, *pool.DB) Result) func(context.Context, *pool.DB) Result {
	sound, ok := cfg.Backups.(BackupSoundness)
	if !ok || cfg.ProvedByBackup < 0 {
		return run
	}
	return func(ctx context.Context, db *pool.DB) Result {
		// An error is for backup_age to report.
		at, ok, err := sound.LastSound(ctx)
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
	unverified string              // why CHECK constraints could not be evaluated in this round
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
	var found findings
	err := inSnapshot(ctx, c, func() (err error) {
		found, err = s.ask(ctx, c, "")
		return err
	})
	if err != nil {
		return Result{}, err
	}
	clear(s.damaged)
	clear(s.unfinished)
	s.unverified = found.unverified
	if len(found.texts) > 0 {
		return failed(remedyFound(found.texts), "%s reports %s", s.pragma, summary(found.texts)), nil
	}
	return s.sound("%s passed in %s", s.pragma, since(began)), nil
}

// sound is the answer where nothing was found.
func (s *scan) sound(format string, args ...any) Result {
	text := fmt.Sprintf(format, args...)
	if s.unverified != "" {
		text += "; CHECK constraints could not be evaluated: " + s.unverified
	}
	return okay("%s", text)
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
		case err == nil && len(found.texts) == 0:
			delete(s.damaged, name)
		case err == nil:
			s.damaged[name] = found.texts
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
		if found.unverified != "" || next == 0 {
			s.unverified = found.unverified
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
	return s.sound("%s", text), nil
}

// askTable runs the PRAGMA on a table, unless it has been dropped.
func (s *scan) askTable(ctx context.Context, c *sqlite.Conn, name string) (found findings, err error) {
	err = inSnapshot(ctx, c, func() error {
		n, err := c.QueryInt64(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = "+quoteText(name))
		if err != nil || n == 0 && name != "sqlite_schema" {
			return err
		}
		found, err = s.ask(ctx, c, name)
		return err
	})
	return found, err
}

// findings are the complaints about the database or a table of it.
type findings struct {
	texts      []string
	unverified string // see constraint.Report
}

// ask runs the PRAGMA on a table, or on the database if it is "".
func (s *scan) ask(ctx context.Context, c *sqlite.Conn, table string) (f findings, err error) {
	report, err := constraint.Check(ctx, c, s.pragma, table, maxFindings)
	f = findings{texts: report.Damage, unverified: report.Unverified}
	for _, b := range report.Broken {
		more := ""
		if report.More {
			more = " or more"
		}
		f.texts = append(f.texts, fmt.Sprintf("%s (%s%s)", b.Finding, count(int(b.Count), "row"), more))
	}
	if err != nil && len(f.texts) > 0 && errors.Is(err, lido.ErrCorrupt) {
		f.texts = append(f.texts, err.Error())
		return f, nil
	}
	return f, err
}

// remedyFound says what to do about findings: not all of them are damage to
// the file. What is not known is.
func remedyFound(found []string) string {
	var index, rows bool
	for _, f := range found {
		switch {
		case constraint.Broken(f):
			rows = true
		case strings.Contains(f, "from index ") || strings.Contains(f, " in index ") || strings.Contains(f, " of index "):
			index = true
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

// checkForeignKeys looks for foreign keys that do not hold. Rows that refer to
// nothing are Failed; a reference to columns without a unique index is Degraded
// by itself: reads go on, and writes to either table fail.
//
// https://www.sqlite.org/pragma.html#pragma_foreign_key_check
func checkForeignKeys(cfg Config) Check {
	return Check{
		Name: ForeignKeys, Cost: Expensive, Interval: 24 * time.Hour, Timeout: 10 * time.Minute,
		Run: provedOr(cfg, func(ctx context.Context, db *pool.DB) Result {
			began := time.Now()
			var found []foreignkey.Broken
			err := onFresh(ctx, db, func(c *sqlite.Conn) error {
				return inSnapshot(ctx, c, func() (err error) {
					found, err = foreignkey.Find(ctx, c, maxOrphans)
					return err
				})
			})
			if err != nil {
				return failed(remedyFor(err), "foreign_key_check cannot run: %v", err)
			}
			if len(found) == 0 {
				return okay("foreign_key_check passed in %s", since(began))
			}
			var texts, remedies []string
			total := 0
			for _, b := range found {
				total += int(b.Rows)
				texts = append(texts, b.String())
				remedies = append(remedies, b.Remedy())
			}
			remedy := summary(slices.Compact(remedies))
			if total == 0 {
				return degraded(remedy, "%s", summary(texts))
			}
			more := ""
			if total == maxOrphans {
				more = " or more"
			}
			return failed(remedy, "foreign keys are broken in %s%s: %s", count(total, "row"), more, summary(texts))
		}),
	}
}
