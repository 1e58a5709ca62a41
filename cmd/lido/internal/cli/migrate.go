package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
)

// migration holds the flags of "lido migrate".
type migration struct {
	Program
	db, dir, backups string
	withoutBackup    bool
	outOfOrder       bool
	noTransaction    bool
	asJSON           bool
}

func migrateCommand(p Program) *cobra.Command {
	m := &migration{Program: p}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring a database to another version of its schema",
		Long: `Migrations are SQL files in goose's form, in one folder, numbered. Each runs in
a transaction of its own, under a lock that other processes respect.`,
		Args: cobra.ArbitraryArgs,
		RunE: needCommand,
	}
	f := cmd.PersistentFlags()
	databaseFlag(f, &m.db)
	f.StringVar(&m.dir, "dir", "schema", "the folder of the migrations")
	backupsFlag(f, &m.backups, "backup-to", "back up into this folder before a migration touches a database with rows")
	f.BoolVar(&m.outOfOrder, "out-of-order", false, "let migrations run whose number is below one that was applied")
	f.BoolVar(&m.noTransaction, "unsafe-no-transaction", false, "let migrations run that are marked NO TRANSACTION: what fails half way stays half done")
	f.BoolVar(&m.asJSON, "json", false, "write JSON")
	cmd.AddCommand(m.up(), m.down(), m.redo(), m.status(), m.create())
	return cmd
}

func (m *migration) up() *cobra.Command {
	var to int64
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Apply every migration that is pending",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return m.run(cmd, true, func(ctx context.Context, mig *migrate.Migrator) (migrate.Result, error) {
				if to > 0 {
					return mig.UpTo(ctx, to)
				}
				return mig.Up(ctx)
			})
		},
	}
	cmd.Flags().Int64Var(&to, "to", 0, "go no further than this version")
	return cmd
}

func (m *migration) down() *cobra.Command {
	return m.undo("down", "Undo the migration that was applied last", (*migrate.Migrator).Down)
}

func (m *migration) redo() *cobra.Command {
	return m.undo("redo", "Undo the migration that was applied last and apply it again", (*migrate.Migrator).Redo)
}

// undo is a command that undoes a migration, and with it often deletes rows:
// where there are rows it asks for a backup.
func (m *migration) undo(name, short string, do func(*migrate.Migrator, context.Context) (migrate.Result, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Long:  short + ".\nOn a database with rows it needs --backups, or --without-backup.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if m.withoutBackup && m.backups != "" {
				return usagef("--without-backup and --backups %s contradict each other; give one", m.backups)
			}
			err := m.run(cmd, false, func(ctx context.Context, mig *migrate.Migrator) (migrate.Result, error) { return do(mig, ctx) })
			if errors.Is(err, errAskBackup) {
				return usagef("%s holds rows, which %s may delete; name a folder to back up to with --backups (or --backup-to), or give --without-backup", m.db, name)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&m.withoutBackup, "without-backup", false, "touch a database with rows without a backup before it")
	return cmd
}

// errAskBackup stops a migration in the place of the backup before it.
var errAskBackup = errors.New("no folder for a backup was given")

func (m *migration) create() *cobra.Command {
	return &cobra.Command{
		Use:   "create NAME...",
		Short: "Write an empty migration with the next number",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the migration, as in: lido migrate create add accounts")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			for _, word := range args[1:] {
				name += " " + word
			}
			if err := checkMigrations(m.dir); err != nil {
				return err
			}
			path, err := migrate.Create(m.dir, name)
			if err != nil {
				return err
			}
			if m.asJSON {
				return writeJSON(m.Stdout, map[string]string{"created": path})
			}
			fmt.Fprintln(m.Stdout, path)
			return nil
		},
	}
}

// migrationsJSON is what up, down and redo write with --json.
type migrationsJSON struct {
	Database string     `json:"database"`
	From     int64      `json:"from"`
	To       int64      `json:"to"`
	Applied  []stepJSON `json:"applied"`
	Pending  []string   `json:"pending"`
	BackedUp bool       `json:"backed_up"`
	Duration int64      `json:"duration_ns"`
	Error    string     `json:"error,omitempty"`
}

