package codegen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lidodb/lido/sqlite"
)

// A program that runs queries may have given its connections functions and
// collations of its own (sqlite.Conn.CreateFunction and CreateCollation). The
// options functions and collations name them, so that the engine which proves
// the queries knows them too. Here they compute nothing.

// declare makes the declared functions and collations known to the engine.
func (e *engine) declare(functions, collations []string) error {
	for _, f := range functions {
		name, count, counted := strings.Cut(f, "/")
		args := -1
		if counted {
			var err error
			if args, err = strconv.Atoi(count); err != nil || args < 0 {
				return fmt.Errorf("option \"functions\": %q is neither a name nor name/2, with the number of arguments", f)
			}
		}
		stub := func([]sqlite.Value) (any, error) { return nil, nil }
		if err := e.conn.CreateFunction(name, args, true, stub); err != nil {
			return fmt.Errorf("option \"functions\": %q: %w", f, err)
		}
	}
	for _, c := range collations {
		if err := e.conn.CreateCollation(c, strings.Compare); err != nil {
			return fmt.Errorf("option \"collations\": %q: %w", c, err)
		}
	}
	return nil
}
