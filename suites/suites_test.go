package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPackagesAreNamedByTheirFolder(t *testing.T) {
	for _, c := range []struct {
		packages []string
		want     string
	}{
		{[]string{"m/p"}, "m/p"},
		{[]string{"m/p", "m/p/q", "m/p"}, "m/p"},
		{[]string{"m/api", "m/apis", "m/core/x"}, "m"},
		{[]string{"m/p", "n/p"}, ""},
	} {
		var list []*record
		for _, pkg := range c.packages {
			list = append(list, &record{pkg: pkg})
		}
		if got := commonFolder(list); got != c.want {
			t.Errorf("%v: got %q, want %q", c.packages, got, c.want)
		}
	}
}

func TestImportsOfDriversAreReplaced(t *testing.T) {
	for name, c := range map[string]struct{ before, lido, stock string }{
		"blank": {
			`package a; import _ "modernc.org/sqlite"`,
			`package a; import _ "github.com/lidodb/lido/suites/sqlite"`,
			`package a; import _ "modernc.org/sqlite"`,
		},
		"used under another name": {
			"package a\nimport (\n\t\"fmt\"\n\t\"github.com/mattn/go-sqlite3\"\n)\n",
			"package a\nimport (\n\t\"fmt\"\n\tsqlite3 \"github.com/lidodb/lido/suites/sqlite\"\n)\n",
			"package a\nimport (\n\t\"fmt\"\n\t\"github.com/lidodb/lido/suites/stock\"\n)\n",
		},
		"none":          {`package a; import "modernc.org/sqlite/lib"`, `package a; import "modernc.org/sqlite/lib"`, `package a; import "modernc.org/sqlite/lib"`},
		"not Go at all": {"import", "import", "import"},
	} {
		for _, baseline := range []bool{false, true} {
			got, err := replaceImports([]byte(c.before), baseline)
			want := c.lido
			if baseline {
				want = c.stock
			}
			if err != nil || string(got) != want {
				t.Errorf("%s: got %q and %v, want %q", name, got, err, want)
			}
		}
	}
}

// A test counts once, whatever it is made of.
func TestOnlyWhatHasNoSubtestsCounts(t *testing.T) {
	const events = `{"Action":"run","Package":"m/p","Test":"TestA"}
{"Action":"run","Package":"m/p","Test":"TestA/one"}
{"Action":"pass","Package":"m/p","Test":"TestA/one"}
{"Action":"run","Package":"m/p","Test":"TestA/two"}
{"Action":"output","Package":"m/p","Test":"TestA/two","Output":"    a_test.go:1: because\n"}
{"Action":"skip","Package":"m/p","Test":"TestA/two"}
{"Action":"pass","Package":"m/p","Test":"TestA"}
{"Action":"run","Package":"m/p","Test":"TestB"}
{"Action":"run","Package":"m/p","Test":"TestB/one"}
{"Action":"fail","Package":"m/p","Test":"TestB/one"}
{"Action":"fail","Package":"m/p","Test":"TestB"}
{"Action":"run","Package":"m/p","Test":"TestC"}
{"Action":"run","Package":"m/p","Test":"TestC/one"}
{"Action":"pass","Package":"m/p","Test":"TestC/one"}
{"Action":"fail","Package":"m/p","Test":"TestC"}
{"Action":"run","Package":"m/p","Test":"TestD"}
{"Action":"fail","Package":"m/p"}
{"ImportPath":"m/p/q [m/p/q.test]","Action":"build-output","Output":"no such thing\n"}
{"Action":"fail","Package":"m/p/q","FailedBuild":"m/p/q [m/p/q.test]"}
`
	list, err := readEvents(strings.NewReader(events), false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range leaves(list) {
		got = append(got, string(r.state)+" "+r.name)
		if r.name == "q:(package)" && !strings.Contains(r.output, "no such thing") {
			t.Errorf("the output of the compiler is missing: %q", r.output)
		}
	}
	want := []string{"pass TestA/one", "skip TestA/two", "fail TestB/one", "fail TestC", "pass TestC/one", "fail TestD", "fail q:(package)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatIsExpectedIsHeldAgainstWhatHappened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "expect.txt")
	text := `# a comment
fails TestA/*: it wants more
skips TestB: not for us
fails TestGone: nothing fails like that
folder fails TestC: only there
proxy fails TestD: only here
skip q:TestE/one: takes for ever
races TestF: two goroutines
races TestH: two others
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	expected, err := readExpected(file, false)
	if err != nil {
		t.Fatal(err)
	}
	out := judge([]result{
		{name: "TestA/one", state: failed, count: 1},
		{name: "TestB", state: skipped, count: 1},
		{name: "TestC", state: failed, count: 1},
		{name: "TestD", state: failed, count: 1},
		{name: "TestF", state: passed, count: 3},
		{name: "TestH", state: failed, count: 1},
	}, expected, false)
	names := func(list []failure) string {
		var s []string
		for _, f := range list {
			s = append(s, f.name+": "+f.reason)
		}
		return strings.Join(s, "; ")
	}
	for what, c := range map[string][2]string{
		"failures": {names(out.failures), "TestC: "},
		"listed":   {names(out.listed), "TestA/one: it wants more; TestD: only here; TestH: two others"},
		"skipped":  {names(out.skips), "TestB: not for us; q:TestE/one: takes for ever"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: got %q, want %q", what, c[0], c[1])
		}
	}
	if out.passed != 3 || len(out.stale) != 1 || out.stale[0].name != "TestGone" || out.good() {
		t.Errorf("got %d passed, %v stale, good %v", out.passed, out.stale, out.good())
	}
	if got := skipFlags(expected); !slices.Equal(got, []string{"^TestE$/^one$"}) {
		t.Errorf("skip flags: %q", got)
	}
}

func TestTheExpectationsCanBeRead(t *testing.T) {
	files, err := filepath.Glob("expect/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		if _, err := readExpected(file, true); err != nil {
			t.Error(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		if _, err := choose(name); err != nil {
			t.Error(err)
		}
	}
}

func TestTheReasonOfASkipIsFound(t *testing.T) {
	for output, want := range map[string]string{
		"=== RUN   TestA\n    a_test.go:12: mysql only\n--- SKIP: TestA (0.00s)\n": "mysql only",
		"    a_test.go:12: skipping: no server\n    b.go:3: schema given back\n":   "skipping: no server",
		"=== RUN   TestA\n    a_test.go:12: \n--- SKIP: TestA (0.00s)\n":           "the suite does not say why",
		"records for other engines": "records for other engines",
	} {
		if got := said(output); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
}
