package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// The words of doctor's answers.
const (
	statusOK      = "ok"
	statusWarn    = "warn"
	statusFail    = "fail"
	statusUnknown = "unknown"
)

// finding is what one of doctor's checks says.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"`
}

// diagnosis is what "lido doctor --json" writes.
type diagnosis struct {
	Database string    `json:"database"`
	Status   string    `json:"status"` // the worst of the checks
	Checks   []finding `json:"checks"`
}

// doctor holds the flags of "lido doctor".
type doctor struct {
	Program
	db, backups, dir string
	database         string // the one in backups
	full, asJSON     bool
}

func doctorCommand(p Program) *cobra.Command {
	d := &doctor{Program: p}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine a database and what is around it",
		Long: `Opens the database read-only, beside whatever uses it, and looks at its header,
pages, rows, WAL, disk, folder and times. Nothing is changed. The exit status is
1 if a check fails; warnings leave it 0.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := need(cmd, "db"); err != nil {
				return err
			}
			if err := checkDatabasePath(d.db, false); err != nil {
				return err
			}
			found := d.examine(cmd.Context())
			for i := range found {
				found[i].Remedy = d.complete(found[i].Remedy)
			}
			return d.write(found)
		},
	}
	f := cmd.Flags()
	databaseFlag(f, &d.db)
	backupsFlag(f, &d.backups, "", "also look at the backups in this folder")
	f.StringVar(&d.database, "database", "", "which database of --backups it is, by name or id, where that is in doubt")
	f.StringVar(&d.dir, "dir", "", "also compare with the migrations in this folder")
	f.BoolVar(&d.full, "full", false, "run integrity_check in place of quick_check: every index against its table")
	f.BoolVar(&d.asJSON, "json", false, "write JSON")
	return cmd
}

// examine runs every check, as far as those before allow it.
func (d *doctor) examine(ctx context.Context) []finding {
	// The header comes first: closing a descriptor of the file would drop the
	// locks that this process gets on it later.
	found := []finding{checkHeader(d.db), checkWAL(d.db), checkFilesystem(d.db), checkPermissions(d.db)}
	if found[0].Status == statusFail {
		return found
	}
	err := withDatabase(ctx, d.db, false, true, func(db *pool.DB) error {
		found = append(found, d.inside(ctx, db)...)
		return nil
	})
	if err != nil {
		found = append(found, finding{"open", statusFail, err.Error(), remedyForOpen(err)})
	}
	return found
}

// complete puts the words of the command line into a remedy, and into the
// commands it names the flags that they need here.
func (d *doctor) complete(remedy string) string {
	dir, backups := d.dir, d.backups
	if dir == "" {
		dir = "FOLDER"
	}
	if backups == "" {
		backups = "FOLDER"
	}
	return strings.NewReplacer(
		"lido migrate up", shell("lido", "migrate", "up", "--db", d.db, "--dir", dir),
		"lido backup now", shell("lido", "backup", "now", "--db", d.db, "--backups", backups),
		"lido restore", shell("lido", "restore", "--backups", backups, "--to", d.db, "--overwrite"),
	).Replace(commandWords(remedy))
}

func remedyForOpen(err error) string {
	switch {
	case errors.Is(err, lido.ErrCorrupt):
		return "restore the last verified backup: lido restore"
	case errors.Is(err, lido.ErrBusy):
		return "another process holds the lock; find it with lsof, and try again"
	case errors.Is(err, lido.ErrReadOnly):
		return "run doctor as the user the service runs as: a WAL database needs -wal and -shm beside it"
	}
	return "mend what the message names"
}

// inside runs the checks that need a connection.
func (d *doctor) inside(ctx context.Context, db *pool.DB) []finding {
	cfg := health.Config{
		Disable: []string{health.WriteProbe, health.PoolSaturation, health.FileIdentity},
		// All at once: doctor comes once, and does not go on later.
		WholeCheckBytes: math.MaxInt64,
		ProvedByBackup:  -1,
	}
	found := []finding{checkJournal(ctx, db)}
	if d.full {
		cfg.Disable = append(cfg.Disable, health.QuickCheck)
	} else {
		cfg.Disable = append(cfg.Disable, health.IntegrityCheck)
	}
	if d.backups != "" {
		cfg.BackupDir = d.backups
		age, doubt := backupsOf(ctx, d.backups, d.db, d.database)
		if doubt == nil {
			cfg.Backups = age
		} else {
			found = append(found, *doubt)
		}
	}
	if d.dir != "" {
		cfg.Migrations = d.versions
	}
	checks, err := health.Builtin(cfg)
	if err != nil {
		return []finding{{"health", statusFail, err.Error(), ""}}
	}
	for _, c := range checks {
		if ctx.Err() != nil {
			return append(found, finding{c.Name, statusUnknown, "interrupted", ""})
		}
		r := c.Run(ctx, db)
		found = append(found, finding{c.Name, word(r.Status), r.Reason, r.Remedy})
	}
	return append(found, checkTimes(ctx, db)...)
}

func word(s health.Status) string {
	switch s {
	case health.OK:
		return statusOK
	case health.Degraded:
		return statusWarn
	case health.Failed:
		return statusFail
	}
	return statusUnknown
}

// versions compares the database with the folder of migrations.
func (d *doctor) versions(ctx context.Context, db *pool.DB) (current, wanted int64, err error) {
	if err := checkMigrations(d.dir); err != nil {
		return 0, 0, err
	}
	mig, err := migrate.New(db, os.DirFS(d.dir))
	if err != nil {
		return 0, 0, err
	}
	st, err := mig.Status(ctx)
	return st.Database, st.Program, err
}

// checkJournal looks at what the pool relies on and the file remembers.
//
// https://www.sqlite.org/wal.html
func checkJournal(ctx context.Context, db *pool.DB) finding {
	f := finding{Check: "journal_mode", Status: statusOK}
	var mode string
	err := db.WithReader(ctx, func(ctx context.Context, c *sqlite.Conn) (err error) {
		mode, err = c.QueryText(ctx, "PRAGMA journal_mode")
		return err
	})
	switch {
	case err != nil:
		f.Status, f.Found = statusFail, err.Error()
	case mode == "wal":
		f.Found = "wal"
	default:
		f.Status = statusWarn
		f.Found = mode + ": readers and the writer wait for each other"
		f.Remedy = "the pool switches to wal when it opens the file for writing"
	}
	return f
}

// write prints the findings and makes the worst one the exit status.
func (d *doctor) write(found []finding) error {
	order := []string{statusUnknown, statusOK, statusWarn, statusFail}
	worst := statusUnknown
	for _, f := range found {
		if slices.Index(order, f.Status) > slices.Index(order, worst) {
			worst = f.Status
		}
	}
	var err error
	if d.asJSON {
		err = writeJSON(d.Stdout, diagnosis{d.db, worst, found})
	} else {
		err = d.writeTable(found)
	}
	if err == nil && worst == statusFail {
		return noError{}
	}
	return err
}

func (d *doctor) writeTable(found []finding) error {
	var rows [][]string
	for _, f := range found {
		mark := "-"
		if f.Status != statusUnknown {
			mark = strings.ToUpper(f.Status)
		}
		rows = append(rows, []string{mark, f.Check, f.Found})
	}
	if err := writeTable(d.Stdout, []string{"STATUS", "CHECK", "FOUND"}, rows); err != nil {
		return err
	}
	first := true
	for _, f := range found {
		if f.Remedy == "" || f.Status == statusOK {
			continue
		}
		if first {
			fmt.Fprintln(d.Stdout, "\nWhat to do:")
			first = false
		}
		fmt.Fprintf(d.Stdout, "  %s: %s\n", f.Check, f.Remedy)
	}
	return nil
}
