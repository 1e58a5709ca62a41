package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Import paths of the packages that take the places of drivers.
const (
	ownDriver   = "github.com/lidodb/lido/suites/sqlite"
	stockDriver = "github.com/lidodb/lido/suites/stock"
)

// drivers are the import paths that are replaced, with the names of their
// packages. The last two are of other engines and not every proxy has them;
// the tests that need them are not started.
var drivers = map[string]string{
	"modernc.org/sqlite":            "sqlite",
	"github.com/mattn/go-sqlite3":   "sqlite3",
	"github.com/glebarez/go-sqlite": "sqlite",
	"turso.tech/database/tursogo":   "turso",
	"gitee.com/travelliu/dm":        "dm",
}

// prepare copies the suite into the scratch folder and returns where the module
// with the tests now lies.
func (s suite) prepare(ctx context.Context, opt options, from origin) (string, error) {
	to := filepath.Join(opt.scratch, s.name)
	if opt.baseline {
		to += "-stock"
	}
	if err := os.RemoveAll(to); err != nil {
		return "", err
	}
	if err := copyTree(to, from.root); err != nil {
		return "", err
	}
	inside, err := filepath.Rel(from.root, from.dir)
	if err != nil {
		return "", err
	}
	replaced, err := replaceDrivers(to, opt.baseline)
	if err == nil && replaced == 0 && !opt.baseline {
		err = errors.New("no file imports a driver: the tests would not run on Lido")
	}
	if err != nil {
		return "", err
	}
	dir := filepath.Join(to, inside)
	return dir, requireLido(ctx, dir, opt.repo, s.pins)
}

// copyTree copies files and folders so that they can be written to, unlike
// those of the module cache.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, info.Mode().Perm()|0o200)
	})
}

// replaceDrivers changes the imports of drivers in every Go file under dir, and
// returns in how many there were some.
func replaceDrivers(dir string, baseline bool) (files int, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		changed, err := replaceImports(text, baseline)
		if err != nil || bytes.Equal(changed, text) {
			return err
		}
		files++
		return os.WriteFile(path, changed, 0o644)
	})
	return files, err
}

// replaceImports returns a Go file with the imports of drivers replaced. What
// does not parse is left as it is: it may be there to fail.
func replaceImports(text []byte, baseline bool) ([]byte, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", text, parser.ImportsOnly)
	if err != nil {
		return text, nil
	}
	out := bytes.Clone(text)
	for i := len(file.Imports) - 1; i >= 0; i-- {
		spec := file.Imports[i]
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		name, known := drivers[path]
		if !known || baseline && path == "modernc.org/sqlite" {
			continue
		}
		with := strconv.Quote(ownDriver)
		switch {
		case baseline:
			with = strconv.Quote(stockDriver)
		case spec.Name == nil && name != "sqlite":
			with = name + " " + with
		}
		begin, end := files.Position(spec.Path.Pos()).Offset, files.Position(spec.Path.End()).Offset
		out = append(out[:begin], append([]byte(with), out[end:]...)...)
	}
	return out, nil
}

// requireLido makes Lido, as it lies in repo, a dependency of the module in dir.
func requireLido(ctx context.Context, dir, repo string, pins []string) error {
	const lido = "github.com/lidodb/lido"
	args := []string{
		"mod", "edit",
		"-require=" + lido + "@v0.0.0", "-replace=" + lido + "=" + repo,
		"-require=" + lido + "/suites@v0.0.0", "-replace=" + lido + "/suites=" + filepath.Join(repo, "suites"),
	}
	for path := range drivers {
		if path != "modernc.org/sqlite" {
			args = append(args, "-droprequire="+path)
		}
	}
	for _, pin := range pins {
		module, _, _ := strings.Cut(pin, "@")
		args = append(args, "-replace="+module+"="+pin)
	}
	if out, err := goCommand(ctx, dir, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go mod edit: %w: %s", err, out)
	}
	sums, err := os.OpenFile(filepath.Join(dir, "go.sum"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for _, name := range []string{"go.sum", "suites/go.sum"} {
		text, err := os.ReadFile(filepath.Join(repo, name))
		if err == nil {
			_, err = sums.Write(append([]byte("\n"), text...))
		}
		if err != nil {
			return errors.Join(err, sums.Close())
		}
	}
	return sums.Close()
}

// goCommand is a go command that works on the module in dir alone.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "CGO_ENABLED=0", "GOTOOLCHAIN=local")
	return cmd
}
