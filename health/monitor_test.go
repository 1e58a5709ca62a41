package health_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido/health"
)

func ok(context.Context) health.Result { return health.Result{Status: health.OK, Reason: "fine"} }

func TestChecksRunAtStartAndThenAtTheirInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		ran := map[string][]time.Duration{}
		note := func(name string) health.Check {
			return check(name, func(context.Context) health.Result {
				mu.Lock()
				defer mu.Unlock()
				ran[name] = append(ran[name], time.Since(began))
				return health.Result{Status: health.OK}
			})
		}
		fast, slow, heavy := note("fast"), note("slow"), note("heavy")
		fast.Interval, slow.Interval, heavy.Interval = 10*time.Second, 25*time.Second, 30*time.Second
		heavy.Cost = health.Expensive
		cfg := only(fast, slow, heavy)
		cfg.ExpensiveDelay = 15 * time.Second
		m := monitor(t, cfg)
		advance(51 * time.Second)

		const s = time.Second
		mu.Lock()
		defer mu.Unlock()
		for name, want := range map[string][]time.Duration{
			"fast": {0, 10 * s, 20 * s, 30 * s, 40 * s, 50 * s}, "slow": {0, 25 * s, 50 * s}, "heavy": {15 * s, 45 * s},
		} {
			if !slices.Equal(ran[name], want) {
				t.Errorf("%s ran at %v, want %v", name, ran[name], want)
			}
		}
		if got := find(t, m.Report(), "fast"); got.RunCount != 6 || !got.NextRun.Equal(began.Add(60*s)) {
			t.Errorf("report of fast: %+v", got)
		}
	})
}

func TestJitterSpreadsIntervalsWithinItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Time
		c := check("c", func(context.Context) health.Result {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
			return health.Result{Status: health.OK}
		})
		c.Interval = time.Minute
		cfg := only(c)
		cfg.Jitter = 0.25
		monitor(t, cfg)
		advance(time.Hour)

		mu.Lock()
		defer mu.Unlock()
		distinct := map[time.Duration]bool{}
		for i := 1; i < len(at); i++ {
			d := at[i].Sub(at[i-1])
			distinct[d] = true
			if d < 45*time.Second || d > 75*time.Second {
				t.Errorf("run %d came after %s, want 45s to 75s", i, d)
			}
		}
		if len(at) < 48 || len(distinct) < 10 {
			t.Errorf("%d runs with %d distinct intervals", len(at), len(distinct))
		}
	})
}

// A check that takes longer than its interval, and one that ignores the end of
// its context:
//
//	owner     starts | due again   | timeout      | returns
//	check     |------|-------------|--------------|------->|
//	report    running              | Failed       |        | next run
func TestAHangingCheckIsFailedWithItsTimeoutAndStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		var runs, others, inside atomic.Int64
		hang := check("hang", func(context.Context) health.Result {
			if inside.Add(1) > 1 {
				t.Error("the check runs beside itself")
			}
			defer inside.Add(-1)
			if runs.Add(1) == 1 {
				<-let
			}
			return health.Result{Status: health.OK, Reason: "back"}
		})
		hang.Interval, hang.Timeout, hang.Cost = 2*time.Second, 5*time.Second, health.Expensive
		other := check("other", func(context.Context) health.Result {
			others.Add(1)
			return health.Result{Status: health.OK}
		})
		other.Interval, other.Cost = time.Second, health.Expensive // waits for its turn behind hang
		m := monitor(t, only(hang, other))

		advance(7 * time.Second)
		got := find(t, m.Report(), "hang")
		if got.Status != health.Failed || !strings.Contains(got.Reason, "5s") || got.Remedy == "" || !got.Running {
			t.Errorf("while it hangs: %+v", got)
		}
		before := others.Load()
		if before == 0 {
			t.Error("the other expensive check waits for the one that hangs")
		}
		advance(10 * time.Second)
		if n := runs.Load(); n != 1 {
			t.Errorf("the hanging check was started %d times", n)
		}
		if n := others.Load() - before; n < 9 {
			t.Errorf("the other check ran %d times in 10s", n)
		}
		if got := find(t, m.Report(), "hang"); got.ConsecutiveFailures != 1 {
			t.Errorf("one hanging run counts as %d failures", got.ConsecutiveFailures)
		}
		// A run on demand does not wait for it either.
		if rep, err := m.Run(t.Context(), "hang"); err != nil || find(t, rep, "hang").Status != health.Failed {
			t.Errorf("on demand: %v, %+v", err, rep)
		}
		close(let)
		advance(3 * time.Second)
		if got := find(t, m.Report(), "hang"); got.Status != health.OK || got.ConsecutiveFailures != 0 {
			t.Errorf("after it came back: %+v", got)
		}
	})
}

