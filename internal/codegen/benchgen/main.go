// Command benchgen measures what generating and compiling costs: 500 queries
// over 100 tables by default. sqlc's own time is measured with a plugin that
// answers nothing, and taken off.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lidodb/lido/internal/codegen"
	"github.com/lidodb/lido/internal/codegen/gentest"
)

// With this variable the plugin answers nothing.
const silent = "LIDO_BENCHGEN_SILENT"

func main() {
	if len(os.Args) == 2 && os.Args[1] == codegen.Method && os.Getenv(silent) == "1" {
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	gentest.Plugin()
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
	alone, err := b.median(func() error { return gentest.Generate(ctx, b.dir, []gentest.Entry{lido}, silent+"=1") })
	if err != nil {
		return 0, err
	}
	whole, err := b.median(func() error { return gentest.Generate(ctx, b.dir, []gentest.Entry{lido}) })
	if err != nil {
		return 0, err
	}
	besides = whole - alone
	fmt.Printf("%d queries over %d tables, median of %d\n\n", b.queries, b.tables, b.rounds)
	fmt.Printf("generate: sqlc itself %v, with Lido %v: Lido takes %v (sqlc's own Go output: %v in all)\n", round(alone), round(whole), round(besides), round(own))
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
	n, touched := 0, filepath.Join(b.dir, dir, "round.go")
	nothing, err := b.median(func() error { _, err := mod.Run("build", needs); return err })
	if err != nil {
		return err
	}
	took, err := b.median(func() error {
		n++ // another text, or the build cache answers
		text := fmt.Sprintf("package %s\n\n// %d %d\n", dir, n, time.Now().UnixNano())
		if err := os.WriteFile(touched, []byte(text), 0o644); err != nil {
			return err
		}
		_, err := mod.Run("build", "./"+dir)
		return err
	})
	if err != nil {
		return err
	}
	lines, size, err := measure(filepath.Join(b.dir, dir))
	if err != nil {
		return err
	}
	fmt.Printf("compile:  %s, %d lines, %d kB: %v (a build with nothing to do: %v)\n", name, lines, size/1000, round(took), round(nothing))
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
