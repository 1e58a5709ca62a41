package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lidodb/lido/sqlite"
)

// Exit statuses, the same for every command.
const (
	// ExitOK: it was done, or the answer is good.
	ExitOK = 0
	// ExitNo: the answer is no. A backup is damaged, doctor found something
	// broken, a query is refused, a migration is pending.
	ExitNo = 1
	// ExitUsage: the command line is wrong. Nothing was tried.
	ExitUsage = 2
	// ExitFailed: it could not be done, or nobody can say.
	ExitFailed = 3
)

// Program is what a process gives the command.
type Program struct {
	Args           []string
	Stdout, Stderr io.Writer
	// SQLC is sqlc's own command line, in a build that contains it.
	SQLC func(args []string) int
}

const long = `lido looks after a SQLite database and the typed Go code that runs on it.

Exit status:
  0  it was done, or the answer is good
  1  the answer is no: doctor found something broken, a backup is damaged,
     a query was refused, a migration is pending
  2  the command line is wrong, nothing was tried
  3  it could not be done`

// Run runs one command line. When ctx ends, the command stops where that is
// safe and fails.
func Run(ctx context.Context, p Program) int {
	root := &cobra.Command{
		Use:               "lido",
		Short:             "Look after a SQLite database and its typed Go code",
		Long:              long,
		Args:              cobra.ArbitraryArgs,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE:              needCommand,
		Version:           builtFrom(p).Lido,
	}
	root.SetVersionTemplate("lido {{.Version}}, SQLite " + sqlite.Version() + "\n")
	root.AddCommand(
		initCommand(p), generateCommand(p), sqlcCommand(p),
		migrateCommand(p),
		backupCommand(p), restoreCommand(p),
		doctorCommand(p), versionCommand(p),
	)
	root.SetHelpCommand(helpCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usagef("%s", conversion.ReplaceAllString(err.Error(), ""))
	})
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)

	cmd, err := root.ExecuteContextC(ctx)
	return report(p.Stderr, cmd, err)
}

// conversion is what the standard library adds to the error of a flag's value.
var conversion = regexp.MustCompile(`strconv\.\w+: parsing .*: `)

// helpCommand is cobra's, but for a command that is not there, for which that
// shows the help of the group and succeeds.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Say how a command is used",
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("there is no command %q%s", strings.Join(args, " "), suggestion(cmd.Root(), args[len(args)-1]))
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

// report writes err for a person and returns the exit status it stands for.
func report(w io.Writer, cmd *cobra.Command, err error) int {
	var (
		usage  usageError
		no     noError
		status statusError
	)
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &usage):
		fmt.Fprintf(w, "%s: %v\nRun \"%s --help\" for how it is used.\n", cmd.CommandPath(), err, cmd.CommandPath())
		return ExitUsage
	case errors.As(err, &no):
		if no.err != nil {
			fmt.Fprintf(w, "%s: %s\n", cmd.CommandPath(), commandWords(no.err.Error()))
		}
		return ExitNo
	}
	fmt.Fprintf(w, "%s: %s\n", cmd.CommandPath(), commandWords(err.Error()))
	return ExitFailed
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// noError is the answer no. Without an error inside, all has been said.
type noError struct{ err error }

func (e noError) Error() string {
	if e.err == nil {
		return "the answer is no"
	}
	return e.err.Error()
}

func (e noError) Unwrap() error { return e.err }

// statusError ends the command with the status of another program that has
// said why itself.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("what is %q? It takes no arguments", args[0])
	}
	return nil
}

// needCommand is what a group of commands does when none is named.
func needCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("there is no command %q%s", args[0], suggestion(cmd, args[0]))
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			names = append(names, c.Name())
		}
	}
	return usagef("name one of: %s", strings.Join(names, ", "))
}

// suggestion names the commands that a misspelt one may stand for, of this
// group and, with its group, of another.
func suggestion(cmd *cobra.Command, name string) string {
	root := cmd.Root()
	var paths []string
	for _, group := range append([]*cobra.Command{cmd, root}, root.Commands()...) {
		group.SuggestionsMinimumDistance = 2
		for _, s := range group.SuggestionsFor(name) {
			if path := group.CommandPath() + " " + s; !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
		if group == cmd && len(paths) > 0 {
			break
		}
	}
	if len(paths) == 0 {
		return ""
	}
	return `; did you mean "` + strings.Join(paths, `" or "`) + `"?`
}

// need reports flags that must not be empty.
func need(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if cmd.Flag(name).Value.String() == "" {
			return usagef("--%s is missing: %s", name, cmd.Flag(name).Usage)
		}
	}
	return nil
}