func TestACheckThatHeedsItsContextIsFailedWithTheTimeoutNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := check("slow", func(ctx context.Context) health.Result {
			<-ctx.Done()
			return health.Result{Status: health.Failed, Reason: "reading: " + ctx.Err().Error(), Remedy: "wait"}
		})
		c.Timeout = 3 * time.Second
		m := monitor(t, only(c))
		rep, err := m.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := "did not finish within its timeout of 3s: reading: context deadline exceeded"
		if got := find(t, rep, "slow"); got.Reason != want || got.Remedy != "wait" || got.Duration != 3*time.Second {
			t.Errorf("got %+v", got)
		}
	})
}

func TestACheckThatDoesNotReturnAResultIsFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var nobody *health.Check
		m := monitor(t, only(
			check("exits", func(context.Context) health.Result { runtime.Goexit(); return health.Result{} }),
			check("nothing", func(context.Context) health.Result { return health.Result{} }),
			check("nonsense", func(context.Context) health.Result { return health.Result{Status: 17, Reason: "?"} }),
			check("panics", func(context.Context) health.Result { panic("no such thing") }),
			check("derefs", func(context.Context) health.Result { return health.Result{Reason: nobody.Name} }),
			check("works", ok),
		))
		rep, err := m.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"exits": "ended its goroutine", "nothing": "without a status", "nonsense": "without a status",
			"panics": "panicked: no such thing", "derefs": "nil pointer",
		} {
			if got := find(t, rep, name); got.Status != health.Failed || !strings.Contains(got.Reason, want) || got.Remedy == "" {
				t.Errorf("%s: %+v", name, got)
			}
		}
		if got := find(t, rep, "works"); got.Status != health.OK {
			t.Errorf("works: %+v", got)
		}
		if rep.Status != health.Failed {
			t.Errorf("overall status is %s", rep.Status)
		}
	})
}

// script is a check that returns the given results one after the other, and
// the last one for ever.
func script(name string, results ...health.Result) health.Check {
	i := -1
	c := check(name, func(context.Context) health.Result {
		i = min(i+1, len(results)-1)
		return results[i]
	})
	c.Interval = time.Second
	return c
}

func TestOnlyChangesOfStatusAreLoggedAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := health.Result{Status: health.OK, Reason: "fine"}
		slow := health.Result{Status: health.Degraded, Reason: "slow", Remedy: "wait"}
		gone := health.Result{Status: health.Failed, Reason: "gone", Remedy: "look"}
		var log bytes.Buffer
		var mu sync.Mutex
		var told []string
		cfg := only(script("steps", good, good, slow, slow, gone, gone, gone, good, good), script("calm", good), script("bad", gone))
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		cfg.OnChange = func(c health.Change) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf("%s %s>%s %s %s", c.Check, c.From, c.To, c.Result.Reason, c.Lasted))
		}
		m := monitor(t, cfg)
		advance(5500 * time.Millisecond)
		if got := find(t, m.Report(), "steps"); got.ConsecutiveFailures != 2 || got.Status != health.Failed ||
			!got.Since.Equal(got.LastRun.Add(-time.Second)) {
			t.Errorf("in the middle: %+v", got)
		}
		advance(time.Minute)

		mu.Lock()
		defer mu.Unlock()
		slices.Sort(told)
		want := []string{
			"bad unknown>failed gone 0s", "steps degraded>failed gone 2s",
			"steps failed>ok fine 3s", "steps ok>degraded slow 2s",
		}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != len(want) {
			t.Errorf("%d lines in the log, want %d:\n%s", len(lines), len(want), log.String())
		}
		for _, part := range []string{"level=ERROR", "level=WARN", "level=INFO", "check=steps", "remedy=look", "from=failed to=ok"} {
			if !strings.Contains(log.String(), part) {
				t.Errorf("no %s in the log:\n%s", part, log.String())
			}
		}
	})
}

func TestAHookThatPanicsStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		cfg := only(script("bad", health.Result{Status: health.Failed, Reason: "gone", Remedy: "look"}))
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		cfg.OnChange = func(health.Change) { panic("in the hook") }
		m := monitor(t, cfg)
		advance(10500 * time.Millisecond)
		if got := find(t, m.Report(), "bad"); got.RunCount != 11 || got.ConsecutiveFailures != 11 {
			t.Errorf("got %+v", got)
		}
		if !strings.Contains(log.String(), "in the hook") {
			t.Errorf("the log does not tell of the panic: %s", log.String())
		}
	})
}

