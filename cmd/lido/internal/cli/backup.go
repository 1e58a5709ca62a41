package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/pool"
)

// backups holds the flags of "lido backup".
type backups struct {
	Program
	dir    string
	asJSON bool
	proof  backup.VerifyOptions
}

func backupCommand(p Program) *cobra.Command {
	b := &backups{Program: p}
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Make, list and verify backups",
		Long: `A backup counts only once it has been restored to a scratch file and passed
every check. Put the folder on another device than the database.`,
		Args: cobra.ArbitraryArgs,
		RunE: needCommand,
	}
	f := cmd.PersistentFlags()
	backupsFlag(f, &b.dir, "to", "the folder of the backups")
	f.BoolVar(&b.asJSON, "json", false, "write JSON")
	cmd.AddCommand(b.now(), b.list(), b.verify())
	return cmd
}

// backupJSON describes one backup to programs.
type backupJSON struct {
	ID        string     `json:"id"`
	Database  string     `json:"database"`
	Snapshot  *time.Time `json:"snapshot"`
	Bytes     int64      `json:"bytes"`
	Artifact  int64      `json:"artifact_bytes"`
	Migration *int64     `json:"migration"`
	State     string     `json:"state"` // ok, or why it cannot be restored
	Duration  int64      `json:"duration_ns,omitempty"`
	Removed   []string   `json:"removed,omitempty"` // by retention
	Broken    []string   `json:"broken,omitempty"`  // what the rows break of their schema
}

func describe(id string, m *backup.Manifest) backupJSON {
	out := backupJSON{ID: id, State: "ok"}
	if m == nil {
		return out
	}
	out.Database, out.Snapshot = m.Database.Name, &m.Times.Snapshot
	out.Bytes, out.Artifact = m.Plain.Bytes, m.Artifact.Bytes
	out.Broken = m.Database.Broken.Lines()
	if m.Database.Migration != nil {
		out.Migration = &m.Database.Migration.Version
	}
	return out
}

func (b *backups) now() *cobra.Command {
	var (
		db      string
		name    string
		keep    backup.Keep
		moved   bool
		scratch string
	)
	cmd := &cobra.Command{
		Use:   "now",
		Short: "Make one backup of a live database, and prove it",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := need(cmd, "db", "backups"); err != nil {
				return err
			}
			if fileExists(b.dir) { // else it is made
				if err := checkFolder(b.dir); err != nil {
					return err
				}
			}
			if !cmd.Flags().Changed("keep") && keep.Age != 0 {
				keep.Count = 0 // --keep-for alone decides
			}
			if keep.Count == 0 && keep.Age == 0 {
				return usagef("--keep 0 keeps nothing; give a number, --keep-for, or -1 for all")
			}
			if keep.Age < 0 {
				return usagef("--keep-for %v is negative; 0 turns the rule off", keep.Age)
			}
			var res backup.Result
			tell, done := progressOn(b.Stderr)
			err := withDatabase(cmd.Context(), db, false, true, func(d *pool.DB) error {
				var err error
				res, err = backup.Take(cmd.Context(), d, backup.Config{
					Store: backup.NewDirStore(b.dir), Name: name, Moved: moved, Keep: keep, ScratchDir: scratch,
					Progress: tell,
				})
				return err
			})
			done()
			if err != nil {
				return refused(err)
			}
			out := describe(res.Manifest.ID, res.Manifest)
			out.Duration, out.Removed = int64(res.Duration), res.Pruned.Removed
			if b.asJSON {
				return writeJSON(b.Stdout, out)
			}
			fmt.Fprintf(b.Stdout, "%s  %s, %s stored, made and proved in %s\n", out.ID,
				formatBytes(out.Bytes), formatBytes(out.Artifact), formatDuration(res.Duration))
			writeBroken(b.Stdout, out.ID, out.Broken)
			for _, id := range res.Pruned.Removed {
				fmt.Fprintf(b.Stdout, "removed %s, which no rule keeps\n", id)
			}
			if res.PruneErr != nil {
				fmt.Fprintf(b.Stderr, "lido backup now: the backup is good; removing old ones failed: %v\n", res.PruneErr)
			}
			return nil
		},
	}
	f := cmd.Flags()
	databaseFlag(f, &db)
	f.StringVar(&name, "name", "", "tells the databases of a folder apart (default: the name of the database file)")
	f.IntVar(&keep.Count, "keep", -1, "how many of the newest backups stay; -1: all")
	f.DurationVar(&keep.Age, "keep-for", 0, "remove backups that are older, as in 720h, beyond those of --keep")
	f.BoolVar(&moved, "moved", false, "the backups of that name are of this database, which was elsewhere")
	f.StringVar(&scratch, "scratch", "", "the folder for plain copies (default: beside the database)")
	f.Bool("allow-foreign-key-violations", false, "")
	_ = f.MarkDeprecated("allow-foreign-key-violations", "each backup carries the rows that its database has, and says what they break")
	return cmd
}

