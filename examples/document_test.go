package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// code returns the code blocks of a document.
func code(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for i, part := range strings.Split(string(text), "```") {
		if i%2 == 1 {
			_, body, _ := strings.Cut(part, "\n")
			blocks = append(blocks, body)
		}
	}
	return blocks
}

// The document shows the program before and after; what it shows has to be
// what is compiled and tested here.
func TestTheDocumentShowsTheTestedProgram(t *testing.T) {
	blocks := code(t, filepath.Join("..", "docs", "from-sqlc.md"))
	for _, name := range []string{"fromsqlc/before/sqlc.yaml", "fromsqlc/after/sqlc.yaml", "fromsqlc/before/shelf.go", "fromsqlc/after/shelf.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		whole := string(text)
		if !slices.ContainsFunc(blocks, func(b string) bool { return strings.Contains(whole, b) && strings.Count(b, "\n") > 5 }) {
			t.Errorf("docs/from-sqlc.md shows nothing of %s as it is", name)
		}
	}
}

// What the document calls proved is proved by a test of that name.
func TestTheTestsThatTheDocumentNamesExist(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "docs", "from-sqlc.md"))
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, name := range regexp.MustCompile(`\bTest\w+`).FindAllString(string(document), -1) {
		missing[name] = true
	}
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for name := range missing {
			if strings.Contains(string(text), "func "+name+"(") {
				delete(missing, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range missing {
		t.Errorf("docs/from-sqlc.md names %s, which does not exist", name)
	}
}
