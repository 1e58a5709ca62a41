package conformance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/internal/codegen/exercise"
	"github.com/lidodb/lido/internal/codegen/gentest"
)

// otherPackages are those that the overrides of some cases name.
var otherPackages = map[string]string{
	"github.com/sqlc-dev/sqlc-testdata/pkg": "package pkg\n\ntype CustomType string\n",
}

// outcome is what became of a case.
type outcome struct {
	*testCase
	refused     string   // the complaint of sqlc or the plugin
	differences []string // from sqlc's own output, in what shows or what it does
	calls       int
	bothRefuse  int             // calls that fail on both sides
	methods     map[string]bool // the methods called; true if one call came through
}

func TestGeneratedPackagesAreAndDoWhatSqlcsOwnAreAndDo(t *testing.T) {
	if testing.Short() {
		t.Skip("runs sqlc, which takes minutes to compile")
	}
	cases := loadCases(t, caseDir(t))
	dir := t.TempDir()
	mod, err := gentest.NewModule(dir, otherPackages)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []*outcome
	for _, c := range cases {
		if err := os.CopyFS(filepath.Join(dir, "case", c.name), os.DirFS(c.dir)); err != nil {
			t.Fatal(err)
		}
		if err := c.approve(filepath.Join(dir, "case", c.name)); err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, &outcome{testCase: c, methods: map[string]bool{}})
	}
	may := allowed(t)
	generate(t, dir, outcomes, may)
	pkgs, err := mod.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var runnable []*outcome
	for _, o := range outcomes {
		if o.refused == "" && o.compare(pkgs, mod.Path) {
			runnable = append(runnable, o)
		}
	}
	run(t, mod, runnable)
	tidy(t, mod)
	summarize(t, outcomes, may)
}

// generate runs sqlc once over all cases that should pass, and over each case
// alone when that fails or it should not pass: one failure holds back all
// output.
func generate(t *testing.T, dir string, outcomes []*outcome, may map[string]allowance) {
	t.Helper()
	alone := func(o *outcome) {
		err := gentest.Generate(t.Context(), dir, []gentest.Entry{o.entry()})
		var refusal *gentest.Refusal
		if errors.As(err, &refusal) {
			o.refused = refusal.Stderr
		} else if err != nil {
			t.Fatal(err)
		}
	}
	var together []gentest.Entry
	var list []*outcome
	for _, o := range outcomes {
		if o.mustFail || may[o.name].Refusal != "" {
			alone(o)
			continue
		}
		together = append(together, o.entry())
		list = append(list, o)
	}
	err := gentest.Generate(t.Context(), dir, together)
	var refusal *gentest.Refusal
	if errors.As(err, &refusal) {
		for _, o := range list {
			alone(o)
		}
	} else if err != nil {
		t.Fatal(err)
	}
}

// compare compares what the packages show, and reports whether they can run.
func (o *outcome) compare(pkgs *gentest.Packages, module string) bool {
	want, err := pkgs.Import(module + "/sqlc/" + o.name)
	if err != nil {
		o.differences = append(o.differences, "sqlc's own output does not compile: "+err.Error())
		return false
	}
	got, err := pkgs.Import(module + "/lido/" + o.name)
	if err != nil {
		o.differences = append(o.differences, "does not compile: "+err.Error())
		return false
	}
	o.differences = append(o.differences, compareSurface(want, got)...)
	if _, err := pkgs.Import(module + "/strict/" + o.name); err != nil {
		o.differences = append(o.differences, "does not compile with strict_types: "+err.Error())
		return false
	}
	return true
}

// run builds one program of all packages and has it call every method.
func run(t *testing.T, mod *gentest.Module, outcomes []*outcome) {
	t.Helper()
	byName := map[string]*outcome{}
	var imports, list strings.Builder
	for i, o := range outcomes {
		byName[o.name] = o
		db := "db"
		if o.options["emit_methods_with_db_argument"] == true {
			db = ""
		}
		fmt.Fprintf(&imports, "\ts%d %q\n\tl%d %q\n\tt%d %q\n", i, mod.Path+"/sqlc/"+o.name, i, mod.Path+"/lido/"+o.name, i, mod.Path+"/strict/"+o.name)
		fmt.Fprintf(&list, "\t\t{Name: %q, Schema: %#v,\n", o.name, o.schemaTexts(t))
		fmt.Fprintf(&list, "\t\t\tStock:  func(db exercise.StockDB) any { return s%d.New(%s) },\n", i, db)
		fmt.Fprintf(&list, "\t\t\tLido:   func(db lido.Writer) any { return l%d.New(%s) },\n", i, db)
		fmt.Fprintf(&list, "\t\t\tStrict: func(db lido.Writer) any { return t%d.New(%s) }},\n", i, db)
	}
	program := "package main\n\nimport (\n\t\"github.com/lidodb/lido\"\n\t\"github.com/lidodb/lido/internal/codegen/exercise\"\n" + imports.String() +
		")\n\nfunc main() {\n\texercise.Main([]exercise.Case{\n" + list.String() + "\t})\n}\n"
	if err := gentest.WriteFiles(mod.Dir, map[string]string{"program/main.go": program}); err != nil {
		t.Fatal(err)
	}
	out, err := mod.Run("run", "./program")
	if err != nil {
		t.Error(err)
	}
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		var call exercise.Call
		if err := dec.Decode(&call); err != nil {
			t.Fatal(err)
		}
		byName[call.Case].add(call)
	}
}

// add takes up what came of one call.
func (o *outcome) add(call exercise.Call) {
	o.calls++
	o.methods[call.Method] = o.methods[call.Method] || call.Lido == ""
	what := fmt.Sprintf("%s (%s, %s tables, %s arguments, on a %s)", call.Method, call.Variant, call.State, call.Arguments, call.Place)
	switch {
	case call.Stock != "" && call.Lido != "":
		o.bothRefuse++
		if d := differentErrors(call); d != "" {
			o.differences = append(o.differences, what+": "+d)
		}
	case call.Stock != "" && call.Variant == "strict": // strict types read what sqlc's cannot
	case call.Stock != "":
		o.differences = append(o.differences, what+" fails with sqlc only: "+call.Stock)
	case call.Lido != "":
		o.differences = append(o.differences, what+" fails, sqlc's does not: "+call.Lido)
	case call.Difference != "":
		o.differences = append(o.differences, what+": "+call.Difference)
	}
}

// differentErrors compares the kinds of two errors: no row is told from
// anything else, and one constraint from another.
func differentErrors(call exercise.Call) string {
	kind := func(s string) string {
		for _, k := range []string{"no rows in result set", "UNIQUE", "NOT NULL", "CHECK", "FOREIGN KEY"} {
			if strings.Contains(s, k) {
				return k
			}
		}
		return "other"
	}
	if s, l := kind(call.Stock), kind(call.Lido); s != l {
		return fmt.Sprintf("sqlc fails with %q, lido with %q", call.Stock, call.Lido)
	}
	return ""
}

// tidy wants the generated code as gofmt writes it and vet accepts it.
func tidy(t *testing.T, mod *gentest.Module) {
	t.Helper()
	for _, variant := range []string{"lido", "strict"} {
		paths, err := filepath.Glob(filepath.Join(mod.Dir, variant, "*", "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no generated files: %v", err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if formatted, err := format.Source(text); err != nil || !bytes.Equal(text, formatted) {
				t.Errorf("%s is not as gofmt writes it (%v)", path, err)
			}
		}
	}
	if _, err := mod.Run("vet", "./lido/...", "./strict/..."); err != nil {
		t.Error(err)
	}
}
