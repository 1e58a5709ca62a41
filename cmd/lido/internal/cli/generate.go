package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

const (
	commandPackage = modulePath + "/cmd/lido"
	sqlcPackage    = "github.com/sqlc-dev/sqlc/pkg/cli"
	sqlcTag        = "sqlc"
	pluginName     = "sqlc-gen-lido"
)

// configNames are the names under which sqlc looks for its configuration.
var configNames = []string{"sqlc.yaml", "sqlc.yml", "sqlc.json"}

func generateCommand(p Program) *cobra.Command {
	var file, status string
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Write the typed Go code of the queries",
		Long: `Runs sqlc on sqlc.yaml, which is looked for here and in the folders above, up
to the module's, with Lido's generator as its plugin. Both come with this
program: the plugin's cmd in sqlc.yaml is not looked up. A build of lido without
sqlc first builds one with it, from the versions in go.mod; the first time that
takes minutes. The exit status is 1 if a query or the configuration is refused.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := findConfig(file)
			if err == nil {
				err = generate(cmd.Context(), p, path)
			}
			if status != "" {
				code := report(p.Stderr, cmd, err)
				return os.WriteFile(status, []byte(strconv.Itoa(code)), 0o600)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the configuration (default: sqlc.yaml, here or above)")
	cmd.Flags().StringVar(&status, "status-file", "", "write the exit status there and exit with 0")
	cmd.Flags().Lookup("status-file").Hidden = true
	return cmd
}

// sqlcCommand is sqlc's own command line. "lido generate" starts it as
// a process of its own, because sqlc ends the process when it fails.
func sqlcCommand(p Program) *cobra.Command {
	return &cobra.Command{
		Use:                "sqlc",
		Short:              "Run the sqlc that is built into this program",
		Hidden:             p.SQLC == nil,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if p.SQLC == nil {
				return usagef("this build is without sqlc; build with -tags %s", sqlcTag)
			}
			if code := p.SQLC(args); code != 0 {
				return statusError(code)
			}
			return nil
		},
	}
}

// findConfig returns the configuration to use, by its absolute path.
func findConfig(file string) (string, error) {
	if file != "" {
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return "", fmt.Errorf("configuration: %w; check --file", err)
		case info.IsDir():
			return "", fmt.Errorf("%s is a folder; --file names the configuration in it", file)
		}
		return filepath.Abs(file)
	}
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; {
		for _, name := range configNames {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
		parent := filepath.Dir(dir)
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || parent == dir {
			return "", fmt.Errorf("there is no %s in %s or above; \"lido init\" writes one", configNames[0], start)
		}
		dir = parent
	}
}

func generate(ctx context.Context, p Program, config string) error {
	conf, err := readConfig(config)
	if err != nil {
		return noError{err}
	}
	if p.SQLC == nil {
		return generateElsewhere(ctx, p, config)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("where is this program: %w", err)
	}
	temp, err := conf.withPlugin(self)
	if err != nil {
		return err
	}
	defer os.Remove(temp)

	cmd := exec.CommandContext(ctx, self, "sqlc", "generate", "--file", temp)
	// sqlc and the plugin resolve paths against the folder they run in.
	cmd.Dir = filepath.Dir(config)
	cmd.Stdout = p.Stdout
	said := &messages{w: p.Stderr, dir: cmd.Dir, from: filepath.Base(temp), to: filepath.Base(config)}
	cmd.Stderr = said
	err = cmd.Run()
	if e := said.flush(); e != nil {
		return e
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		return noError{errors.New("nothing was written")}
	case err != nil:
		return fmt.Errorf("run sqlc: %w", err)
	}
	return conf.printReports(p.Stdout)
}

// generateElsewhere builds lido with sqlc in it, from the versions that the
// module of the configuration requires, and lets that do the work.
func generateElsewhere(ctx context.Context, p Program, config string) error {
	dir := filepath.Dir(config)
	stale, err := goCommand(ctx, dir, "list", "-tags", sqlcTag, "-f", "{{.Stale}}", sqlcPackage).Output()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w; sqlc is built with it: install Go, or put it into PATH", err)
	}
	if err != nil {
		return fmt.Errorf("is sqlc among the module's requirements: %w%s\nRun \"lido init --from-sqlc\" beside sqlc.yaml, which requires Lido in go.mod (with --replace=FOLDER for a clone of it). If go.mod does so already, run \"go mod tidy\"",
			err, stderrOf(err))
	}
	if strings.TrimSpace(string(stale)) == "true" {
		fmt.Fprintln(p.Stderr, "lido: building sqlc; the first time this takes three to five minutes")
	}
	// "go run" keeps the program in the build cache, and would end with 1
	// whatever the program ends with.
	temp, err := os.MkdirTemp("", "lido-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	status := filepath.Join(temp, "status")
	run := goCommand(ctx, dir, "run", "-tags", sqlcTag, commandPackage, "generate", "--file", config, "--status-file", status)
	run.Stdout, run.Stderr = p.Stdout, p.Stderr
	if err := run.Run(); err != nil {
		return fmt.Errorf("build %s with sqlc: %w", commandPackage, err)
	}
	text, err := os.ReadFile(status)
	if err != nil {
		return err
	}
	code, err := strconv.Atoi(string(text))
	if err != nil || code != ExitOK {
		return errors.Join(err, statusError(code))
	}
	return nil
}

// goCommand runs without cgo: with it, sqlc compiles a parser written in C.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd
}

// stderrOf returns what a command that failed has said.
func stderrOf(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return ": " + strings.TrimSpace(string(exit.Stderr))
	}
	return ""
}

// fileExists reports whether something has that name.
func fileExists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
