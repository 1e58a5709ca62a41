// Package app is the ledger's command line.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/gen"
	"github.com/lidodb/lido/migrate"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/schema"
	"github.com/lidodb/lido/sqlite"
)

// closeTimeout is how long a command waits for the database to close.
const closeTimeout = 20 * time.Second

// Run runs one command and returns the exit code of the program: 0 when it
// did what was asked, 1 when it did not, 2 when it was asked wrongly.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "ledger:", err)
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(stderr, "Run 'ledger --help' to see how it is used.")
		return 2
	}
	return 1
}

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// options are the flags that commands share.
type options struct {
	data           string
	stdout, stderr io.Writer
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	opt := &options{stdout: stdout, stderr: stderr}
	root := &cobra.Command{
		Use:           "ledger",
		Short:         "Double-entry bookkeeping on one SQLite file",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.PersistentFlags().StringVar(&opt.data, "data", "ledger-data", "folder that holds ledger.db and the backups")
	root.AddCommand(newServe(opt), newImport(opt), newBalance(opt), newRegister(opt), newCheck(opt), newVersion(opt))
	return root
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{fmt.Errorf("unknown command or argument %q", args[0])}
	}
	return nil
}

// exactly asks for one argument for each name.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return &usageError{fmt.Errorf("want %d arguments %v, got %d", len(names), names, len(args))}
		}
		return nil
	}
}

func (o *options) path() string { return filepath.Join(o.data, "ledger.db") }

// withBook runs fn on the books in the data folder, which must exist.
func (o *options) withBook(ctx context.Context, fn func(ctx context.Context, books *book.Book) error) error {
	return o.open(ctx, pool.Config{MustExist: true, Prepare: mustBeMigrated}, fn)
}

func (o *options) open(ctx context.Context, cfg pool.Config, fn func(ctx context.Context, books *book.Book) error) (err error) {
	cfg.Synchronous = pool.SynchronousFull
	db, err := pool.Open(ctx, o.path(), cfg)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there are no books in %s; name their folder with --data, or begin some with: ledger serve --data %s", o.data, o.data)
	}
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, db.Close(closing))
	}()
	return fn(ctx, book.New(gen.NewStore(db)))
}

// mustBeMigrated refuses books of another version: a command that only looks
// at them does not change them.
func mustBeMigrated(ctx context.Context, db *pool.DB) error {
	current, wanted, err := migrations(ctx, db)
	if err == nil && current != wanted {
		return fmt.Errorf("the books are at version %d, this program needs %d; run: ledger serve", current, wanted)
	}
	return err
}

// migrations returns the version the books are at and the one they should be.
func migrations(ctx context.Context, db *pool.DB) (current, wanted int64, err error) {
	m, err := migrate.New(db, schema.FS)
	if err != nil {
		return 0, 0, err
	}
	status, err := m.Status(ctx)
	return status.Database, status.Program, err
}

func newVersion(opt *options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the program and of its SQLite",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			version, rev := "(devel)", ""
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						rev = " " + s.Value
					}
				}
			}
			_, err := fmt.Fprintf(opt.stdout, "ledger %s%s, SQLite %s\n", version, rev, sqlite.Version())
			return err
		},
	}
}
