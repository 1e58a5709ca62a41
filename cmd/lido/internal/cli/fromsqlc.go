package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// sqlcOnly are options of sqlc's Go generator that say what Lido does anyway.
var sqlcOnly = []string{"sql_package", "sql_driver", "out"}

// convert changes the configuration of sqlc in dir for Lido, or only shows how,
// and requires Lido in go.mod.
func (i *initialize) convert(ctx context.Context, dir string) error {
	name := ""
	for _, n := range configNames {
		if fileExists(filepath.Join(dir, n)) {
			name = filepath.Join(dir, n)
			break
		}
	}
	if name == "" {
		return fmt.Errorf("there is no %s in %s; \"lido init\" without --from-sqlc writes one", strings.Join(configNames, " or "), dir)
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	hunks, warnings, err := convertText(name, string(data))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	require, err := i.requireFor(dir)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintf(i.Stderr, "lido init: %s\n", w)
	}
	if len(hunks) == 0 {
		fmt.Fprintf(i.Stdout, "%s generates with Lido already\n", name)
	} else {
		fmt.Fprint(i.Stdout, diff(filepath.ToSlash(name), splitLines(string(data)), hunks))
	}
	if i.dryRun {
		return nil
	}
	if len(hunks) > 0 {
		if err := os.WriteFile(name, []byte(apply(string(data), hunks)), info.Mode().Perm()); err != nil {
			return err
		}
		fmt.Fprintf(i.Stderr, "lido init: changed %s\n", name)
	}
	if err := i.require(ctx, require); err != nil {
		return err
	}
	if len(hunks) > 0 || len(require.edits) > 0 {
		fmt.Fprint(i.Stderr, i.nextConverted(dir, require))
	}
	return nil
}

// requirement is what go.mod needs so that it requires Lido.
type requirement struct {
	root  string   // the folder of go.mod; empty outside of a module
	edits []string // arguments for "go mod edit"; none if it requires Lido
}

// requireFor looks at the go.mod that dir belongs to.
func (i *initialize) requireFor(dir string) (requirement, error) {
	root, _, err := findModule(dir)
	if errors.Is(err, errNoModule) || i.dryRun {
		return requirement{}, nil
	}
	if err != nil {
		return requirement{}, err
	}
	if i.replace == "" && i.version == "" {
		if there, err := requiresTool(root); err != nil || there {
			return requirement{root: root}, err
		}
	}
	edits, err := i.requirement(root)
	return requirement{root, edits}, err
}

// require changes go.mod.
func (i *initialize) require(ctx context.Context, r requirement) error {
	if len(r.edits) == 0 {
		return nil
	}
	if err := editModule(ctx, r); err != nil {
		return err
	}
	fmt.Fprintf(i.Stderr, "lido init: changed %s\n", filepath.Join(fromHere(r.root), "go.mod"))
	if i.noTidy {
		return nil
	}
	return i.tidy(ctx, r.root)
}

// nextConverted says what to do after a configuration has been changed.
func (i *initialize) nextConverted(dir string, r requirement) string {
	text := "\nNext:\n"
	if here := fromHere(absolute(dir)); here != "." {
		text += "  " + shell("cd", here) + "\n"
	}
	switch {
	case r.root == "":
		again := "lido init --from-sqlc"
		if ownVersion() == "" {
			again += " --replace=FOLDER"
		}
		return text + "  go mod init example.com/yours\n  " + again + "   (again: it requires Lido in go.mod)\n"
	case len(r.edits) > 0 && i.noTidy:
		text += "  go mod tidy\n"
	}
	return text + "  go tool lido generate   (builds sqlc; three to five minutes the first time)\n"
}

// convertText returns what to change in the text of a configuration.
func convertText(name, text string) (hunks []hunk, warnings []string, err error) {
	if strings.HasSuffix(name, ".json") {
		return fromSQLCJSON(text)
	}
	hunks, warnings, err = fromSQLC(text)
	if err != nil {
		return nil, nil, err
	}
	// What this knows of YAML's many forms is not all of them.
	if left, _, err := fromSQLC(apply(text, hunks)); err != nil || len(left) > 0 {
		return nil, nil, fmt.Errorf("it cannot be changed line by line (%v); write the codegen: block by hand", err)
	}
	return hunks, warnings, nil
}

