package codegen

import (
	"fmt"
	gotoken "go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What generated code declares stands in three scopes: the package, its
// imports, and the method. No name may hide one that is used inside its scope.

// ownNames are the variables of a generated method.
var ownNames = []string{"q", "ctx", "stmt", "row", "err", "i", "items", "yield", "none", "n"}

// ownImports are the packages that generated code imports itself, by name.
var ownImports = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "iter": "iter", "json": "encoding/json", "lido": waist,
	"slices": "slices", "sql": "database/sql", "strings": "strings", "time": "time",
}

// imports are the names under which generated files import packages, and their
// paths. It complains of two packages of one name.
func (g *generator) imports() (byName map[string]string, problems []string) {
	byName = maps.Clone(ownImports)
	for i := range g.opts.Overrides {
		t := g.opts.Overrides[i].typ
		name, _, ok := strings.Cut(bareType(t.name), ".")
		if t.path == "" || !ok {
			continue
		}
		if other := byName[name]; other != "" && other != t.path {
			problems = append(problems, fmt.Sprintf("generated code would import both %s and %s as %s; give the override's go_type a package name of its own: "+
				`{"import": %q, "package": %q, "type": ...}`, other, t.path, name, t.path, name+"2"))
		}
		byName[name] = t.path
	}
	return byName, problems
}

// localNames chooses the names of a method's parameters.
type localNames struct{ taken map[string]bool }

func (g *generator) localNames() *localNames {
	l := &localNames{taken: maps.Clone(g.declared)}
	if l.taken == nil {
		l.taken = map[string]bool{}
	}
	for _, name := range ownNames {
		l.taken[name] = true
	}
	l.taken["db"] = g.opts.EmitMethodsWithDBArgument
	imports, _ := g.imports()
	for name, p := range imports {
		l.taken[name], l.taken[path.Base(p)] = true, true
	}
	return l
}

// choose returns the name of a parameter: its own, unless that is a word of
// Go's or hides what the method uses.
func (l *localNames) choose(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' {
			return r
		}
		return '_'
	}, name)
	if r, _ := utf8.DecodeRuneInString(name); unicode.IsDigit(r) {
		name = "_" + name
	}
	if strings.Trim(name, "_") == "" {
		name = "arg" + name
	}
	for gotoken.IsKeyword(name) || l.taken[name] || types.Universe.Lookup(name) != nil {
		name += "_"
	}
	l.taken[name] = true
	return name
}

// hiding lists what the package would declare under a name of Go's own or of
// one of its imports.
func (g *generator) hiding(declared map[string]string) []string {
	imports, problems := g.imports()
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		what := ""
		switch {
		case imports[name] != "":
			what = "the package " + imports[name]
		case types.Universe.Lookup(name) != nil:
			what = "Go's own " + name
		default:
			continue
		}
		problems = append(problems, fmt.Sprintf("%s would hide %s; set the option rename, or give it another name", declared[name], what))
	}
	return problems
}
