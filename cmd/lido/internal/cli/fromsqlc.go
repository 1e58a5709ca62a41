package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// sqlcOnly are options of sqlc's Go generator that say what Lido does anyway.
var sqlcOnly = []string{"sql_package", "sql_driver", "out"}

// convert changes sqlc.yaml in dir for Lido, or only shows how.
func (i *initialize) convert(dir string) error {
	name := ""
	for _, n := range configNames {
		if fileExists(filepath.Join(dir, n)) {
			name = filepath.Join(dir, n)
			break
		}
	}
	if name == "" {
		return fmt.Errorf("there is no %s in %s; \"lido init\" without --from-sqlc writes one", configNames[0], dir)
	}
	if strings.HasSuffix(name, ".json") {
		return fmt.Errorf("%s is JSON, which has no lines to keep; rename it to sqlc.yaml first, which JSON is too", name)
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	hunks, warnings, err := fromSQLC(string(data))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	changed := apply(string(data), hunks)
	// What this knows of YAML's many forms is not all of them.
	if left, _, err := fromSQLC(changed); err != nil || len(left) > 0 {
		return fmt.Errorf("%s cannot be changed line by line (%v); write the codegen: block by hand", name, err)
	}
	for _, w := range warnings {
		fmt.Fprintf(i.Stderr, "lido init: %s\n", w)
	}
	if len(hunks) == 0 {
		fmt.Fprintf(i.Stdout, "%s generates with Lido already\n", name)
		return nil
	}
	lines := splitLines(string(data))
	fmt.Fprint(i.Stdout, diff(filepath.ToSlash(name), lines, hunks))
	if i.dryRun {
		return nil
	}
	if err := os.WriteFile(name, []byte(changed), info.Mode().Perm()); err != nil {
		return err
	}
	fmt.Fprintf(i.Stderr, "lido init: changed %s; run \"go get -tool %s\" and \"lido generate\" next\n", name, commandPackage)
	return nil
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
	if len(root.Content) == 0 {
		return nil, nil, fmt.Errorf("there is nothing in it")
	}
	top := root.Content[0]
	if v := scalar(field(top, "version")); v != "2" {
		return nil, nil, fmt.Errorf("version is %q; plugins need version \"2\" (https://docs.sqlc.dev/en/stable/reference/config.html)", v)
	}
	lines := splitLines(text)
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
		if len(gen.Content) != 2 || gen.Style&yaml.FlowStyle != 0 || options.Style&yaml.FlowStyle != 0 {
			return nil, nil, fmt.Errorf("line %d: gen: must hold go: alone, each option on a line of its own", key.Line)
		}
		if k, _ := entry(s, "codegen"); k != nil {
			return nil, nil, fmt.Errorf("line %d: there is a codegen: beside gen:; add Lido's plugin to it by hand", k.Line)
		}
		h, err := codegenBlock(lines, key, goKey, options)
		if err != nil {
			return nil, nil, err
		}
		hunks = append(hunks, h)
	}
	if len(hunks) == 0 {
		return nil, warnings, nil
	}
	if o := field(field(top, "overrides"), "go"); o != nil {
		warnings = append(warnings, fmt.Sprintf("line %d: sqlc does not pass the overrides at the top to plugins; move them into the options of codegen", o.Line))
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
