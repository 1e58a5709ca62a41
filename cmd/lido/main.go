// Command lido lays out, generates, migrates, backs up, restores and examines.
// "lido help" lists what it can do.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/lidodb/lido/cmd/lido/internal/cli"
)

func main() {
	if code, ok := plugin(); ok {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, cli.Program{
		Args:   os.Args[1:],
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		SQLC:   sqlc,
	})
	stop()
	os.Exit(code)
}
