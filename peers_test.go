package lido_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// peerRow is a row of docs/pool-behaviours.md.
type peerRow struct{ test, checks, lido string }

// peerTables returns the rows of each chapter, by its title.
func peerTables(t *testing.T, text string) map[string][]peerRow {
	t.Helper()
	tables := make(map[string][]peerRow)
	for _, chapter := range strings.Split(text, "\n## ")[1:] {
		title, body, _ := strings.Cut(chapter, "\n")
		for _, line := range strings.Split(body, "\n") {
			if !strings.HasPrefix(line, "| `") {
				continue
			}
			cells := strings.Split(strings.Trim(line, "| "), " | ")
			if len(cells) != 3 || cells[1] == "" {
				t.Errorf("%s: not three cells: %s", title, line)
				continue
			}
			tables[title] = append(tables[title], peerRow{strings.Trim(cells[0], "`"), cells[1], cells[2]})
		}
	}
	return tables
}

// testsIn are the test functions of the packages below dir.
func testsIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
				names = append(names, fn.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var notApplicable = regexp.MustCompile(`^not applicable: \*\*.+\*\*: .+`)

func TestTheTableOfPuddlesAndPgxpoolsBehavioursIsWholeAndTrue(t *testing.T) {
	text := readFile(t, "docs/pool-behaviours.md")
	tables := peerTables(t, text)
	puddle := goList(t, "-m", "-f", "{{.Version}} {{.Dir}}", "github.com/jackc/puddle/v2")
	modCache := filepath.Clean(filepath.Join(puddle[1], "..", "..", "..", ".."))
	pgx := regexp.MustCompile(`pgx (v5\.\d+\.\d+)`).FindStringSubmatch(text)
	sources := map[string]string{
		"puddle " + puddle[0]:    puddle[1],
		"pgxpool, pgx " + pgx[1]: filepath.Join(modCache, "github.com", "jackc", "pgx", "v5@"+pgx[1], "pgxpool"),
	}
	exist := testNames(t)
	all, missing := 0, 0
	for title, source := range sources {
		rows := tables[title]
		if len(rows) == 0 {
			t.Errorf("no table under %q", title)
		}
		var listed []string
		without := 0
		for _, r := range rows {
			listed = append(listed, r.test)
			if notApplicable.MatchString(r.lido) {
				without++
				continue
			}
			named := regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(r.lido, -1)
			if len(named) == 0 {
				t.Errorf("%s: %s names neither a test nor what is missing", title, r.test)
			}
			for _, m := range named {
				if !exist[m[1]] {
					t.Errorf("%s: %s: there is no %s", title, r.test, m[1])
				}
			}
		}
		all, missing = all+len(rows), missing+without
		what, _, _ := strings.Cut(title, " pgx")
		if claim := fmt.Sprintf("%d tests, %d not applicable", len(rows), without); !strings.Contains(text, claim) {
			t.Errorf("%s has %s, which the text does not say", what, claim)
		}
		if _, err := os.Stat(source); err != nil {
			t.Logf("%s is not in the module cache; its rows are taken as they are", title)
			continue
		}
		theirs := testsIn(t, source)
		slices.Sort(theirs)
		slices.Sort(listed)
		if !slices.Equal(theirs, listed) {
			for _, name := range theirs {
				if !slices.Contains(listed, name) {
					t.Errorf("%s: no row for %s", title, name)
				}
			}
			for _, name := range listed {
				if !slices.Contains(theirs, name) {
					t.Errorf("%s: %s does not exist there", title, name)
				}
			}
			t.Errorf("%s: %d rows for %d tests", title, len(listed), len(theirs))
		}
	}
	share := 100 * float64(missing) / float64(all)
	if share > 15 {
		t.Errorf("%.1f%% of the behaviours are not applicable, more than 15%%", share)
	}
	if claim := fmt.Sprintf("Together %d and %d, which is %.1f%%.", all, missing, share); !strings.Contains(text, claim) {
		t.Errorf("the text does not say %q", claim)
	}
}