// hunk replaces the lines [from, to) by others.
type hunk struct {
	from, to int
	with     []string
}

// fromSQLC returns what to change in a configuration of sqlc.
func fromSQLC(text string) (hunks []hunk, warnings []string, err error) {
	var root yaml.Node
	var checked any // refuses what a Node lets pass, such as a key twice
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return nil, nil, err
	}
	if err := yaml.Unmarshal([]byte(text), &checked); err != nil {
		return nil, nil, err
	}
	list, warnings, err := generatedByGo(&root)
	if err != nil {
		return nil, nil, err
	}
	top := root.Content[0]
	lines := splitLines(text)
	for _, g := range list {
		if g.gen.Style&yaml.FlowStyle != 0 || g.options.Style&yaml.FlowStyle != 0 {
			return nil, nil, fmt.Errorf("line %d: gen: must hold go: alone, each option on a line of its own", g.key.Line)
		}
		h, err := codegenBlock(lines, g.key, g.goKey, g.options)
		if err != nil {
			return nil, nil, err
		}
		hunks = append(hunks, h)
	}
	if len(hunks) == 0 {
		return nil, warnings, nil
	}
	h, err := pluginsBlock(lines, top)
	if err != nil {
		return nil, nil, err
	}
	if h != nil {
		hunks = append(hunks, *h)
	}
	slices.SortFunc(hunks, func(a, b hunk) int { return a.from - b.from })
	return hunks, warnings, nil
}

// generated is an entry of "sql" that sqlc's own Go generator writes for.
type generated struct {
	entry, key, gen, goKey, options *yaml.Node
}

// generatedByGo returns the entries to convert, and warns of what stays.
func generatedByGo(root *yaml.Node) (list []generated, warnings []string, err error) {
	if len(root.Content) == 0 {
		return nil, nil, fmt.Errorf("there is nothing in it")
	}
	top := root.Content[0]
	if v := scalar(field(top, "version")); v != "2" {
		return nil, nil, fmt.Errorf("version is %q; plugins need version \"2\" (https://docs.sqlc.dev/en/stable/reference/config.html)", v)
	}
	for n, s := range items(field(top, "sql")) {
		if scalar(field(s, "engine")) != "sqlite" {
			warnings = append(warnings, fmt.Sprintf("sql[%d] is left as it is: its engine is not sqlite", n))
			continue
		}
		key, gen := entry(s, "gen")
		if gen == nil {
			continue
		}
		goKey, options := entry(gen, "go")
		if options == nil {
			warnings = append(warnings, fmt.Sprintf("sql[%d] is left as it is: it has no gen: go:", n))
			continue
		}
		if len(gen.Content) != 2 {
			return nil, nil, fmt.Errorf("line %d: gen: must hold go: alone, each option on a line of its own", key.Line)
		}
		if k, _ := entry(s, "codegen"); k != nil {
			return nil, nil, fmt.Errorf("line %d: there is a codegen: beside gen:; add Lido's plugin to it by hand", k.Line)
		}
		list = append(list, generated{s, key, gen, goKey, options})
	}
	if o := field(field(top, "overrides"), "go"); o != nil && len(list) > 0 {
		warnings = append(warnings, fmt.Sprintf("line %d: sqlc does not pass the overrides at the top to plugins; move them into the options of codegen", o.Line))
	}
	return list, warnings, nil
}

