package codegen

import (
	"bytes"
	"fmt"
	"go/build"
	"go/format"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// waist is the only import of generated code besides the standard library and
// what overrides name.
const waist = "github.com/lidodb/lido"

// goFile is a Go file on its way out.
type goFile struct {
	g       *generator
	name    string
	source  string // the query file, or empty
	body    bytes.Buffer
	imports map[string]string // path to alias
}

func (g *generator) file(name string) *goFile {
	return &goFile{g: g, name: name, imports: map[string]string{}}
}

func (f *goFile) printf(format string, args ...any) { fmt.Fprintf(&f.body, format, args...) }

func (f *goFile) use(paths ...string) {
	for _, p := range paths {
		if _, ok := f.imports[p]; !ok {
			f.imports[p] = ""
		}
	}
}

// typ names a type and imports what it needs.
func (f *goFile) typ(t string) string {
	if imp, ok := f.g.importOf(t); ok {
		f.imports[imp.path] = imp.alias
	}
	return t
}

// finish writes head and imports and formats the whole.
func (f *goFile) finish() (*File, error) {
	var b bytes.Buffer
	if tags := f.g.opts.BuildTags; tags != "" {
		fmt.Fprintf(&b, "//go:build %s\n\n", tags)
	}
	fmt.Fprintf(&b, "%s\n// versions:\n//   lido %s\n", generatedMark, Version)
	if !f.g.opts.OmitSqlcVersion {
		fmt.Fprintf(&b, "//   sqlc %s\n", f.g.req.SqlcVersion)
	}
	if f.source != "" {
		fmt.Fprintf(&b, "// source: %s\n", f.source)
	}
	fmt.Fprintf(&b, "\npackage %s\n\n", f.g.opts.Package)
	var std, rest []string
	for p, alias := range f.imports {
		spec := strconv.Quote(p)
		if alias != "" {
			spec = alias + " " + spec
		}
		if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
			rest = append(rest, spec)
		} else {
			std = append(std, spec)
		}
	}
	slices.Sort(std)
	slices.Sort(rest)
	if len(std)+len(rest) > 0 {
		fmt.Fprintf(&b, "import (\n%s\n\n%s\n)\n\n", strings.Join(std, "\n"), strings.Join(rest, "\n"))
	}
	b.Write(f.body.Bytes())
	code, err := format.Source(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%s: the generated code does not parse: %w; %s", f.name, err, ourFault)
	}
	return &File{Name: f.name, Contents: code}, nil
}

// render writes every file, in the order of their names.
func (g *generator) render() (*Response, error) {
	files := []*goFile{g.renderModels(), g.renderDB()}
	if g.opts.EmitInterface {
		files = append(files, g.renderQuerier())
	}
	if g.uses(":copyfrom") {
		files = append(files, g.renderCopyFrom())
	}
	if g.uses(":batch") {
		files = append(files, g.renderBatch())
	}
	bySource := map[string]*goFile{}
	for _, q := range g.queries {
		f := bySource[q.Filename]
		if f == nil {
			f = g.file(queryFileName(q.Filename, g.opts.OutputFilesSuffix))
			f.source = q.src.file.path
			bySource[q.Filename] = f
			files = append(files, f)
		}
		f.query(q)
	}
	resp := &Response{}
	for _, f := range files {
		out, err := f.finish()
		if err != nil {
			return nil, err
		}
		resp.Files = append(resp.Files, out)
	}
	if err := g.compile(resp.Files); err != nil {
		return nil, err
	}
	resp.Files = append(resp.Files, g.report())
	if g.opts.Plans != "" {
		resp.Files = append(resp.Files, g.plansFile())
	}
	slices.SortFunc(resp.Files, func(a, b *File) int { return strings.Compare(a.Name, b.Name) })
	return resp, nil
}

// queryFileName is the name of the Go file for a query file: accounts.sql.go.
func queryFileName(source, suffix string) string {
	name := path.Base(source) + suffix
	if !strings.HasSuffix(name, ".go") {
		name += ".go"
	}
	return name
}

// everywhere reports whether Go compiles a file of that name on every system:
// x_windows.go and _x.go it leaves out.
func everywhere(name string) bool {
	nowhere := build.Context{GOOS: "none", GOARCH: "none", Compiler: "gc", OpenFile: func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("package p\n")), nil
	}}
	ok, err := nowhere.MatchFile("", name)
	return ok && err == nil
}

func (g *generator) renderModels() *goFile {
	f := g.file(g.opts.OutputModelsFileName)
	for _, m := range g.models {
		f.comment(m.comment)
		f.structType(m.name, m.fields)
	}
	return f
}

