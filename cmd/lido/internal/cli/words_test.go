package cli_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lidodb/lido/cmd/lido/internal/cli"
)

// goName is an option of a package, in an error or a remedy.
var goName = regexp.MustCompile(`\b(Config|Options|Limits|[A-Z][a-z]+Options)\.[A-Z]|\bWith[A-Z]\w+|\bset [A-Z][a-z]\w+|pool.Config|Schedules|restart the program and`)

// unreached are texts with names of options that no command can bring about,
// with the reason.
var unreached = []string{
	"Config.Store is nil", "Config.Jitter", "Config.MigrationTable", "Config.StepPages", // commands do not set these
	"backup: Config.%w", "backup: Config.%s", // commands check such flags themselves
	"set Config.ScratchDir",                             // a database in memory
	"Limits.MaxBytes",                                   // by default 1 TiB
	"health: Config.",                                   // commands set none of the fields that are checked there
	"opened with Config.ReadOnly",                       // commands do not write through such a pool
	"Config.Exclusive",                                  // names what another program has set
	"Config.BeforeClose",                                // commands have none
	"Config.ReadOnly is set", "Config.MustExist is set", // a database in memory
	"Config.IteratorLifetime", "Config.InterruptPinnedReaders", // commands hold no iterators
	"(pool.Config, sqlite.Options)",         // commands open without a limit of their own
	"set Config.ReadOnly to read beside it", // a command opens a file once
	"allow it with WithOutOfOrder",          // an OutOfOrderError, which migration.explain words
	"WithSynchronous:",                      // commands do not set it
}

// TestErrors_nameFlagsAndNotOptions reads every text in the packages below the
// command that names an option of Go. Each must be put into the words of the
// command line, or be one that no command can bring about.
func TestErrors_nameFlagsAndNotOptions(t *testing.T) {
	var texts []string
	for _, folder := range []string{"backup", "health", "migrate", "pool", "sqlite"} {
		names, err := filepath.Glob(filepath.Join("../../../..", folder, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", folder, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if text, err := strconv.Unquote(lit.Value); err == nil {
						texts = append(texts, text)
					}
				}
				return true
			})
		}
	}
	for _, text := range texts {
		said := cli.CommandWords(text)
		if goName.MatchString(said) && !slices.ContainsFunc(unreached, func(part string) bool { return strings.Contains(text, part) }) {
			t.Errorf("a user of the command line would read: %s\nput it into flagWords, or say in unreached why no command can bring it about", said)
		}
	}
	all := strings.Join(texts, "\n")
	for _, pair := range cli.FlagWords {
		if !strings.Contains(all, pair[0]) {
			t.Errorf("no package says %q", pair[0])
		}
	}
}

func TestErrors_dropTheOptionBesideItsFlag(t *testing.T) {
	const text, want = "give it another name (Config.Name, --name)", "give it another name (--name)"
	if got := cli.CommandWords(text); got != want {
		t.Errorf("%q became %q, want %q", text, got, want)
	}
}
