package cli

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// template is what "lido init" lays. Go files end in .tmpl there, so that they
// are no packages of this module, and so do files that tools would heed here.
//
//go:embed all:template
var template embed.FS

// Marks in the template, for names that only the target folder gives.
const (
	moduleMark  = "LIDO_MODULE"  // the import path of the folder
	packageMark = "LIDO_PACKAGE" // the folder, as the go command names it from that of go.mod
	nameMark    = "LIDO_NAME"    // the file that "go build" writes
)

// keptNames are files that a project may well have already. They stay as they
// are then; the rest of the template works without them.
var keptNames = []string{".gitignore", ".dockerignore", "Dockerfile"}

// initialize holds the flags of "lido init".
type initialize struct {
	Program
	replace  string
	version  string
	noTidy   bool
	fromSQLC bool
	dryRun   bool
}

func initCommand(p Program) *cobra.Command {
	i := &initialize{Program: p}
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Lay a data layer into a module, or move one over from sqlc",
		Long: `Lays sqlc.yaml, a migration, a query file, a small service with backups and
health checks, and its test into DIR, which lies in a Go module; requires Lido
in go.mod and runs "go mod tidy". Nothing is overwritten: if a file is there
already, nothing is written at all.

With --from-sqlc it changes an existing sqlc.yaml or sqlc.json in DIR instead:
the gen: block of each SQLite entry becomes a codegen: block for Lido, with the
same options, and go.mod requires Lido. Every other line stays as it is, and the
difference is printed.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("name one folder")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if i.fromSQLC {
				return i.convert(cmd.Context(), dir)
			}
			if i.dryRun {
				return usagef("--dry-run belongs to --from-sqlc")
			}
			return i.lay(cmd.Context(), dir)
		},
	}
	f := cmd.Flags()
	f.StringVar(&i.replace, "replace", "", "a folder with Lido's source, which go.mod is to use instead of a version")
	f.StringVar(&i.version, "lido-version", "", "the version of Lido to require (default: this program's)")
	f.BoolVar(&i.noTidy, "no-tidy", false, "leave \"go mod tidy\" to you")
	f.BoolVar(&i.fromSQLC, "from-sqlc", false, "change an existing sqlc.yaml or sqlc.json for Lido")
	f.BoolVar(&i.dryRun, "dry-run", false, "with --from-sqlc: print the difference and change nothing")
	return cmd
}

// file is one that init lays.
type file struct {
	path string // as it is printed
	data []byte
}

func (f file) mayStay() bool { return slices.Contains(keptNames, filepath.Base(f.path)) }

func (i *initialize) lay(ctx context.Context, dir string) error {
	root, modPath, err := findModule(dir)
	if err != nil {
		return err
	}
	edits, err := i.requirement(root)
	if err != nil {
		return err
	}
	files, err := templateFiles(dir, root, modPath)
	if err != nil {
		return err
	}
	if err := refuseExisting(dir, files); err != nil {
		return err
	}
	for _, f := range files {
		if f.mayStay() && fileExists(f.path) {
			fmt.Fprintln(i.Stdout, f.path, "(kept as it is)")
			continue
		}
		if err := writeNew(f); err != nil {
			return err
		}
		fmt.Fprintln(i.Stdout, f.path)
	}
	if err := editModule(ctx, requirement{root, edits}); err != nil {
		return err
	}
	here := fromHere(root)
	fmt.Fprintln(i.Stdout, filepath.Join(here, "go.mod"), "(changed)")
	if !i.noTidy {
		if err := i.tidy(ctx, root); err != nil {
			return err
		}
	}
	fmt.Fprint(i.Stdout, i.next(here, root, dir))
	return nil
}

// editModule changes go.mod.
func editModule(ctx context.Context, r requirement) error {
	edit := exec.CommandContext(ctx, "go", append([]string{"mod", "edit"}, r.edits...)...)
	edit.Dir = r.root
	if out, err := edit.CombinedOutput(); err != nil {
		return fmt.Errorf("go mod edit: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// next says what to do after the files have been laid into dir.
func (i *initialize) next(here, root, dir string) string {
	text := "\nNext:\n"
	if here != "." {
		text += "  cd " + here + "\n"
	}
	if i.noTidy {
		text += "  go mod tidy\n"
	}
	text += "  go generate ./...   (builds sqlc; three to five minutes the first time)\n  go test ./...\n"
	return text + "  go run " + packageOf(root, dir) + "\n"
}

// packageOf names the package in dir to a go command that runs in root.
func packageOf(root, dir string) string {
	if sub, err := filepath.Rel(root, absolute(dir)); err == nil && sub != "." {
		return "./" + filepath.ToSlash(sub)
	}
	return "."
}

// fromHere writes a path the way somebody in this folder would.
func fromHere(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

func (i *initialize) tidy(ctx context.Context, root string) error {
	fmt.Fprintln(i.Stderr, "lido: go mod tidy, which may download modules")
	cmd := exec.CommandContext(ctx, "go", "mod", "tidy")
	cmd.Dir = root
	cmd.Stdout, cmd.Stderr = i.Stderr, i.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the files are laid, but go mod tidy failed: %w; run it in %s", err, root)
	}
	return nil
}

// requirement returns the arguments for "go mod edit".
func (i *initialize) requirement(root string) ([]string, error) {
	edits := []string{"-tool=" + commandPackage}
	if i.replace != "" {
		if name, err := moduleName(i.replace); err != nil || name != modulePath {
			return nil, fmt.Errorf("%s is not the source of %s; --replace names the folder with its go.mod", i.replace, modulePath)
		}
		target, err := filepath.Rel(root, absolute(i.replace))
		if err != nil { // on another volume
			target = absolute(i.replace)
		} else if !strings.HasPrefix(target, "..") {
			target = "." + string(filepath.Separator) + target
		}
		target = filepath.ToSlash(target)
		return append(edits, "-require="+modulePath+"@v0.0.0", "-replace="+modulePath+"="+target), nil
	}
	version := i.version
	if version == "" {
		version = ownVersion()
	}
	if version == "" {
		return nil, usagef("this program was built from a work tree and has no version to require; give --replace=PATH to that tree, or --lido-version")
	}
	return append(edits, "-require="+modulePath+"@"+version), nil
}

// ownVersion is the version of Lido that this program was built from, or empty
// for a build from a work tree.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == modulePath && m.Replace == nil && strings.HasPrefix(m.Version, "v") && !strings.Contains(m.Version, "+dirty") {
			return m.Version
		}
	}
	return ""
}

// errNoModule is what findModule says of a folder without a go.mod, or below one.
var errNoModule = errors.New("is not in a Go module")

// findModule returns the folder of the module that dir is in, and its path.
func findModule(dir string) (root, modPath string, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", "", fmt.Errorf("%w; make the folder first", err)
	}
	if !info.IsDir() {
		return "", "", fmt.Errorf("%s is not a folder", dir)
	}
	for root = absolute(dir); ; {
		if fileExists(filepath.Join(root, "go.mod")) {
			modPath, err = moduleName(root)
			return root, modPath, err
		}
		parent := filepath.Dir(root)
		if parent == root {
			return "", "", fmt.Errorf("%s %w; run \"go mod init example.com/yours\" in it first", dir, errNoModule)
		}
		root = parent
	}
}

// goMod holds the parts of a go.mod that init reads.
type goMod struct {
	Module        struct{ Path string }
	Require, Tool []struct{ Path string }
}

// readModule reads the go.mod in dir.
func readModule(dir string) (mod goMod, err error) {
	name := filepath.Join(dir, "go.mod")
	out, err := exec.Command("go", "mod", "edit", "-json", name).Output()
	if err != nil {
		return mod, fmt.Errorf("read %s: %w%s", name, err, stderrOf(err))
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return mod, fmt.Errorf("read %s: %w", name, err)
	}
	if mod.Module.Path == "" {
		return mod, fmt.Errorf("%s names no module", name)
	}
	return mod, nil
}

// moduleName returns the path of the module whose go.mod lies in dir.
func moduleName(dir string) (string, error) {
	mod, err := readModule(dir)
	return mod.Module.Path, err
}

// requiresTool reports whether the go.mod in dir has this program as a tool.
// Lido's own needs no requirement.
func requiresTool(dir string) (bool, error) {
	mod, err := readModule(dir)
	if err != nil || mod.Module.Path == modulePath {
		return err == nil, err
	}
	named := func(path string) func(struct{ Path string }) bool {
		return func(e struct{ Path string }) bool { return e.Path == path }
	}
	return slices.ContainsFunc(mod.Tool, named(commandPackage)) && slices.ContainsFunc(mod.Require, named(modulePath)), nil
}

// templateFiles returns what is to be laid into dir.
func templateFiles(dir, root, modPath string) ([]file, error) {
	rel, err := filepath.Rel(root, absolute(dir))
	if err != nil {
		return nil, err
	}
	importPath := path.Join(modPath, filepath.ToSlash(rel))
	marks := strings.NewReplacer(moduleMark, importPath, packageMark, packageOf(root, dir), nameMark, path.Base(importPath))
	var files []file
	err = fs.WalkDir(template, "template", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := template.ReadFile(name)
		if err != nil {
			return err
		}
		target := strings.TrimSuffix(strings.TrimPrefix(name, "template/"), ".tmpl")
		files = append(files, file{
			path: filepath.Join(dir, filepath.FromSlash(target)),
			data: []byte(marks.Replace(string(data))),
		})
		return nil
	})
	return files, err
}

// refuseExisting looks at everything that could be in the way before anything
// is written.
func refuseExisting(dir string, files []file) error {
	var taken []string
	for _, f := range files {
		if fileExists(f.path) && !f.mayStay() {
			taken = append(taken, f.path)
		}
	}
	if len(taken) > 0 {
		return fmt.Errorf("nothing was written, because these are there already: %s\nMove them away, or give another folder", strings.Join(taken, ", "))
	}
	for _, sub := range []string{"", "gen", "schema"} {
		want := sub
		if want == "" {
			want = "main"
		}
		names, err := filepath.Glob(filepath.Join(dir, sub, "*.go"))
		if err != nil {
			return err
		}
		for _, name := range names {
			parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly)
			if err != nil || strings.HasSuffix(name, "_test.go") {
				continue
			}
			if parsed.Name.Name != want {
				return fmt.Errorf("nothing was written: %s is of package %s, and package %s would go beside it; give another folder", name, parsed.Name.Name, want)
			}
		}
	}
	// What is there already would become part of the schema or of the queries.
	for _, sub := range []string{"schema", "queries"} {
		names, err := filepath.Glob(filepath.Join(dir, sub, "*.sql"))
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return fmt.Errorf("nothing was written: %s holds %s already; \"lido init --from-sqlc\" takes over a project of sqlc", filepath.Join(dir, sub), filepath.Base(slices.Min(names)))
		}
	}
	return nil
}

// writeNew never writes to a file that has come up meanwhile.
func writeNew(f file) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o777); err != nil {
		return err
	}
	w, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = w.Write(f.data)
	return errors.Join(err, w.Close())
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
