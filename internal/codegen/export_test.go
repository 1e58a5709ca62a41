package codegen

import (
	"go/types"
	"maps"
	"reflect"
	"slices"
)

// OptionNames are the names of all options.
func OptionNames() []string {
	return slices.Concat(jsonNames(reflect.TypeFor[options]()), slices.Collect(maps.Keys(idleOptions)))
}

// CheckModule compares a plugin of version own with what a go.mod requires.
var CheckModule = checkModule

// CheckWritten compares this plugin with what wrote a file.
var CheckWritten = checkWritten

// Tokens returns the tokens of SQL.
func Tokens(src string) []string {
	var out []string
	for _, t := range lex(src) {
		out = append(out, t.text(src))
	}
	return out
}

// Expand parses a query file and returns name, place and statement of each of
// its queries, with parameters as sqlc would list them: in order of the text.
func Expand(text string) (names, places, statements, complaints []string) {
	for _, q := range parseQueries(&sourceFile{path: "q.sql", text: text}) {
		names, places = append(names, q.name+" "+q.cmd), append(places, q.where())
		e := &expander{query: q}
		e.walk()
		var params []*Parameter
		seen := map[string]bool{}
		for i, u := range e.uses {
			if u.name != "" && seen[u.name] {
				continue
			}
			seen[u.name] = true
			n := u.number
			if n == 0 {
				n = i + 1
			}
			params = append(params, &Parameter{Number: n, Column: Column{Name: u.name, IsNamedParam: u.name != ""}})
		}
		s, problems := expand(q, params, func(*param) string { return "[]int64" })
		for _, p := range problems {
			complaints = append(complaints, p.String())
		}
		if s == nil {
			statements = append(statements, "")
			continue
		}
		statements = append(statements, s.sql())
		for i := range len(s.sql()) {
			if at := s.sourceOffset(i); at < 0 || at > len(text) {
				panic("an offset leads out of the source")
			}
		}
	}
	return names, places, statements, complaints
}

// Compile checks Go files, by name, as what was generated for queries of those
// names.
func Compile(files map[string]string, queries ...string) error {
	g := &generator{opts: &options{Package: "gen"}}
	for _, name := range queries {
		g.queries = append(g.queries, &query{Query: &Query{Name: name}, src: &sourceQuery{file: &sourceFile{path: "q.sql"}, name: name}})
	}
	var list []*File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, &File{Name: name, Contents: []byte(files[name])})
	}
	return g.compile(list)
}

// Stubs are the packages that generated code is checked against, by path.
func Stubs() map[string]*types.Package { return stubPackages() }

// Strays are the complaints about statements without a name and the reverse.
func Strays(path, text string, schema bool) (complaints []string) {
	for _, p := range strays(&sourceFile{path: path, text: text}, schema) {
		complaints = append(complaints, p.String())
	}
	return complaints
}
