package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// fromSQLCJSON is fromSQLC for a configuration in JSON. It writes the whole
// value with its keys in their order; the hunks hold the lines that differ.
func fromSQLCJSON(text string) (hunks []hunk, warnings []string, err error) {
	if err := json.Unmarshal([]byte(text), new(any)); err != nil {
		return nil, nil, err
	}
	var root yaml.Node // of which JSON is a part
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return nil, nil, err
	}
	list, warnings, err := generatedByGo(&root)
	if err != nil || len(list) == 0 {
		return nil, warnings, err
	}
	top := root.Content[0]
	for _, g := range list {
		if err := codegenEntry(g); err != nil {
			return nil, nil, err
		}
	}
	if err := pluginsEntry(top); err != nil {
		return nil, nil, err
	}
	var flat, out bytes.Buffer
	if err := writeNode(&flat, top); err != nil {
		return nil, nil, err
	}
	if err := json.Indent(&out, flat.Bytes(), "", indentIn(text)); err != nil {
		return nil, nil, err
	}
	return differences(splitLines(text), splitLines(out.String())), warnings, nil
}

// codegenEntry puts a codegen in the place of gen.
func codegenEntry(g generated) error {
	out := scalar(field(g.options, "out"))
	if out == "" {
		return fmt.Errorf("line %d: go: names no out: folder", g.goKey.Line)
	}
	options := &yaml.Node{Kind: yaml.MappingNode}
	for n := 0; n+1 < len(g.options.Content); n += 2 {
		if !slices.Contains(sqlcOnly, g.options.Content[n].Value) {
			options.Content = append(options.Content, g.options.Content[n:n+2]...)
		}
	}
	plugin := &yaml.Node{Kind: yaml.MappingNode}
	setScalar(plugin, "plugin", "lido")
	setScalar(plugin, "out", out)
	if len(options.Content) > 0 {
		set(plugin, "options", options)
	}
	g.key.Value = "codegen"
	*g.gen = yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{plugin}}
	return nil
}

// pluginsEntry adds Lido's plugin, unless it is there.
func pluginsEntry(top *yaml.Node) error {
	for _, p := range items(field(top, "plugins")) {
		if scalar(field(p, "name")) == "lido" {
			return nil
		}
	}
	process, plugin := &yaml.Node{Kind: yaml.MappingNode}, &yaml.Node{Kind: yaml.MappingNode}
	setScalar(process, "cmd", pluginName)
	setScalar(plugin, "name", "lido")
	set(plugin, "process", process)
	switch key, plugins := entry(top, "plugins"); {
	case key == nil:
		version, _ := entry(top, "version")
		at := slices.Index(top.Content, version) + 2 // after its value
		top.Content = slices.Insert(top.Content, at, &yaml.Node{Kind: yaml.ScalarNode, Value: "plugins"},
			&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{plugin}})
	case plugins.Kind == yaml.SequenceNode:
		plugins.Content = append(plugins.Content, plugin)
	default:
		return fmt.Errorf("line %d: plugins: must be a list", key.Line)
	}
	return nil
}

// writeNode writes a node as JSON, with its keys in their order.
func writeNode(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeText(b, n.Content[i].Value); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := writeNode(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeNode(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case yaml.ScalarNode:
		if n.Style == 0 && slices.Contains([]string{"!!bool", "!!int", "!!float", "!!null"}, n.Tag) {
			b.WriteString(n.Value)
			return nil
		}
		return writeText(b, n.Value)
	}
	return errors.New("it holds what JSON does not have")
}

func writeText(b *bytes.Buffer, text string) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(text)
	b.Truncate(b.Len() - 1) // the line break that Encode adds
	return err
}

// indentIn returns how far the first indented line of text is.
func indentIn(text string) string {
	for line := range strings.Lines(text) {
		if trimmed := strings.TrimLeft(line, " \t"); trimmed != line && strings.TrimSpace(line) != "" {
			return line[:len(line)-len(trimmed)]
		}
	}
	return "  "
}

// differences returns the hunks that make the lines of b of those of a, by the
// longest sequence that both have in common.
func differences(a, b []string) (hunks []hunk) {
	common := make([][]int, len(a)+1) // of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if i < len(a) && j < len(b) && a[i] == b[j] {
			i, j = i+1, j+1
			continue
		}
		h := hunk{from: i}
		for (i < len(a) || j < len(b)) && !(i < len(a) && j < len(b) && a[i] == b[j]) {
			if j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1] {
				i++
			} else {
				h.with = append(h.with, b[j])
				j++
			}
		}
		h.to = i
		hunks = append(hunks, h)
	}
	return hunks
}
