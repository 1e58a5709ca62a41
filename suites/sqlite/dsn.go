package sqlite

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lidodb/lido/pool"
)

// source is what a data source name asks for.
type source struct {
	memory  bool
	name    string // of a file, or of a memory database that is shared; else empty
	config  pool.Config
	pragmas []string

	intToTime bool
}

// parse understands the names that the pure Go drivers and mattn's know.
func parse(dsn string) (source, error) {
	s := source{config: pool.Config{DoubleQuotedStrings: true}}
	name, query, _ := strings.Cut(dsn, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return s, fmt.Errorf("data source name %q: %w", dsn, err)
	}
	if rest, ok := strings.CutPrefix(name, "file:"); ok {
		if name, err = url.PathUnescape(rest); err != nil {
			return s, fmt.Errorf("data source name %q: %w", dsn, err)
		}
		if strings.HasPrefix(name, "//") {
			name = "/" + strings.TrimLeft(name, "/")
		}
	}
	s.memory = name == "" || name == ":memory:" || params.Get("mode") == "memory"
	switch {
	case !s.memory:
		if s.name, err = absolute(name); err != nil {
			return s, err
		}
	case params.Get("cache") == "shared":
		s.name = "memory " + name
	}
	s.intToTime = params.Get("_inttotime") != ""
	s.config.ReadOnly = params.Get("mode") == "ro"
	for _, key := range []string{"_busy_timeout", "_timeout"} {
		if v := params.Get(key); v != "" {
			s.pragma("busy_timeout(" + v + ")")
		}
	}
	for _, key := range []string{"_foreign_keys", "_fk"} {
		if v := params.Get(key); v != "" {
			s.pragma("foreign_keys(" + v + ")")
		}
	}
	for _, p := range params["_pragma"] {
		s.pragma(p)
	}
	return s, nil
}

// absolute makes two ways to write the name of a file equal.
func absolute(name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(folder, filepath.Base(path))
	}
	return path, nil
}

// pragma notes one setting, which is written name(value) or name=value.
func (s *source) pragma(text string) {
	name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(text)), "(")
	if n, v, ok := strings.Cut(name, "="); ok {
		name, value = n, v
	}
	value = strings.Trim(value, ") '\"")
	switch strings.TrimSpace(name) {
	case "journal_mode": // always a WAL
	case "busy_timeout":
		if ms, err := strconv.Atoi(value); err == nil && ms > 0 {
			s.config.BusyTimeout = time.Duration(ms) * time.Millisecond
		}
	default:
		s.pragmas = append(s.pragmas, "PRAGMA "+text)
	}
}
