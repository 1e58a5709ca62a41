package health_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/pool"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if that is meant, run the test with -update\n got: %s\nwant: %s", path, got, want)
	}
}

// only is a Config that runs the given checks and none of the built-in ones.
func only(checks ...health.Check) health.Config {
	return health.Config{Disable: health.BuiltinNames(), Checks: checks, Jitter: -1, ExpensiveDelay: -1}
}

// check is a check without a database.
func check(name string, run func(ctx context.Context) health.Result) health.Check {
	return health.Check{Name: name, Run: func(ctx context.Context, _ *pool.DB) health.Result { return run(ctx) }}
}

// monitor makes a Monitor that runs without a database until the test ends.
func monitor(t *testing.T, cfg health.Config) *health.Monitor {
	t.Helper()
	m, err := health.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.StartWithoutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// advance lets d go by on the clock of a synctest bubble, and everything
// happen that is due by then.
func advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// find is the report of one check.
func find(t *testing.T, rep health.Report, name string) health.CheckReport {
	t.Helper()
	c, ok := rep.Check(name)
	if !ok {
		t.Fatalf("no check %q in the report", name)
	}
	return c
}