func (b *backups) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the backups of a folder, the newest first",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := need(cmd, "backups"); err != nil {
				return err
			}
			entries, err := b.entries(cmd)
			if err != nil {
				return err
			}
			list, rows := []backupJSON{}, [][]string{}
			for _, e := range entries {
				out := describe(e.ID, e.Manifest)
				if e.Err != nil {
					out.State = e.Err.Error()
				}
				list = append(list, out)
				rows = append(rows, backupRow(out, time.Now()))
			}
			if b.asJSON {
				return writeJSON(b.Stdout, list)
			}
			if len(rows) == 0 {
				fmt.Fprintf(b.Stdout, "%s holds no backups\n", b.dir)
				return nil
			}
			return writeTable(b.Stdout, []string{"BACKUP", "DATABASE", "AGE", "SIZE", "STORED", "MIGRATION", "STATE"}, rows)
		},
	}
}

func backupRow(b backupJSON, now time.Time) []string {
	if b.Snapshot == nil {
		return []string{b.ID, "-", "-", "-", "-", "-", b.State}
	}
	migration := "-"
	if b.Migration != nil {
		migration = fmt.Sprint(*b.Migration)
	}
	return []string{b.ID, b.Database, formatAge(now.Sub(*b.Snapshot)), formatBytes(b.Bytes), formatBytes(b.Artifact), migration, b.State}
}

// entries lists the folder, which must be there: a folder that is misspelt
// should not look like one without backups.
func (b *backups) entries(cmd *cobra.Command) ([]backup.Entry, error) {
	if err := checkFolder(b.dir); err != nil {
		return nil, err
	}
	return backup.List(cmd.Context(), backup.NewDirStore(b.dir))
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("the folder of the backups: %w; check --backups", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder; --backups names the folder of the backups", dir)
	}
	return nil
}

func (b *backups) verify() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "verify [BACKUP]",
		Short: "Restore a backup to a scratch file and check everything again",
		Long: `Without a name the newest backup is verified. The exit status is 1 if any
backup is refused; with --fallback an older one may stand in for the newest,
and the answer says which one was passed over, and why.`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return usagef("name one backup, or --all")
			case len(args) == 1 && all:
				return usagef("--all verifies every backup; leave %q out", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := need(cmd, "backups"); err != nil {
				return err
			}
			ids, err := b.chosen(cmd, args, all)
			if err != nil {
				return err
			}
			return b.verifyEach(cmd, ids)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, "verify every backup of the folder")
	f.StringVar(&b.proof.Database, "database", "", "the database whose newest backup is meant, by name or id")
	f.BoolVar(&b.proof.Fallback, "fallback", false, "take the newest sound backup where newer ones are damaged")
	f.StringVar(&b.proof.ScratchDir, "scratch", "", "the folder for the plain copy (default: that for temporary files)")
	return cmd
}

// chosen returns the names of the backups to verify.
func (b *backups) chosen(cmd *cobra.Command, args []string, all bool) ([]string, error) {
	entries, err := b.entries(cmd)
	if err != nil {
		return nil, err
	}
	switch {
	case len(entries) == 0:
		return nil, noError{fmt.Errorf("%s holds no backups", b.dir)}
	case all:
		var ids []string
		for _, e := range entries {
			ids = append(ids, e.ID)
		}
		return ids, nil
	case len(args) == 1:
		return []string{backupID(args[0])}, nil
	}
	return []string{""}, nil
}

// backupID lets people paste the name of a file, or say latest.
func backupID(name string) string {
	if name == "latest" {
		return ""
	}
	base := filepath.Base(name)
	for i := 0; i < len(base); i++ {
		if base[i] == '.' {
			return base[:i]
		}
	}
	return base
}

func (b *backups) verifyEach(cmd *cobra.Command, ids []string) error {
	store := backup.NewDirStore(b.dir)
	opt := b.proof
	list, rows, bad := []backupJSON{}, [][]string{}, 0
	for _, id := range ids {
		began := time.Now()
		tell, done := progressOn(b.Stderr)
		opt.Progress = tell
		rep, err := backup.Verify(cmd.Context(), store, id, opt)
		done()
		passedOver(b.Program, "lido backup verify", rep)
		var no noError
		if err = refused(withList(err, b.dir)); err != nil && !errors.As(err, &no) {
			return err
		}
		if id == "" && rep.Manifest != nil {
			id = rep.Manifest.ID
		}
		out := describe(id, rep.Manifest)
		out.Duration, out.Broken = int64(time.Since(began)), rep.Broken.Lines()
		if err != nil {
			bad++
			out.State = commandWords(err.Error())
			if id == "" {
				out.ID = "(newest)"
			}
		}
		list = append(list, out)
		rows = append(rows, []string{out.ID, formatDuration(time.Duration(out.Duration)), out.State})
	}
	var err error
	if b.asJSON {
		err = writeJSON(b.Stdout, list)
	} else {
		err = writeTable(b.Stdout, []string{"BACKUP", "TIME", "STATE"}, rows)
		for _, out := range list {
			writeBroken(b.Stdout, out.ID, out.Broken)
		}
	}
	if err == nil && bad > 0 {
		return noError{}
	}
	return err
}