func TestARunOnDemandJoinsTheRunThatIsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		var runs atomic.Int64
		c := check("c", func(context.Context) health.Result {
			runs.Add(1)
			<-let
			return health.Result{Status: health.OK}
		})
		m := monitor(t, only(c, check("other", ok)))
		synctest.Wait()

		results := make(chan health.Report, 3)
		for range 3 {
			go func() {
				rep, err := m.Run(context.Background(), "c", "c")
				if err != nil {
					t.Error(err)
				}
				results <- rep
			}()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		rep, err := m.Run(ctx, "other", "c")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a run that is waited for too long: %v", err)
		}
		if find(t, rep, "other").Status != health.OK || find(t, rep, "c").Status != health.Unknown || !find(t, rep, "c").Running {
			t.Errorf("what is known by then: %+v", rep)
		}
		close(let)
		for range 3 {
			if rep := <-results; len(rep.Checks) != 1 || find(t, rep, "c").Status != health.OK {
				t.Errorf("got %+v", rep)
			}
		}
		if n := runs.Load(); n != 1 {
			t.Errorf("the check ran %d times", n)
		}
	})
}

func TestRunRefusesUnknownNamesAndAMonitorThatIsNotRunning(t *testing.T) {
	m, err := health.New(only(check("c", ok)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(t.Context()); !errors.Is(err, health.ErrNotStarted) {
		t.Errorf("before Start: %v", err)
	}
	if err := m.StartWithoutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.StartWithoutDatabase(t.Context()); !errors.Is(err, health.ErrStarted) {
		t.Errorf("second Start: %v", err)
	}
	if _, err := m.Run(t.Context(), "c", "d"); !errors.Is(err, health.ErrUnknownCheck) || !strings.Contains(err.Error(), `"d"`) {
		t.Errorf("unknown name: %v", err)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(t.Context()); !errors.Is(err, health.ErrNotStarted) {
		t.Errorf("after Stop: %v", err)
	}
}

func TestStopTwiceWithoutStartAndBesideStartIsFine(t *testing.T) {
	m, err := health.New(only(check("c", ok)))
	if err != nil {
		t.Fatal(err)
	}
	stop := func() {
		t.Helper()
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	stop()
	for range 50 {
		if err := m.StartWithoutDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m.State() != health.Ready {
			t.Errorf("state %s after Start", m.State())
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(stop)
			wg.Go(func() {
				if _, err := m.Run(context.Background()); err != nil && !errors.Is(err, health.ErrNotStarted) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if m.State() != health.Stopped {
			t.Errorf("state %s after Stop", m.State())
		}
	}
}

func TestStopCancelsChecksAndDropsWhatTheySay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := check("c", func(ctx context.Context) health.Result {
			<-ctx.Done()
			return health.Result{Status: health.Failed, Reason: ctx.Err().Error()}
		})
		c.Timeout = time.Hour
		heavy := c
		heavy.Name, heavy.Cost = "heavy", health.Expensive
		waits := heavy
		waits.Name = "waits"
		cfg := only(c, heavy, waits)
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		m := monitor(t, cfg)
		synctest.Wait()
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Report().Checks {
			if c.Status != health.Unknown || c.RunCount != 0 || c.Running {
				t.Errorf("after Stop: %+v", c)
			}
		}
		if log.Len() > 0 {
			t.Errorf("logged: %s", log.String())
		}
	})
}

func TestStopNamesTheCheckThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		c := check("stubborn", func(context.Context) health.Result { <-let; return health.Result{Status: health.OK} })
		m := monitor(t, only(c, check("works", ok)))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := m.Stop(ctx)
		if !errors.Is(err, health.ErrStuck) || !errors.Is(err, context.DeadlineExceeded) ||
			!strings.Contains(err.Error(), "stubborn") || strings.Contains(err.Error(), "works") {
			t.Errorf("got %v", err)
		}
		// Started again, it waits for the old run of the check to end.
		if err := m.StartWithoutDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		advance(5 * time.Second)
		if got := find(t, m.Report(), "stubborn"); !got.Running || got.RunCount != 0 {
			t.Errorf("beside the old run: %+v", got)
		}
		close(let)
		synctest.Wait()
		if got := find(t, m.Report(), "stubborn"); got.Status != health.OK || got.RunCount != 1 {
			t.Errorf("after the old run: %+v", got)
		}
	})
}

func TestReportIsSortedAndUnknownDoesNotCount(t *testing.T) {
	m := monitor(t, only(
		check("zebra", ok),
		check("ant", func(context.Context) health.Result {
			return health.Result{Status: health.Unknown, Reason: "cannot tell here"}
		}),
		check("mole", ok),
	))
	rep, err := m.Run(t.Context(), "zebra", "ant", "mole")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range rep.Checks {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, []string{"ant", "mole", "zebra"}) || rep.Status != health.OK {
		t.Errorf("%v, %s", names, rep.Status)
	}
	if got := find(t, rep, "ant"); got.Status != health.Unknown || got.Reason != "cannot tell here" || got.ConsecutiveFailures != 0 {
		t.Errorf("got %+v", got)
	}
}
