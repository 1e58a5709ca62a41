package gentest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Module is a Go module in a folder of its own that uses this one.
type Module struct {
	Dir  string
	Path string
}

// modulePath lies below the code generator's, so that what is generated and
// tested may use what the tests keep in internal packages.
const modulePath = "github.com/lidodb/lido/internal/codegen/generated"

// NewModule makes dir a module that requires what Lido requires, and Lido
// itself as it stands. Packages of other modules that generated code imports
// are given as source, by import path.
func NewModule(dir string, others map[string]string) (*Module, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return nil, err
	}
	_, rest, ok := strings.Cut(string(mod), "\n")
	if !ok {
		return nil, errors.New("go.mod is a single line")
	}
	text := "module " + modulePath + "\n" + rest + "\nrequire github.com/lidodb/lido v0.0.0\nreplace github.com/lidodb/lido => " + root + "\n"
	for path, source := range others {
		at := filepath.Join("other", filepath.FromSlash(path))
		text += fmt.Sprintf("require %s v0.0.0\nreplace %s => ./%s\n", path, path, filepath.ToSlash(at))
		if err := WriteFiles(filepath.Join(dir, at), map[string]string{"go.mod": "module " + path + "\n", "other.go": source}); err != nil {
			return nil, err
		}
	}
	m := &Module{Dir: dir, Path: modulePath}
	return m, WriteFiles(dir, map[string]string{"go.mod": text, "go.sum": string(sum)})
}

// WriteFiles writes files below dir, by slash-separated path.
func WriteFiles(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Run runs the go command in the module and returns what it printed.
func (m *Module) Run(args ...string) (string, error) { return output(m.Dir, "go", args...) }

// Cost is what running a program took. CPU counts all its processes, and other
// programs on the machine do not matter to it.
type Cost struct{ Wall, CPU time.Duration }

// Measure is Run with its cost.
func (m *Module) Measure(args ...string) (Cost, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = m.Dir
	cmd.Env = environment()
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return Cost{}, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return Cost{time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// Packages are compiled packages, read back from what the compiler wrote.
type Packages struct {
	errors map[string]string // what the compiler said, by import path
	gc     types.Importer
}

// Compile compiles every package of the module, all at once.
func (m *Module) Compile(ctx context.Context) (*Packages, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-export", "-deps", "-json=ImportPath,Export,Error", "./...")
	cmd.Dir = m.Dir
	cmd.Env = environment()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Packages{errors: map[string]string{}}
	exports := map[string]string{}
	var readErr error
	for dec := json.NewDecoder(pipe); ; {
		var pkg struct {
			ImportPath, Export string
			Error              *struct{ Err string }
		}
		if readErr = dec.Decode(&pkg); readErr != nil {
			break
		}
		exports[pkg.ImportPath] = pkg.Export
		if pkg.Error != nil {
			p.errors[pkg.ImportPath] = pkg.Error.Err
		}
	}
	if err := cmd.Wait(); err != nil || !errors.Is(readErr, io.EOF) {
		return nil, fmt.Errorf("go list: %w\n%s", errors.Join(err, readErr), complaints.String())
	}
	p.gc = importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("%s was not compiled", path)
		}
		return os.Open(exports[path])
	})
	return p, nil
}

// Import returns a package, or what the compiler said about it.
func (p *Packages) Import(path string) (*types.Package, error) {
	if msg := p.errors[path]; msg != "" {
		return nil, errors.New(strings.TrimSpace(msg))
	}
	return p.gc.Import(path)
}
