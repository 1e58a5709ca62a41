//go:build sqlc

package main

import (
	"context"
	"os"

	"github.com/sqlc-dev/sqlc/pkg/cli"

	"github.com/lidodb/lido/internal/codegen"
)

var sqlc = cli.Run

// plugin answers when sqlc has started this program as its plugin, which it
// does with one argument that no command line would have.
func plugin() (code int, ok bool) {
	if len(os.Args) != 2 || os.Args[1] != codegen.Method {
		return 0, false
	}
	return codegen.RunPlugin(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr), true
}
