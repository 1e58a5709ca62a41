package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// reportName is what the generator writes its notes to, in the output folder.
const reportName = "lido_report.txt"

// config is a configuration of sqlc, of which only the plugins are looked at.
type config struct {
	path string
	root yaml.Node
	// outs are the output folders of Lido's plugin.
	outs []string
	// plugins are the entries under "plugins" that stand for Lido.
	plugins []*yaml.Node
}

// readConfig reads the file at path, which may be YAML or JSON.
func readConfig(path string) (*config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &config{path: path}
	if err := yaml.Unmarshal(data, &c.root); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(c.root.Content) == 0 || c.root.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: there is nothing in it", path)
	}
	top := c.root.Content[0]
	if v := field(top, "version"); v == nil || v.Value != "2" {
		return nil, fmt.Errorf("%s: plugins need version: \"2\"", path)
	}
	names := map[string]bool{}
	for _, p := range items(field(top, "plugins")) {
		name := scalar(field(p, "name"))
		if isLido(name, scalar(field(field(p, "process"), "cmd"))) {
			names[name] = true
			c.plugins = append(c.plugins, p)
		}
	}
	if len(c.plugins) == 0 {
		return nil, fmt.Errorf("%s: no plugin is called \"lido\" or runs %s; \"lido init --from-sqlc\" adds it", path, pluginName)
	}
	for _, s := range items(field(top, "sql")) {
		for _, g := range items(field(s, "codegen")) {
			if names[scalar(field(g, "plugin"))] {
				c.outs = append(c.outs, filepath.Join(filepath.Dir(path), filepath.FromSlash(scalar(field(g, "out")))))
			}
		}
	}
	return c, nil
}

// isLido tells Lido's plugin from others.
func isLido(name, cmd string) bool {
	base := strings.TrimSuffix(filepath.Base(filepath.FromSlash(cmd)), ".exe")
	return name == "lido" || base == pluginName
}

// withPlugin writes the configuration anew, with Lido's plugin at program, into
// a file beside the original, where relative paths mean the same. The caller
// removes it.
func (c *config) withPlugin(program string) (string, error) {
	for _, p := range c.plugins {
		process := &yaml.Node{Kind: yaml.MappingNode}
		setScalar(process, "cmd", program)
		set(p, "process", process)
	}
	var text bytes.Buffer
	enc := yaml.NewEncoder(&text)
	if err := errors.Join(enc.Encode(&c.root), enc.Close()); err != nil {
		return "", fmt.Errorf("%s: %w", c.path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(c.path), ".lido-*.yaml")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text.Bytes())
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// printReports copies what the generator has noted.
func (c *config) printReports(w io.Writer) error {
	for _, out := range c.outs {
		text, err := os.ReadFile(filepath.Join(out, reportName))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// field returns the value of key in a mapping, or nil.
func field(n *yaml.Node, key string) *yaml.Node {
	_, v := entry(n, key)
	return v
}

// entry returns key and value of an entry in a mapping, or nil.
func entry(n *yaml.Node, key string) (k, v *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// items returns the elements of a sequence.
func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

func scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// set replaces the value of key in a mapping, or adds it.
func set(n *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content[i+1] = value
			return
		}
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
}

func setScalar(n *yaml.Node, key, value string) {
	set(n, key, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value})
}
