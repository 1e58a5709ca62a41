package lido_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lidodb/lido/pool"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block returns the first fenced block of README.md in a language.
func block(t *testing.T, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(readFile(t, "README.md"), "```"+language+"\n")
	text, _, ended := strings.Cut(rest, "```\n")
	if !found || !ended {
		t.Fatalf("README.md has no block of %s", language)
	}
	return text
}

func TestTheExampleInTheReadmeIsTheOneThatIsCompiled(t *testing.T) {
	if !strings.Contains(readFile(t, "example_test.go"), "\n"+block(t, "go")+"\n") {
		t.Error("the Go code in README.md is not that of example_test.go")
	}
	if !strings.Contains(readFile(t, "queries/accounts.sql"), block(t, "sql")) {
		t.Error("the SQL in README.md is not that of queries/accounts.sql")
	}
}

// testNames are the tests of this module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if path == "bin" { // other projects' tests, if make suites has run
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestEveryTestThatTheReadmeNamesExists(t *testing.T) {
	exist := testNames(t)
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(readFile(t, "README.md"), -1)
	if len(named) < 17 {
		t.Errorf("README.md names %d tests; each guarantee names one", len(named))
	}
	for _, m := range named {
		if !exist[m[1]] {
			t.Errorf("README.md names %s, which does not exist", m[1])
		}
	}
}

func TestEveryGuaranteeNamesATest(t *testing.T) {
	_, rest, _ := strings.Cut(readFile(t, "README.md"), "\n## Guarantees\n")
	chapter, _, _ := strings.Cut(rest, "\n## ")
	items := regexp.MustCompile(`(?m)^\d+\. `).Split(chapter, -1)[1:]
	if len(items) == 0 {
		t.Fatal("README.md lists no guarantees")
	}
	for i, item := range items {
		if !strings.Contains(item, "`Test") {
			t.Errorf("guarantee %d names no test: %s", i+1, item)
		}
	}
}

func TestTheReadmeListsEveryFieldOfTheConfiguration(t *testing.T) {
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(readFile(t, "README.md"), -1) {
		listed = append(listed, m[1])
	}
	var fields []string
	for f := range reflect.TypeFor[pool.Config]().Fields() {
		fields = append(fields, f.Name)
	}
	slices.Sort(listed)
	slices.Sort(fields)
	if !slices.Equal(listed, fields) {
		t.Errorf("README.md lists\n%v\npool.Config has\n%v", listed, fields)
	}
}

func TestTheLinksOfTheReadmeLeadSomewhere(t *testing.T) {
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(readFile(t, "README.md"), -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("README.md: %v", err)
		}
	}
}

func TestTheMakeTargetsThatTheReadmeNamesExist(t *testing.T) {
	makefile := readFile(t, "Makefile")
	for _, m := range regexp.MustCompile("(?m)(?:^    |`)make ([a-z-]+)").FindAllStringSubmatch(readFile(t, "README.md"), -1) {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("README.md names make %s, which is no target", m[1])
		}
	}
}