type stepJSON struct {
	Version   int64  `json:"version"`
	Name      string `json:"name"`
	Direction string `json:"direction"`
	Duration  int64  `json:"duration_ns"`
}

// run opens the database, does one thing to it and tells how far it came, also
// when it failed half way.
func (m *migration) run(cmd *cobra.Command, create bool, do func(context.Context, *migrate.Migrator) (migrate.Result, error)) error {
	files, err := m.files(cmd)
	if err != nil {
		return err
	}
	ask := cmd.Flags().Lookup("without-backup") != nil && !m.withoutBackup
	ctx := cmd.Context()
	return withDatabase(ctx, m.db, create, false, func(db *pool.DB) error {
		mig, err := migrate.New(db, files, m.options(db, ask)...)
		if err != nil {
			return m.explain(err)
		}
		res, err := do(ctx, mig)
		if errors.Is(err, errAskBackup) {
			return err
		}
		if m.asJSON {
			return errors.Join(m.explain(err), writeJSON(m.Stdout, toJSON(m.db, res, err)))
		}
		for _, step := range res.Applied {
			fmt.Fprintf(m.Stdout, "%-4s  %s  %s\n", step.Direction, step.Migration, formatDuration(step.Duration))
		}
		if err != nil {
			return m.explain(err)
		}
		if res.BackedUp {
			fmt.Fprintf(m.Stdout, "a backup was made first, in %s\n", m.backups)
		}
		if len(res.Applied) == 0 {
			fmt.Fprintf(m.Stdout, "%s is at version %d, nothing is pending\n", m.db, res.To)
			return nil
		}
		fmt.Fprintf(m.Stdout, "%s went from version %d to %d\n", m.db, res.From, res.To)
		return nil
	})
}

func (m *migration) options(db *pool.DB, ask bool) []migrate.Option {
	var opts []migrate.Option
	if m.outOfOrder {
		opts = append(opts, migrate.WithOutOfOrder())
	}
	if m.noTransaction {
		opts = append(opts, migrate.WithUnsafeNoTransaction())
	}
	switch {
	case m.backups == "" && ask:
		opts = append(opts, migrate.WithBackup(func(context.Context) error { return errAskBackup }))
	case m.backups != "":
		opts = append(opts, migrate.WithBackup(func(ctx context.Context) error {
			_, err := backup.Take(ctx, db, backup.Config{Store: backup.NewDirStore(m.backups), Keep: backup.Keep{Count: -1}})
			if errors.Is(err, backup.ErrForeign) {
				return fmt.Errorf("%w; \"lido backup now\" has these flags, and another --backups serves as well", err)
			}
			return err
		}))
	}
	return opts
}

// files checks what the commands on a database need, before it is opened.
func (m *migration) files(cmd *cobra.Command) (fs.FS, error) {
	if err := need(cmd, "db", "dir"); err != nil {
		return nil, err
	}
	if err := checkMigrations(m.dir); err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(m.dir, "*.sql"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if number, _, _ := strings.Cut(filepath.Base(name), "_"); strings.Trim(number, "0123456789") != "" {
			fmt.Fprintf(m.Stderr, "%s: %s is left out: its name does not begin with a number and an underscore\n", cmd.CommandPath(), name)
		}
	}
	return os.DirFS(m.dir), nil
}

// checkMigrations looks whether the folder of the migrations is one.
func checkMigrations(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder of the migrations: %w; make it, or check --dir", err)
	case err != nil:
		return fmt.Errorf("the folder of the migrations: %w; check --dir", err)
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder; --dir names the folder of the migrations", dir)
	}
	return nil
}

// explain adds what to do.
func (m *migration) explain(err error) error {
	var (
		newer *migrate.NewerError
		order *migrate.OutOfOrderError
	)
	switch {
	case errors.Is(err, migrate.ErrNoMigrations):
		if entries, err := os.ReadDir(m.dir); err != nil {
			return fmt.Errorf("the folder of the migrations: %w; check --dir", err)
		} else if len(entries) > 0 {
			break // the error names the fault of these files
		}
		return fmt.Errorf("%w in %s; \"%s\" writes the first", migrate.ErrNoMigrations, m.dir, shell("lido", "migrate", "create", "NAME", "--dir", m.dir))
	case errors.As(err, &newer):
		return fmt.Errorf("%s is at version %d, and %s ends at %d: name the folder of the newer migrations with --dir, or restore a backup from before",
			m.db, newer.Database, m.dir, newer.Program)
	case errors.As(err, &order):
		var names []string
		for _, mig := range order.Missing {
			names = append(names, mig.String())
		}
		return fmt.Errorf("%s is at version %d, but %s was not applied: rename it to a higher number, or let it run with --out-of-order",
			m.db, order.Database, strings.Join(names, ", "))
	}
	return err
}

