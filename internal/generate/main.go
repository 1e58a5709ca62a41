// Command generate writes gen/ anew: it builds the plugin and, the first time,
// sqlc itself into bin/, and runs sqlc on sqlc.yaml. Both come from go.mod.
// It runs in the folder of sqlc.yaml; arguments go to sqlc in place of
// "generate" ("diff" shows what would change).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	sqlcModule  = "github.com/sqlc-dev/sqlc"
	pluginMain  = "./cmd/sqlc-gen-lido"
	binFolder   = "bin"
	firstNotice = "building sqlc %s into %s; the first time this takes three to five minutes\n"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "generate: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		args = []string{"generate"}
	}
	if _, err := os.Stat("sqlc.yaml"); err != nil {
		return fmt.Errorf("run it where sqlc.yaml lies: %w", err)
	}
	if err := command("go", "build", "-o", binary("sqlc-gen-lido"), pluginMain); err != nil {
		return err
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", sqlcModule).Output()
	if err != nil {
		return fmt.Errorf("which version of %s does go.mod require: %w", sqlcModule, err)
	}
	version := strings.TrimSpace(string(out))
	sqlc := binary("sqlc-" + version)
	if _, err := os.Stat(sqlc); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(os.Stderr, firstNotice, version, sqlc)
		if err := command("go", "build", "-o", sqlc, sqlcModule+"/cmd/sqlc"); err != nil {
			return err
		}
	}
	return command("."+string(filepath.Separator)+sqlc, args...)
}

func binary(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(binFolder, name)
}

// command runs without cgo: with it, sqlc would want a C compiler.
func command(name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}