// checkTarget looks at the path to restore to, before a backup is unpacked.
func checkTarget(to string, overwrite bool) error {
	if folder := filepath.Dir(to); !fileExists(folder) {
		return fmt.Errorf("there is no folder %s to restore to; make it, or check --to", folder)
	}
	info, err := os.Stat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%w; check --to", err)
	case info.IsDir():
		return fmt.Errorf("%s is a folder; --to names the database file in it", to)
	case !overwrite:
		return fmt.Errorf("%s already exists; give another --to, or --overwrite to replace it", to)
	}
	return nil
}

// withList adds how the names of backups are found to an error about one that
// is not there.
func withList(err error, dir string) error {
	if errors.Is(err, backup.ErrNoBackup) || errors.Is(err, backup.ErrForeign) {
		return fmt.Errorf("%w; \"%s\" lists those of the folder", err, shell("lido", "backup", "list", "--backups", dir))
	}
	return err
}

// passedOver says that an older backup than the newest was taken.
func passedOver(p Program, command string, rep backup.Report) {
	for _, e := range rep.Skipped {
		fmt.Fprintf(p.Stderr, "%s: took %s in place of %s, which is refused: %v\n", command, rep.Manifest.ID, e.ID, e.Err)
	}
}

// refused turns what is wrong with a backup itself into the answer no.
func refused(err error) error {
	for _, sentinel := range []error{backup.ErrDamaged, backup.ErrTruncated, backup.ErrForeign,
		backup.ErrNewer, backup.ErrNoManifest, backup.ErrNoBackup, backup.ErrLimit} {
		if errors.Is(err, sentinel) {
			return noError{err}
		}
	}
	return err
}

func restoreCommand(p Program) *cobra.Command {
	var (
		from, name, to string
		opt            backup.RestoreOptions
		asJSON         bool
	)
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Restore a backup to a file",
		Long: `The backup is restored to a scratch file beside the target and proved there.
Only then does it take the target's name, in one step. The exit status is 1 if
the backup is refused; the target has not been touched then. Where the newest
backup is refused, the newest sound one is named, and --fallback takes it.

A file that is itself mounted into a container cannot be replaced. --in-place
copies into it: in one transaction, which a journal beside the file undoes after
a crash. If the journal is lost, or the old file was no database, there is no
way back but another restore.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := need(cmd, "backups", "to"); err != nil {
				return err
			}
			if err := checkFolder(from); err != nil {
				return err
			}
			if err := checkTarget(to, opt.Overwrite); err != nil {
				return err
			}
			var done func()
			opt.Progress, done = progressOn(p.Stderr)
			rep, err := backup.Restore(cmd.Context(), backup.NewDirStore(from), backupID(name), to, opt)
			done()
			passedOver(p, "lido restore", rep)
			if err != nil {
				return refused(withList(err, from))
			}
			out := describe(rep.Manifest.ID, rep.Manifest)
			out.Duration, out.Broken = int64(rep.Duration), rep.Broken.Lines()
			if asJSON {
				return writeJSON(p.Stdout, out)
			}
			fmt.Fprintf(p.Stdout, "restored %s to %s: %s as of %s, proved in %s\n", out.ID, to,
				formatBytes(out.Bytes), out.Snapshot.UTC().Format("2006-01-02 15:04:05Z"), formatDuration(rep.Duration))
			writeBroken(p.Stdout, out.ID, out.Broken)
			return nil
		},
	}
	f := cmd.Flags()
	backupsFlag(f, &from, "from", "the folder of the backups")
	f.StringVar(&name, "name", "latest", "the backup, as \"lido backup list\" names it")
	f.StringVar(&to, "to", "", "the file to restore to")
	f.StringVar(&opt.Database, "database", "", "refuse a backup of any database but this one, by name or id")
	f.BoolVar(&opt.WithoutPageChecksums, "without-page-checksums", false, "restore although the file of page checksums is damaged")
	f.BoolVar(&opt.Overwrite, "overwrite", false, "replace the database at --to, which no program may have open")
	f.BoolVar(&opt.Fallback, "fallback", false, "take the newest sound backup where newer ones are damaged")
	f.BoolVar(&opt.InPlace, "in-place", false, "with --overwrite: copy into the file at --to, which keeps its place; for one that is a mount point")
	f.StringVar(&opt.ScratchDir, "scratch", "", "with --in-place: the folder for the copy that is proved (default: beside --to)")
	f.BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}
