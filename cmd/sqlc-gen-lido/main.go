// Command sqlc-gen-lido is Lido's plugin for plain "sqlc generate". sqlc starts
// it; it has no flags of its own.
package main

import (
	"context"
	"os"

	"github.com/lidodb/lido/internal/codegen"
)

func main() {
	os.Exit(codegen.RunPlugin(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
