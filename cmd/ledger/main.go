// Ledger is double-entry bookkeeping on one SQLite file: the reference
// application of Lido.
//
// Try it:
//
//	go run ./cmd/ledger serve --data ./books
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/lidodb/lido/cmd/ledger/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one ends the program at once.
	context.AfterFunc(ctx, stop)
	code := app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
