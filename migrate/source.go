package migrate

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
)

// source is a migration that the program has.
type source struct {
	Migration
	noTransaction bool // in one of its directions
	unmarked      bool // SQL stands above "-- +goose Up", or there is no such line
	down          bool // has something to run on the way down
}

// collect reads what the safety rules need to know of each migration. Goose
// finds the files; it parses them when they are about to run.
func collect(fsys fs.FS, found []*goose.Source, written []*goose.Migration) ([]source, error) {
	var list []source
	for _, f := range found {
		s := source{Migration: Migration{Version: f.Version}}
		if f.Path != "" {
			s.Name = path.Base(f.Path)
		}
		if f.Type == goose.TypeSQL {
			text, err := fs.ReadFile(fsys, f.Path)
			if err != nil {
				return nil, err
			}
			s.noTransaction, s.unmarked, s.down = inspect(text)
		}
		for _, m := range written {
			if f.Type == goose.TypeGo && m.Version == f.Version {
				s.noTransaction = m.UpFnNoTxContext != nil || m.DownFnNoTxContext != nil
				s.down = m.DownFnContext != nil || m.DownFnNoTxContext != nil
			}
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b source) int { return cmp.Compare(a.Version, b.Version) })
	return list, nil
}

// inspect finds goose's annotations in the way goose does.
//
// https://pressly.github.io/goose/documentation/annotations/
func inspect(text []byte) (noTransaction, unmarked, down bool) {
	inUp, inDown := false, false
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if !strings.HasPrefix(line, "--") {
			unmarked = unmarked || line != "" && !inUp && !inDown
			down = down || inDown && line != ""
			continue
		}
		if !strings.Contains(line, "+goose") {
			continue
		}
		note := strings.ReplaceAll(line, "--", "")
		note = strings.TrimSpace(strings.Replace(note, "+goose", "", 1))
		switch {
		case strings.EqualFold(note, "NO TRANSACTION"):
			noTransaction = true
		case strings.EqualFold(note, "Up"):
			inUp = true
		case strings.EqualFold(note, "Down"):
			inDown = true
		}
	}
	return noTransaction, unmarked, down
}

// none explains why no migration was found.
func none(fsys fs.FS) error {
	if fsys == nil {
		return fmt.Errorf("migrate: %w", ErrNoMigrations)
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return fmt.Errorf("migrate: %w: %w", ErrNoMigrations, err)
	}
	for _, e := range entries {
		if e.IsDir() {
			return fmt.Errorf("migrate: %w: there are folders at the root, such as %q; name the right one with fs.Sub", ErrNoMigrations, e.Name())
		}
		if path.Ext(e.Name()) == ".sql" {
			return fmt.Errorf("migrate: %w: %q does not begin with a number and an underscore, as in 00001_name.sql", ErrNoMigrations, e.Name())
		}
	}
	return fmt.Errorf("migrate: %w: the file system is empty", ErrNoMigrations)
}
