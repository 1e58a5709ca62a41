package migrate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"
)

// Migration is one step of the schema's history.
type Migration struct {
	Version int64
	// Name is the file's name; empty for a migration written in Go, and for one
	// that the program does not have.
	Name string
}

// String returns the name, or the version if there is none.
func (m Migration) String() string {
	if m.Name != "" {
		return m.Name
	}
	return "version " + strconv.FormatInt(m.Version, 10)
}

// Direction says which section of a migration ran.
type Direction string

// The sections of a migration.
const (
	DirectionUp   Direction = "up"
	DirectionDown Direction = "down"
)

// Step is a migration that ran.
type Step struct {
	Migration
	Direction Direction
	Duration  time.Duration
	// Empty reports that there was nothing to run: only the version changed.
	Empty bool
}

// String returns "up 00001_ledger.sql (1.2ms)".
func (s Step) String() string {
	return fmt.Sprintf("%s %s (%s)", s.Direction, s.Migration, s.Duration.Round(10*time.Microsecond))
}

// Result is what an operation did. It is filled in as far as the operation
// went when there is an error, too.
type Result struct {
	From, To int64       // the database's version before and after
	Applied  []Step      // what ran and was committed, in this order
	Pending  []Migration // what has not been applied, by version
	BackedUp bool        // what WithBackup names was called, and succeeded
	Duration time.Duration
}

// Status is where the database stands.
type Status struct {
	Database   int64 // the highest version that has been applied, or 0
	Program    int64 // the highest version that the program has
	Migrations []MigrationStatus
}

// MigrationStatus is one migration, of the program or of the database.
type MigrationStatus struct {
	Migration
	Applied   bool
	AppliedAt time.Time // zero if it is not applied
	// Unknown reports that it was applied and that the program does not have it.
	Unknown bool
}

// Pending returns how many of the program's migrations have not been applied.
func (s Status) Pending() int {
	n := 0
	for _, m := range s.Migrations {
		if !m.Applied {
			n++
		}
	}
	return n
}

func status(sources []source, st state) Status {
	out := Status{Database: st.max, Program: sources[len(sources)-1].Version}
	known := make(map[int64]bool, len(sources))
	for _, s := range sources {
		known[s.Version] = true
		at, applied := st.at[s.Version]
		out.Migrations = append(out.Migrations, MigrationStatus{Migration: s.Migration, Applied: applied, AppliedAt: at})
	}
	for version, at := range st.at {
		if !known[version] {
			out.Migrations = append(out.Migrations, MigrationStatus{
				Migration: Migration{Version: version}, Applied: true, AppliedAt: at, Unknown: true})
		}
	}
	slices.SortFunc(out.Migrations, func(a, b MigrationStatus) int { return cmp.Compare(a.Version, b.Version) })
	return out
}

func migrations(list []source) []Migration {
	out := make([]Migration, len(list))
	for i, s := range list {
		out[i] = s.Migration
	}
	return out
}

func without(list []Migration, version int64) []Migration {
	return slices.DeleteFunc(slices.Clone(list), func(m Migration) bool { return m.Version == version })
}

func sortByVersion(list []Migration) {
	slices.SortFunc(list, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
}

// results makes a list of goose's answer for one migration.
func results(r *goose.MigrationResult) []*goose.MigrationResult {
	if r == nil {
		return nil
	}
	return []*goose.MigrationResult{r}
}