func (f *goFile) comment(text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		f.docLine(line)
	}
}

// docLine writes one line of a comment. The blank keeps SQL comments from
// turning into directives of Go.
func (f *goFile) docLine(line string) {
	line = strings.TrimRight(line, " \t\r")
	if line != "" && line[0] != ' ' && line[0] != '\t' {
		line = " " + line
	}
	f.printf("//%s\n", line)
}

func (f *goFile) structType(name string, fields []field) {
	f.printf("type %s struct {\n", name)
	for _, fd := range fields {
		f.comment(fd.comment)
		f.printf("%s %s", fd.name, f.typ(fd.typ))
		if tag := tagString(fd.tags); tag != "" {
			f.printf(" %s", goString(tag))
		}
		f.printf("\n")
	}
	f.printf("}\n\n")
}

// goString is s as a Go literal, a raw one where that can be.
func goString(s string) string {
	if strings.ContainsAny(s, "`\r\uFEFF") || !strconv.CanBackquote(strings.NewReplacer("\n", "", "\t", "").Replace(s)) {
		return strconv.Quote(s)
	}
	return "`" + s + "`"
}

// queryVar is the name of the lido.Query of a query.
func queryVar(name string) string { return lowerFirst(name) + "Query" }

// query writes the statement of a query, its structs and its methods.
func (f *goFile) query(q *query) {
	f.use("context", waist)
	sql := goString(q.stmt.sql())
	if f.g.opts.EmitExportedQueries && q.Cmd != ":copyfrom" {
		f.printf("// %s is the SQL of [%s.%s].\nconst %s = %s\n\n", exported(q.Name), q.receiver(), q.Name, exported(q.Name), sql)
		sql = exported(q.Name)
	}
	f.printf("var %s = lido.Query{\n", queryVar(q.Name))
	f.queryFields(q, sql)
	f.printf("}\n\n")
	if q.arg.emit {
		f.structType(q.arg.def.name, q.arg.def.unique())
	}
	if q.ret.emit {
		f.structType(q.ret.def.name, q.ret.def.fields)
	}
	m := f.method(q)
	switch q.Cmd {
	case ":one":
		m.one()
	case ":many":
		m.many()
		m.seq()
	case ":copyfrom":
		m.copyFrom()
	case ":batchexec", ":batchmany", ":batchone":
		m.batch()
	default:
		m.exec()
	}
}

// queryFields writes the fields of a lido.Query; sql is a Go expression.
func (f *goFile) queryFields(q *query, sql string) {
	f.printf("Name: %q,\nSQL: %s,\nSource: %q,\n", q.Name, sql, q.src.where())
	if q.facts.readOnly {
		f.printf("ReadOnly: true,\n")
	}
	f.tables("Reads", q.facts.reads)
	f.tables("Writes", q.facts.writes)
}

// uses reports whether some query has a command that starts with cmd.
func (g *generator) uses(cmd string) bool {
	return slices.ContainsFunc(g.queries, func(q *query) bool { return strings.HasPrefix(q.Cmd, cmd) })
}

func (f *goFile) tables(field string, names []string) {
	if len(names) == 0 {
		return
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = strconv.Quote(n)
	}
	f.printf("%s: []string{%s},\n", field, strings.Join(quoted, ", "))
}

// report lists what the run wants to be known. sqlc shows nothing that a
// successful plugin prints, hence a file.
func (g *generator) report() *File {
	var b bytes.Buffer
	readOnly, unchecked := 0, 0
	for _, q := range g.queries {
		if q.facts.readOnly {
			readOnly++
		}
		if q.unchecked {
			unchecked++
		}
	}
	fmt.Fprintf(&b, "lido %s: %s, %d of them read-only", Version, plural(len(g.queries), "query", "queries"), readOnly)
	if unchecked > 0 {
		fmt.Fprintf(&b, ", %d unchecked", unchecked)
	}
	fmt.Fprintf(&b, "; %s\n", plural(len(g.models), "model", "models"))
	for _, name := range g.opts.idle {
		fmt.Fprintf(&b, "option %s changes nothing: %s\n", name, idleOptions[name])
	}
	sortProblems(g.notes)
	for _, n := range g.notes {
		fmt.Fprintf(&b, "%s\n", n)
	}
	return &File{Name: reportName, Contents: b.Bytes()}
}

// plural writes a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// reportName is the file of notes in the output folder.
const reportName = "lido_report.txt"
