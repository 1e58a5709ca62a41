package torture_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/lidodb/lido/cmd/ledger/internal/app"
	"github.com/lidodb/lido/cmd/ledger/internal/torture"
)

// asLedger in the environment makes the test binary the ledger itself, so that
// it can be killed without being built first.
const asLedger = "LEDGER_TEST_AS_LEDGER"

func TestMain(m *testing.M) {
	if os.Getenv(asLedger) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// rounds is LEDGER_KILL_ROUNDS, or few.
func rounds(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("LEDGER_KILL_ROUNDS"))
	if err != nil {
		return 3
	}
	return n
}

func TestWhatWasAcknowledgedSurvivesKills(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	report, err := torture.Kill(t.Context(), torture.Config{
		Ledger: []string{self}, Env: []string{asLedger + "=1"}, Dir: t.TempDir(), Rounds: rounds(t), Seed: 1,
	})
	if err != nil {
		t.Fatalf("after %v: %v", report, err)
	}
	t.Log(report)
	if least := 20 * report.Rounds; report.Acknowledged < least {
		t.Errorf("%d acknowledged, want %d", report.Acknowledged, least)
	}
}

func TestALedgerThatAcknowledgesEarlyIsCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the ledger")
	}
	early := filepath.Join(t.TempDir(), "ledger-early")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "earlyack", "-o", early, "github.com/lidodb/lido/cmd/ledger")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	report, err := torture.Kill(t.Context(), torture.Config{Ledger: []string{early}, Dir: t.TempDir(), Rounds: 10, Seed: 1})
	var caught *torture.Broken
	if !errors.As(err, &caught) || !strings.Contains(caught.What, "is lost") {
		t.Fatalf("after %v: %v; want a lost transaction to be found", report, err)
	}
	t.Logf("caught in round %d: %s", report.Rounds, caught.What)
}
