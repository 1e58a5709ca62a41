package examples_test

import (
	"os"
	"path/filepath"
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
