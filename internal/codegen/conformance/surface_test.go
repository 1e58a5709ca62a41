package conformance_test

import (
	"fmt"
	"go/types"
	"slices"
	"strings"
)

// Differences that every package has by design: the database a package runs
// on, and what sqlc has no counterpart of.
var (
	handle     = "Queries"
	oursAlone  = []string{"ReadQueries", "Store", "NewStore", "ReadQuerier", "Storer"}
	ourMethods = []string{"Savepoint"}
	sqlcAlone  = []string{"DBTX"}
)

// spell writes a type or signature so that two packages compare: without the
// package's own name, and with one word for every kind of database.
func spell(pkg *types.Package, t types.Type) string {
	s := types.TypeString(t, func(p *types.Package) string {
		if p == pkg {
			return ""
		}
		return p.Path()
	})
	for _, database := range []string{"github.com/lidodb/lido.Writer", "github.com/lidodb/lido.Reader", "DBTX"} {
		s = strings.ReplaceAll(s, " "+database, " DATABASE")
	}
	return s
}

// compareSurface says where the exported identifiers of two packages differ:
// types with their fields and tags, methods and functions with the names and
// types of what they take and return.
func compareSurface(sqlc, lido *types.Package) []string {
	var diffs []string
	add := func(format string, args ...any) { diffs = append(diffs, fmt.Sprintf(format, args...)) }
	if sqlc.Name() != lido.Name() {
		add("package %s is called %s", sqlc.Name(), lido.Name())
	}
	for _, name := range sqlc.Scope().Names() {
		want := sqlc.Scope().Lookup(name)
		if !want.Exported() || slices.Contains(sqlcAlone, name) {
			continue
		}
		got := lido.Scope().Lookup(name)
		switch {
		case got == nil:
			add("%s is missing", types.ObjectString(want, types.RelativeTo(sqlc)))
		case name == handle || isInterface(want):
			diffs = append(diffs, compareMethods(name, sqlc, lido, want, got)...)
		case name == "New": // takes the database; what else it takes must agree
			if w, g := want.Type().(*types.Signature), got.Type().(*types.Signature); w.Params().Len() != g.Params().Len() || spell(sqlc, w.Results()) != spell(lido, g.Results()) {
				add("New\n  sqlc: %s\n  lido: %s", want, got)
			}
		default:
			if w, g := spell(sqlc, want.Type().Underlying()), spell(lido, got.Type().Underlying()); w != g {
				add("%s\n  sqlc: %s\n  lido: %s", name, w, g)
			}
		}
	}
	for _, name := range lido.Scope().Names() {
		if got := lido.Scope().Lookup(name); got.Exported() && sqlc.Scope().Lookup(name) == nil && !slices.Contains(oursAlone, name) {
			add("%s is not in sqlc's output", types.ObjectString(got, types.RelativeTo(lido)))
		}
	}
	return diffs
}

func isInterface(o types.Object) bool {
	_, isType := o.(*types.TypeName)
	return isType && types.IsInterface(o.Type())
}

// methodsOf are the exported methods of a type, promoted ones included.
func methodsOf(o types.Object) map[string]*types.Func {
	t := o.Type()
	if !types.IsInterface(t) {
		t = types.NewPointer(t)
	}
	set := types.NewMethodSet(t)
	methods := map[string]*types.Func{}
	for i := range set.Len() {
		if f := set.At(i).Obj().(*types.Func); f.Exported() {
			methods[f.Name()] = f
		}
	}
	return methods
}

func compareMethods(name string, sqlc, lido *types.Package, want, got types.Object) []string {
	var diffs []string
	wanted, found := methodsOf(want), methodsOf(got)
	for m, w := range wanted {
		g := found[m]
		switch {
		case g == nil:
			diffs = append(diffs, fmt.Sprintf("method %s.%s is missing", name, m))
		case m == "WithTx": // takes a transaction of its own kind
			if w, g := w.Signature(), g.Signature(); w.Params().Len() != g.Params().Len() || spell(sqlc, w.Results()) != spell(lido, g.Results()) {
				diffs = append(diffs, fmt.Sprintf("method %s.WithTx\n  sqlc: %s\n  lido: %s", name, w, g))
			}
		default:
			if w, g := spell(sqlc, w.Signature()), spell(lido, g.Signature()); w != g {
				diffs = append(diffs, fmt.Sprintf("method %s.%s\n  sqlc: %s\n  lido: %s", name, m, w, g))
			}
		}
	}
	for m := range found {
		base, isSeq := strings.CutSuffix(m, "Seq")
		if wanted[m] == nil && !slices.Contains(ourMethods, m) && !(isSeq && wanted[base] != nil) {
			diffs = append(diffs, fmt.Sprintf("method %s.%s is not in sqlc's output", name, m))
		}
	}
	slices.Sort(diffs)
	return diffs
}
