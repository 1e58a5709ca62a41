// Command benchgen measures what generating and compiling costs: 500 queries
// over 100 tables by default. What sqlc itself takes is not counted: the plugin
// times itself.
package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lidodb/lido/internal/codegen"
	"github.com/lidodb/lido/internal/codegen/gentest"
)

// The plugin, which is this program too, writes how long it took to the file
// that this variable names.
const timeFile = "LIDO_BENCHGEN_TIME"

func plugin() {
	if len(os.Args) != 2 || os.Args[1] != codegen.Method {
		return
	}
	start := time.Now()
	code := codegen.RunPlugin(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if err := os.WriteFile(os.Getenv(timeFile), []byte(time.Since(start).String()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func main() {
	plugin()
	var b bench
	flag.IntVar(&b.tables, "tables", 100, "how many tables")
	flag.IntVar(&b.queries, "queries", 500, "how many queries")
	flag.IntVar(&b.rounds, "rounds", 3, "how often; the median counts")
	limit := flag.Duration("limit", 3*time.Second, "fail if generating takes longer besides sqlc")
	flag.Parse()
	took, err := b.run(context.Background())
	if err != nil {
		fmt.Fprintf(os.Stderr, "benchgen: %v\n", err)
		os.Exit(1)
	}
	if took > *limit {
		fmt.Fprintf(os.Stderr, "benchgen: generating takes %v besides sqlc; at most %v are allowed\n", took, *limit)
		os.Exit(1)
	}
}

type bench struct {
	tables, queries, rounds int
	dir                     string
}

func (b *bench) run(ctx context.Context) (besides time.Duration, err error) {
	if b.dir, err = os.MkdirTemp("", "benchgen-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(b.dir)
	mod, err := gentest.NewModule(b.dir, nil)
	if err != nil {
		return 0, err
	}
	if err := gentest.WriteFiles(b.dir, b.project()); err != nil {
		return 0, err
	}
	entry := gentest.Entry{Schema: "schema.sql", Queries: "queries", Database: true}
	plain, lido := entry, entry
	plain.Own = &gentest.Output{Dir: "sqlcgen", Options: map[string]any{"emit_interface": true}}
	lido.Lido = []gentest.Output{{Dir: "gen", Options: map[string]any{"emit_interface": true, "strict_types": true}}}

	own, err := b.median(func() error { return gentest.Generate(ctx, b.dir, []gentest.Entry{plain}) })
	if err != nil {
		return 0, err
	}
	written := filepath.Join(b.dir, "time")
	var inPlugin []time.Duration
	whole, err := b.median(func() error {
		if err := gentest.Generate(ctx, b.dir, []gentest.Entry{lido}, timeFile+"="+written); err != nil {
			return err
		}
		text, err := os.ReadFile(written)
		if err != nil {
			return err
		}
		d, err := time.ParseDuration(string(text))
		inPlugin = append(inPlugin, d)
		return err
	})
	if err != nil {
		return 0, err
	}
	slices.Sort(inPlugin)
	besides = inPlugin[len(inPlugin)/2]
	fmt.Printf("%d queries over %d tables, median of %d\n\n", b.queries, b.tables, b.rounds)
	fmt.Printf("generate: Lido takes %v besides sqlc (%v in all; with sqlc's own Go output %v)\n", round(besides), round(whole), round(own))
	for _, p := range []struct{ name, dir, needs string }{{"Lido's package", "gen", "github.com/lidodb/lido"}, {"sqlc's own package", "sqlcgen", "database/sql"}} {
		if err := b.compile(mod, p.name, p.dir, p.needs); err != nil {
			return 0, err
		}
	}
	return besides, nil
}

// compile measures how long the compiler takes for one package, once what it
// imports is compiled.
func (b *bench) compile(mod *gentest.Module, name, dir, needs string) error {
	if _, err := mod.Run("build", needs); err != nil {
		return err
	}
	touched := filepath.Join(b.dir, dir, "round.go")
	var costs []gentest.Cost
	for n := range b.rounds { // another text each time, or the build cache answers
		text := fmt.Sprintf("package %s\n\n// %d %d\n", dir, n, time.Now().UnixNano())
		if err := os.WriteFile(touched, []byte(text), 0o644); err != nil {
			return err
		}
		cost, err := mod.Measure("build", "./"+dir)
		if err != nil {
			return err
		}
		costs = append(costs, cost)
	}
	slices.SortFunc(costs, func(x, y gentest.Cost) int { return cmp.Compare(x.CPU, y.CPU) })
	cost := costs[len(costs)/2]
	lines, size, err := measure(filepath.Join(b.dir, dir))
	if err != nil {
		return err
	}
	fmt.Printf("compile:  %s, %d lines, %d kB: %v (CPU %v)\n", name, lines, size/1000, round(cost.Wall), round(cost.CPU))
	return nil
}

func measure(dir string) (lines, size int, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, path := range paths {
		data, readErr := os.ReadFile(path)
		if readErr != nil {
			return 0, 0, readErr
		}
		lines += bytes.Count(data, []byte("\n"))
		size += len(data)
	}
	return lines, size, err
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

func (b *bench) median(fn func() error) (time.Duration, error) {
	var all []time.Duration
	for range b.rounds {
		start := time.Now()
		if err := fn(); err != nil {
			return 0, err
		}
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// project is a schema of tables that refer to each other, and for each table
// the queries that an application has.
func (b *bench) project() map[string]string {
	var schema strings.Builder
	files := map[string]string{}
	left := b.queries
	for i := range b.tables {
		fmt.Fprintf(&schema, `CREATE TABLE item%[1]d (
  id INTEGER PRIMARY KEY,
  parent_id INTEGER NOT NULL REFERENCES item%[2]d (id),
  name TEXT NOT NULL UNIQUE,
  note TEXT,
  price REAL NOT NULL DEFAULT 0,
  weight REAL,
  active BOOLEAN NOT NULL DEFAULT 1,
  data BLOB,
  created_at DATETIME NOT NULL,
  changed_at DATETIME
);
CREATE INDEX item%[1]d_parent ON item%[1]d (parent_id);
`, i, max(i-1, 0))
		n := left / (b.tables - i)
		left -= n
		var text strings.Builder
		for q := range n {
			fmt.Fprintf(&text, shapes[q%len(shapes)]+"\n", i, max(i-1, 0), q/len(shapes))
		}
		files[fmt.Sprintf("queries/item%d.sql", i)] = text.String()
	}
	files["schema.sql"] = schema.String()
	return files
}

// shapes are queries on a table %[1]d and its parent %[2]d.
var shapes = []string{
	`-- name: GetItem%[1]d_%[3]d :one
SELECT * FROM item%[1]d WHERE id = ?;
`, `-- name: ListItem%[1]d_%[3]d :many
SELECT sqlc.embed(item%[1]d), p.name AS parent FROM item%[1]d JOIN item%[2]d AS p ON p.id = item%[1]d.parent_id
WHERE item%[1]d.parent_id = @parent AND item%[1]d.id > @after ORDER BY item%[1]d.id LIMIT @most;
`, `-- name: CreateItem%[1]d_%[3]d :one
INSERT INTO item%[1]d (parent_id, name, note, price, weight, active, data, created_at, changed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *;
`, `-- name: UpdateItem%[1]d_%[3]d :execrows
UPDATE item%[1]d SET name = @name, note = sqlc.narg(note), changed_at = @changed_at WHERE id = @id;
`, `-- name: DeleteItem%[1]d_%[3]d :execrows
DELETE FROM item%[1]d WHERE id IN (sqlc.slice(ids)) AND active = @active;
`,
}