// codegenBlock rewrites the lines from "gen:" to the end of its block. The
// options move four columns to the right relative to "gen:" and keep their
// text, comments included.
func codegenBlock(lines []string, key, goKey, options *yaml.Node) (hunk, error) {
	from, indent := key.Line-1, key.Column-1
	to := from + 1
	for to < len(lines) && (strings.TrimSpace(lines[to]) == "" || indentOf(lines[to]) > indent) {
		to++
	}
	for strings.TrimSpace(lines[to-1]) == "" { // blank lines belong to what follows
		to--
	}
	out := scalar(field(options, "out"))
	if out == "" {
		return hunk{}, fmt.Errorf("line %d: go: names no out: folder", goKey.Line)
	}
	pad := strings.Repeat(" ", indent)
	head, _, _ := strings.Cut(lines[from], key.Value) // "  - " where gen: comes first in the entry
	head = strings.TrimRight(head, `"'`)
	with := []string{
		head + "codegen:",
		pad + "  - plugin: lido",
		pad + "    out: " + quoteIfNeeded(field(options, "out")),
		pad + "    options:",
	}
	shift := indent + 6 - (options.Column - 1)
	for n := goKey.Line; n < to; {
		last := n + 1
		for last < to && (strings.TrimSpace(lines[last]) == "" || indentOf(lines[last]) > options.Column-1 || isItemOf(lines[last], options.Column-1)) {
			last++
		}
		name, _, _ := strings.Cut(strings.TrimSpace(lines[n]), ":")
		if !slices.Contains(sqlcOnly, name) {
			for _, line := range lines[n:last] {
				with = append(with, shifted(line, shift))
			}
		}
		n = last
	}
	if with[len(with)-1] == pad+"    options:" {
		with = with[:len(with)-1]
	}
	return hunk{from, to, with}, nil
}

// pluginsBlock adds Lido's plugin, unless it is there.
func pluginsBlock(lines []string, top *yaml.Node) (*hunk, error) {
	key, plugins := entry(top, "plugins")
	for _, p := range items(plugins) {
		if scalar(field(p, "name")) == "lido" {
			return nil, nil
		}
	}
	entry := []string{"  - name: lido", "    process:", "      cmd: " + pluginName}
	if key == nil {
		version, _ := keyOf(top, "version")
		return &hunk{version, version, append([]string{"plugins:"}, entry...)}, nil
	}
	if plugins.Kind != yaml.SequenceNode || plugins.Style&yaml.FlowStyle != 0 || len(plugins.Content) == 0 {
		return nil, fmt.Errorf("line %d: plugins: must be a list with each plugin on lines of its own", key.Line)
	}
	pad := strings.Repeat(" ", indentOf(lines[plugins.Content[0].Line-1]))
	for n, line := range entry {
		entry[n] = pad + line[2:]
	}
	return &hunk{key.Line, key.Line, entry}, nil
}

// keyOf returns the index of the line after the entry of key, a scalar.
func keyOf(n *yaml.Node, key string) (after int, ok bool) {
	k, _ := entry(n, key)
	if k == nil {
		return 0, false
	}
	return k.Line, true
}

// quoteIfNeeded writes a scalar in the style it had.
func quoteIfNeeded(n *yaml.Node) string {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return fmt.Sprintf("%q", n.Value)
	case n.Style&yaml.SingleQuotedStyle != 0:
		return "'" + strings.ReplaceAll(n.Value, "'", "''") + "'"
	}
	return n.Value
}

// isItemOf reports an element of a list that YAML lets begin in the column of
// its key.
func isItemOf(line string, column int) bool {
	return indentOf(line) == column && strings.HasPrefix(strings.TrimSpace(line), "- ")
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func shifted(line string, by int) string {
	switch {
	case strings.TrimSpace(line) == "":
		return line
	case by >= 0:
		return strings.Repeat(" ", by) + line
	}
	return line[min(-by, indentOf(line)):]
}

func splitLines(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// apply returns the text with every hunk in place.
func apply(text string, hunks []hunk) string {
	var out []string
	lines := splitLines(text)
	at := 0
	for _, h := range hunks {
		out = append(out, lines[at:h.from]...)
		out = append(out, h.with...)
		at = h.to
	}
	end := ""
	if strings.HasSuffix(text, "\n") {
		end = "\n"
	}
	return strings.Join(append(out, lines[at:]...), "\n") + end
}

// diff writes hunks in the unified form, with no lines around them.
//
// https://www.gnu.org/software/diffutils/manual/html_node/Unified-Format.html
func diff(name string, lines []string, hunks []hunk) string {
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", name, name)
	grown := 0
	for _, h := range hunks {
		from, to := h.from+1, h.from+1+grown
		if h.to == h.from {
			from--
		}
		fmt.Fprintf(&b, "@@ -%d,%d +%d,%d @@\n", from, h.to-h.from, to, len(h.with))
		for _, line := range lines[h.from:h.to] {
			b.WriteString("-" + line + "\n")
		}
		for _, line := range h.with {
			b.WriteString("+" + line + "\n")
		}
		grown += len(h.with) - (h.to - h.from)
	}
	return b.String()
}
