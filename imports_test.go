package lido_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lidodb/lido"

// goList returns what "go list" prints, a line each.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Fatalf("go list %v: %s", args, e.Stderr)
		}
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// imports are the packages of this module and of others that a package
// imports itself, tests aside.
func imports(t *testing.T, pkg string) []string {
	all := goList(t, "-f", `{{join .Imports "\n"}}`, pkg)
	return slices.DeleteFunc(all, func(path string) bool {
		first, _, _ := strings.Cut(path, "/")
		return !strings.Contains(first, ".") // the standard library
	})
}

// TestImportsPointDown holds the layers: each package may import what its line
// allows, and nothing else outside the standard library.
func TestImportsPointDown(t *testing.T) {
	for pkg, allowed := range map[string][]string{
		"":                     {module + "/internal/seal"},
		"/internal/seal":       {},
		"/internal/convert":    {module},
		"/internal/ended":      {},
		"/internal/seeded":     {},
		"/internal/callers":    {},
		"/internal/inuse":      {},
		"/internal/seam":       {},
		"/internal/walfile":    {},
		"/internal/fuse":       {},
		"/internal/vfs":        {"modernc.org/sqlite/lib", "modernc.org/libc"},
		"/internal/faultvfs":   {module + "/internal/seam", module + "/internal/vfs", "modernc.org/sqlite/lib", "modernc.org/libc"},
		"/gen":                 {module},
		"/internal/memvfs":     {module + "/internal/vfs", "modernc.org/sqlite/lib", "modernc.org/libc"},
		"/sqlite":              {module, module + "/internal/callers", module + "/internal/convert", module + "/internal/ended", module + "/internal/inuse", module + "/internal/memvfs", module + "/internal/seam", module + "/internal/seeded", "modernc.org/sqlite/lib", "modernc.org/libc"},
		"/pool":                {module, module + "/sqlite", module + "/internal/callers", module + "/internal/convert", module + "/internal/ended", module + "/internal/fuse", module + "/internal/inuse", module + "/internal/memvfs", module + "/internal/seal", module + "/internal/seam", module + "/internal/seeded", module + "/internal/walfile", "github.com/jackc/puddle/v2", module + "/internal/foreignkey"},
		"/pool/slogtrace":      {module, module + "/pool", module + "/sqlite"},
		"/stdlib":              {module, module + "/sqlite", module + "/pool", module + "/internal/convert", module + "/internal/foreignkey"},
		"/migrate":             {module, module + "/sqlite", module + "/pool", module + "/stdlib", "github.com/pressly/goose/v3", "github.com/pressly/goose/v3/database", "golang.org/x/sys/unix", "golang.org/x/sys/windows"},
		"/schema":              {module + "/pool", module + "/migrate"},
		"/backup":              {module, module + "/sqlite", module + "/pool", "github.com/klauspost/compress/zstd", "golang.org/x/sys/unix", "golang.org/x/sys/windows", module + "/internal/constraint", module + "/internal/foreignkey"},
		"/health":              {module, module + "/sqlite", module + "/pool", "golang.org/x/sys/unix", module + "/internal/constraint", module + "/internal/foreignkey"},
		"/internal/constraint": {module, module + "/sqlite"},
		"/internal/foreignkey": {module, module + "/sqlite"},
	} {
		for _, path := range imports(t, module+pkg) {
			if !slices.Contains(allowed, path) {
				t.Errorf("%s%s imports %s, which lies above it or beside it", module, pkg, path)
			}
		}
	}
}

// TestAProgramWithPoolAndGenLinksNothingElse keeps tools and services out of
// programs that do not ask for them.
func TestAProgramWithPoolAndGenLinksNothingElse(t *testing.T) {
	for _, path := range goList(t, "-deps", module+"/pool", module+"/gen") {
		for _, heavy := range []string{"sqlc", "goose", "minio", "prometheus", "opentelemetry", "go.opentelemetry.io", "klauspost", module + "/backup", module + "/health", module + "/migrate", module + "/stdlib", module + "/internal/faultvfs"} {
			if strings.Contains(path, heavy) {
				t.Errorf("pool and gen link %s", path)
			}
		}
	}
}

// TestOnlyTheStoreTouchesTheDatabaseInTheLedger keeps the reference
// application honest: its packages reach the database through gen alone.
func TestOnlyTheStoreTouchesTheDatabaseInTheLedger(t *testing.T) {
	for _, pkg := range goList(t, module+"/cmd/ledger/...") {
		for _, path := range imports(t, pkg) {
			switch path {
			case "database/sql", module + "/stdlib":
				t.Errorf("%s imports %s; it is to use gen.Store", pkg, path)
			}
		}
	}
}