func toJSON(db string, res migrate.Result, err error) migrationsJSON {
	out := migrationsJSON{
		Database: db, From: res.From, To: res.To,
		Applied: []stepJSON{}, Pending: []string{},
		BackedUp: res.BackedUp, Duration: int64(res.Duration),
	}
	for _, s := range res.Applied {
		out.Applied = append(out.Applied, stepJSON{s.Version, s.Name, string(s.Direction), int64(s.Duration)})
	}
	for _, p := range res.Pending {
		out.Pending = append(out.Pending, p.String())
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

// statusJSON is what "lido migrate status --json" writes.
type statusJSON struct {
	Database   string            `json:"database"`
	Version    int64             `json:"version"`
	Program    int64             `json:"program_version"`
	Pending    int               `json:"pending"`
	Migrations []migrationStatus `json:"migrations"`
}

type migrationStatus struct {
	Version   int64      `json:"version"`
	Name      string     `json:"name"`
	State     string     `json:"state"` // applied, pending, unknown
	AppliedAt *time.Time `json:"applied_at,omitempty"`
}

func (m *migration) status() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List what has been applied and what is pending",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := m.files(cmd)
			if err != nil {
				return err
			}
			var st migrate.Status
			err = withDatabase(cmd.Context(), m.db, false, true, func(db *pool.DB) error {
				mig, err := migrate.New(db, files)
				if err != nil {
					return m.explain(err)
				}
				st, err = mig.Status(cmd.Context())
				return err
			})
			if err != nil {
				return err
			}
			if err := m.writeStatus(st); err != nil {
				return err
			}
			if check && (st.Pending() > 0 || st.Database > st.Program) {
				return noError{}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "exit with 1 unless the database is at the newest version")
	return cmd
}

func (m *migration) writeStatus(st migrate.Status) error {
	out := statusJSON{
		Database: m.db, Version: st.Database, Program: st.Program,
		Pending: st.Pending(), Migrations: []migrationStatus{},
	}
	var rows [][]string
	for _, mig := range st.Migrations {
		s := migrationStatus{Version: mig.Version, Name: mig.Name, State: "pending"}
		at := "-"
		switch {
		case mig.Unknown:
			s.State = "unknown"
		case mig.Applied:
			s.State = "applied"
		}
		if !mig.AppliedAt.IsZero() {
			s.AppliedAt = &mig.AppliedAt
			at = mig.AppliedAt.UTC().Format("2006-01-02 15:04:05Z")
		}
		name := mig.Name
		if name == "" {
			name = "(no file in " + filepath.ToSlash(m.dir) + ")"
		}
		out.Migrations = append(out.Migrations, s)
		rows = append(rows, []string{strconv.FormatInt(mig.Version, 10), s.State, at, name})
	}
	if m.asJSON {
		return writeJSON(m.Stdout, out)
	}
	if err := writeTable(m.Stdout, []string{"VERSION", "STATE", "APPLIED", "MIGRATION"}, rows); err != nil {
		return err
	}
	fmt.Fprintln(m.Stdout)
	switch {
	case st.Database > st.Program:
		fmt.Fprintf(m.Stdout, "%s is at version %d, newer than %s, which ends at %d\n", m.db, st.Database, m.dir, st.Program)
	case out.Pending > 0:
		fmt.Fprintf(m.Stdout, "%s is at version %d, %s pending; run \"%s\"\n", m.db, st.Database, plural(out.Pending, "migration"),
			shell("lido", "migrate", "up", "--db", m.db, "--dir", m.dir))
	default:
		fmt.Fprintf(m.Stdout, "%s is at version %d, nothing is pending\n", m.db, st.Database)
	}
	return nil
}
