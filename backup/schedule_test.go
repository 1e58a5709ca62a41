package backup

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// diary runs a schedule in a bubble of fake time and notes when it acted.
type diary struct {
	schedule
	begin   time.Time
	last    time.Time // zero: none
	lastErr error
	fail    int  // so many runs fail
	blind   bool // the store does not show what it was given
	ran     []time.Duration
	told    []time.Duration
	wakeUp  chan struct{}
}

func newDiary(interval time.Duration) *diary {
	d := &diary{begin: now(), wakeUp: make(chan struct{}, 1)}
	d.schedule = schedule{
		interval: interval, retry: time.Minute, random: func() float64 { return 0.5 }, wake: d.wakeUp,
		last: func(context.Context) (time.Time, bool, error) { return d.last, !d.last.IsZero(), d.lastErr },
		run: func(context.Context, time.Time) error {
			d.ran = append(d.ran, now().Sub(d.begin))
			if d.fail > 0 {
				d.fail--
				return errors.New("failed")
			}
			if !d.blind {
				d.last = now()
			}
			return nil
		},
		failed: func(error) { d.told = append(d.told, now().Sub(d.begin)) },
	}
	return d
}

// during lets the schedule run for so long and returns once it has ended.
func (d *diary) during(t *testing.T, length time.Duration, meanwhile func()) {
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	done := make(chan struct{})
	go func() {
		d.loop(ctx)
		close(done)
	}()
	if meanwhile != nil {
		meanwhile()
	}
	<-done
}

func hours(n ...float64) []time.Duration {
	var out []time.Duration
	for _, n := range n {
		out = append(out, time.Duration(n*float64(time.Hour)))
	}
	return out
}

func expect(t *testing.T, what string, got, want []time.Duration) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s at %v, want %v", what, got, want)
	}
}

func TestScheduleKeepsTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(12 * time.Hour)
		d.last = d.begin.Add(-2 * time.Hour)
		d.during(t, 40*time.Hour, nil)
		expect(t, "ran", d.ran, hours(10, 22, 34))
	})
}

func TestScheduleCatchesUp(t *testing.T) {
	for name, age := range map[string]time.Duration{"overdue": 100 * time.Hour, "just due": 12 * time.Hour, "none yet": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDiary(12 * time.Hour)
				if age > 0 {
					d.last = d.begin.Add(-age)
				}
				d.during(t, 13*time.Hour, nil)
				expect(t, "ran", d.ran, hours(0, 12))
			})
		})
	}
}

// Chance delays an overdue backup by a minute at most, and brings others
// forward, so that the newest is never older than the interval.
func TestScheduleJitters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(12 * time.Hour)
		d.jitter = 0.2
		d.during(t, 23*time.Hour, nil)
		first := 30 * time.Second
		expect(t, "ran", d.ran, []time.Duration{first, first + 12*time.Hour*9/10, first + 2*12*time.Hour*9/10})
	})
}

func TestScheduleRetriesWithLongerAndLongerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(10 * time.Minute)
		d.fail = 6
		d.during(t, time.Hour, nil)
		at := []time.Duration{0}
		for _, wait := range []int{1, 2, 4, 8, 10, 10, 10} {
			at = append(at, at[len(at)-1]+time.Duration(wait)*time.Minute)
		}
		expect(t, "ran", d.ran, append(at, 55*time.Minute)[:len(d.ran)])
		if len(d.ran) < 8 {
			t.Errorf("ran only %d times", len(d.ran))
		}
	})
}

func TestScheduleReportsAStoreThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(10 * time.Minute)
		d.lastErr = errors.New("no answer")
		d.during(t, 4*time.Minute, nil)
		expect(t, "told", d.told, []time.Duration{0, time.Minute, 3 * time.Minute})
		expect(t, "ran", d.ran, nil)
	})
}

// TestScheduleHeedsABackupOnDemand:
//
//	schedule            on demand
//	due in 12 h
//	                    at 6 h
//	due at 18 h
func TestScheduleHeedsABackupOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(12 * time.Hour)
		d.last = d.begin
		d.during(t, 19*time.Hour, func() {
			<-time.After(6 * time.Hour)
			d.last = now()
			d.wakeUp <- struct{}{}
		})
		expect(t, "ran", d.ran, hours(18))
	})
}

// A clock that was set back must not put backups off until it has caught up.
func TestScheduleIsNotFooledByATimeInTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(12 * time.Hour)
		d.last = d.begin.Add(1000 * time.Hour)
		d.during(t, 13*time.Hour, nil)
		expect(t, "ran", d.ran, hours(12))
	})
}

func TestScheduleDoesNotFillAStoreThatShowsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(12 * time.Hour)
		d.blind = true
		d.during(t, 3*time.Minute-1, nil)
		expect(t, "ran", d.ran, []time.Duration{0, time.Minute, 2 * time.Minute})
	})
}
