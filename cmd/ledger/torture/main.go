// The torture command kills a ledger under load, again and again, and looks
// whether it kept its word:
//
//	go run ./cmd/ledger/torture -rounds 200
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/lidodb/lido/cmd/ledger/internal/torture"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	rounds := flag.Int("rounds", 200, "how many times to kill it under load")
	workers := flag.Int("workers", 8, "how many clients post at the same time")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the run's choices")
	ledger := flag.String("ledger", "", "the ledger to kill; empty builds the one of this module")
	tags := flag.String("tags", "", "build tags; earlyack builds one that must be caught")
	flag.Parse()

	dir, err := os.MkdirTemp("", "ledger-torture-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
		} else {
			fmt.Fprintln(os.Stderr, "the books are kept in", dir)
		}
	}()
	if *ledger == "" {
		*ledger = filepath.Join(dir, "ledger")
		build := exec.CommandContext(ctx, "go", "build", "-tags", *tags, "-o", *ledger, "github.com/lidodb/lido/cmd/ledger")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w: %s", err, out)
		}
	}
	fmt.Printf("seed %d\n", *seed)
	report, err := torture.Kill(ctx, torture.Config{
		Ledger: []string{*ledger}, Dir: dir, Rounds: *rounds, Workers: *workers, Seed: *seed, Log: os.Stdout,
	})
	if err != nil {
		return fmt.Errorf("after %d rounds: %w", report.Rounds, err)
	}
	fmt.Println(report)
	return nil
}
