package codegen

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// nameless lists what has no name that Go would take: a column called "!!!",
// say, or a query called type.
func (g *generator) nameless() []string {
	var problems []string
	check := func(name, owner, remedy string) {
		if !isGoName(name) {
			problems = append(problems, fmt.Sprintf("%s would be called %q in Go, which is no name; %s", owner, name, remedy))
		}
	}
	fields := func(s *structDef, owner string) {
		for _, f := range s.fields {
			if f.model == nil {
				check(f.name, fmt.Sprintf("%s %q", owner, f.dbName), "set the option rename, or give it an alias")
			}
		}
	}
	for _, m := range g.models {
		check(m.name, fmt.Sprintf("the model of table %q", m.table.Name), "set the option rename")
		fields(m, fmt.Sprintf("in table %q the column", m.table.Name))
	}
	for _, q := range g.queries {
		owner := "the query " + q.Name + " (" + q.src.where() + ")"
		check(q.Name, owner, "give the query another name")
		if q.arg.def != nil {
			fields(q.arg.def, "in "+owner+" the parameter")
		}
		if q.ret.def != nil && q.ret.emit {
			fields(q.ret.def, "in "+owner+" the column")
		}
	}
	return problems
}

// foreign says why a file that this run would write must not be overwritten,
// or nothing.
func (g *generator) foreign(name, text string) string {
	own := false
	switch base := filepath.Base(name); {
	case base == reportName:
		own = strings.HasPrefix(text, "lido ")
	case g.opts.Plans != "" && base == filepath.Base(g.opts.Plans):
		own = strings.HasPrefix(text, plansMark)
	case base == g.opts.OutputDBFileName || strings.HasSuffix(base, ".go"):
		own = generatedBy(text)
	}
	if own || strings.TrimSpace(text) == "" {
		return ""
	}
	return name + " was not generated, and would be overwritten; move it, or set another name with the options output_*"
}

// otherPackage reports whether a file that Go would compile with the generated
// ones names another package.
func (g *generator) otherPackage(file, pkg, text string) bool {
	head, _, _ := strings.Cut(text, "\npackage ")
	constrained := slices.ContainsFunc(strings.Split(head, "\n"), func(line string) bool { return strings.HasPrefix(line, "//go:build ") })
	return pkg != g.opts.Package && !constrained && !strings.HasSuffix(file, "_test.go") && pkg != "documentation"
}
