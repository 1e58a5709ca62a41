package backup

import (
	"context"
	"time"
)

// schedule decides when the next backup is due. It looks at the wall clock,
// not at how long it has waited: a laptop that slept and a process that was
// restarted catch up on what they missed.
type schedule struct {
	interval time.Duration
	jitter   float64       // the part of a wait that chance may cut off, 0 to 1
	retry    time.Duration // the first wait after a failure; it doubles up to interval
	random   func() float64

	// last returns the time of the newest verified backup.
	last func(ctx context.Context) (t time.Time, ok bool, err error)
	// run makes a backup, unless there is one now that is newer than last, and
	// tells whoever wants to know how it went.
	run func(ctx context.Context, last time.Time) error
	// failed is told that last has failed.
	failed func(err error)
	// wake says that a backup was made outside the schedule.
	wake <-chan struct{}
}

const (
	// longestSleep is how long a change of the wall clock can go unnoticed.
	longestSleep = 5 * time.Minute
	// spread is the longest that chance delays an overdue backup, so that
	// many instances started at once do not all begin at once.
	spread = time.Minute
)

// loop runs backups until ctx ends.
func (s *schedule) loop(ctx context.Context) {
	failures := 0
	var notBefore time.Time
	for ctx.Err() == nil {
		last, ok, err := s.last(ctx)
		if err != nil && ctx.Err() == nil {
			s.failed(err)
		}
		if err != nil {
			failures++
			s.sleep(ctx, now().Add(s.backoff(failures)))
			continue
		}
		due := s.after(now(), last, ok)
		if due.Before(notBefore) {
			due = notBefore
		}
		if !s.sleep(ctx, due) { // another backup was made, or this is the end
			failures, notBefore = 0, time.Time{}
			continue
		}
		if s.run(ctx, last) == nil {
			failures = 0
		} else {
			failures++
		}
		// After a success too: a store that does not show what it was given
		// must not make us fill it.
		notBefore = now().Add(s.backoff(max(failures, 1)))
	}
}

// after returns when a backup is due that follows last. Chance only brings it
// forward, so the age of the newest backup stays under interval.
func (s *schedule) after(now, last time.Time, ok bool) time.Time {
	if ok && last.After(now) { // the clock was set back
		last = now
	}
	if due := last.Add(s.cut(s.interval)); ok && due.After(now) {
		return due
	}
	delay := min(float64(spread), float64(s.interval)*s.jitter) * s.random()
	return now.Add(time.Duration(delay))
}

// backoff returns the wait after so many failures in a row.
func (s *schedule) backoff(failures int) time.Duration {
	wait := s.retry
	for range failures - 1 {
		if wait >= s.interval {
			break
		}
		wait *= 2
	}
	return s.cut(min(wait, s.interval))
}

// cut takes a random part of the jitter off d.
func (s *schedule) cut(d time.Duration) time.Duration {
	return d - time.Duration(float64(d)*s.jitter*s.random())
}

// sleep waits until the wall clock shows due. It reports false when ctx ended
// or a backup was made meanwhile.
func (s *schedule) sleep(ctx context.Context, due time.Time) bool {
	for {
		wait := due.Sub(now())
		if wait <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(min(wait, longestSleep))
		select {
		case <-timer.C:
		case <-s.wake:
			timer.Stop()
			return false
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// now is the wall clock alone: Go's monotonic clock stands still while the
// machine sleeps.
func now() time.Time { return time.Now().Round(0) }
