package pool

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Defaults of Options, used where a field is zero.
const (
	defaultIdleCheckAfter      = 30 * time.Second
	defaultMaintenanceInterval = 30 * time.Second
	defaultCloseGrace          = 5 * time.Second
)

// interruptEvery is how often Close repeats Interrupt during its grace. An
// interrupt that falls between two statements of a borrower stops neither.
const interruptEvery = 100 * time.Millisecond

// Options says how a Pool opens, judges and closes its resources. Name,
// MaxCount, Open and Close are required; the zero value of every other field
// works. New copies it.
type Options[R any] struct {
	// Name is what errors call one resource: "reader", "writer".
	Name string

	// MaxCount bounds the resources that are open at any moment. One that is
	// being destroyed counts until its Close has returned.
	MaxCount int

	// MinIdleCount is how many idle resources the maintenance goroutine keeps
	// at hand, as far as MaxCount allows. Default 0.
	MinIdleCount int

	// Open opens one resource. Its context carries the values of the caller
	// that needs the resource and ends when the pool closes, not when that
	// caller gives up: the resource then becomes idle for the next one.
	// A panic in Open is returned as an error, for Open has a goroutine of
	// its own where nobody could recover it.
	Open func(ctx context.Context) (R, error)

	// Close closes one resource, also one that was found bad. It is called
	// once for each resource, on the goroutine that let go of it or on one
	// that Pool.Close waits for.
	Close func(R)

	// Idle checks a resource that was idle for IdleCheckAfter or longer before
	// it is handed out, under the context of the caller that is to get it. After
	// an error, or a panic, the resource is destroyed and another one taken;
	// after an error when that context has ended it goes back, to be checked
	// for the next caller. Optional.
	Idle func(ctx context.Context, r R) error

	// Released checks a resource on every Release. After an error, or a panic,
	// it is destroyed and not handed on. Optional.
	Released func(r R) error

	// Interrupt makes the borrower of r finish soon. Pool.Close calls it, when
	// its context has ended and r is still held, on its own goroutine beside
	// that of the borrower, and again every 100 ms until r is back. It never
	// runs once Close was called for r. It must not block. Optional.
	Interrupt func(r R)

	// OnDestroy is told of each resource that is destroyed, why, and with which
	// error where there was one, just before Close. Optional.
	OnDestroy func(r R, why DestroyReason, err error)

	// Tracer is told of every acquire and release. Optional.
	Tracer AcquireTracer

	// OnError is told of what failed while nobody waited for it: opening an
	// idle resource, or one whose caller had gone. Optional.
	OnError func(err error)

	// HeldTooLong is how long a borrower may keep a resource before
	// OnHeldTooLong is told who it is, with the stack that acquired it, and again
	// whenever the time has doubled. It is called on the maintenance goroutine,
	// which looks every MaintenanceInterval. Default 0: never.
	HeldTooLong   time.Duration
	OnHeldTooLong func(h Holder)

	// Stuck is asked when nothing has moved while a caller of Acquire waited:
	// MaxCount resources are held, each by the same borrower since before the
	// caller came. That is looked at when the caller's context ends, which
	// cause tells, and whenever it has waited for StuckAfter, with a nil cause.
	// An error is what Acquire then returns; nil changes nothing. It runs beside
	// the caller, or on its goroutine. Optional; StuckAfter 0 looks only when
	// the context ends.
	Stuck      func(holders []Holder, waited time.Duration, cause error) error
	StuckAfter time.Duration

	// IdleCheckAfter is the idle time after which Idle is asked. Default 30 s;
	// negative asks on every acquire.
	IdleCheckAfter time.Duration

	// IdleTimeout destroys a resource that was idle for that long, as long as
	// MinIdleCount others are idle. Default 0: never.
	IdleTimeout time.Duration

	// MaxLifetime destroys a resource that is older, when it is released or
	// found idle. Default 0: never. LifetimeJitter lengthens it by a random
	// part of itself, for each resource anew, so that those opened together
	// do not go together.
	MaxLifetime, LifetimeJitter time.Duration

	// MaintenanceInterval is how often the timeouts, MinIdleCount and HeldTooLong
	// are looked after. Default: half the shortest of the times, at most 30 s.
	MaintenanceInterval time.Duration

	// CloseGrace is how long Pool.Close waits for borrowers after it began to
	// interrupt them. Default 5 s.
	CloseGrace time.Duration
}

// withDefaults checks opt and fills in what was left out.
func (opt Options[R]) withDefaults() (Options[R], error) {
	bad := func(format string, args ...any) (Options[R], error) {
		return opt, fmt.Errorf("pool: options of %q: %w", opt.Name, fmt.Errorf(format, args...))
	}
	switch {
	case opt.Name == "":
		return opt, errors.New("pool: options: Name is empty; errors could not say which pool they come from")
	case opt.MaxCount < 1 || opt.MaxCount > math.MaxInt32:
		return bad("MaxCount is %d, want 1 to %d", opt.MaxCount, math.MaxInt32)
	case opt.MinIdleCount < 0:
		return bad("MinIdleCount is %d, want 0 or more", opt.MinIdleCount)
	case opt.MinIdleCount > opt.MaxCount:
		return bad("MinIdleCount is %d, more than MaxCount, which is %d", opt.MinIdleCount, opt.MaxCount)
	case opt.Open == nil:
		return bad("Open is nil")
	case opt.Close == nil:
		return bad("Close is nil")
	case opt.LifetimeJitter > 0 && opt.MaxLifetime == 0:
		return bad("LifetimeJitter is %v, but MaxLifetime is 0 (no limit)", opt.LifetimeJitter)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"IdleTimeout", opt.IdleTimeout},
		{"MaxLifetime", opt.MaxLifetime},
		{"LifetimeJitter", opt.LifetimeJitter},
		{"MaintenanceInterval", opt.MaintenanceInterval},
		{"CloseGrace", opt.CloseGrace},
		{"HeldTooLong", opt.HeldTooLong},
		{"StuckAfter", opt.StuckAfter},
	} {
		if d.value < 0 {
			return bad("%s is %v, want 0 or more", d.name, d.value)
		}
	}
	switch {
	case opt.HeldTooLong > 0 && opt.OnHeldTooLong == nil:
		return bad("HeldTooLong is %v, but OnHeldTooLong is nil", opt.HeldTooLong)
	case opt.StuckAfter > 0 && opt.Stuck == nil:
		return bad("StuckAfter is %v, but Stuck is nil", opt.StuckAfter)
	}
	if opt.IdleCheckAfter == 0 {
		opt.IdleCheckAfter = defaultIdleCheckAfter
	}
	if opt.CloseGrace == 0 {
		opt.CloseGrace = defaultCloseGrace
	}
	if opt.MaintenanceInterval == 0 {
		opt.MaintenanceInterval = defaultMaintenanceInterval
		for _, d := range []time.Duration{opt.IdleTimeout, opt.MaxLifetime, opt.HeldTooLong} {
			if d > 0 {
				opt.MaintenanceInterval = max(min(opt.MaintenanceInterval, d/2), time.Millisecond)
			}
		}
	}
	return opt, nil
}
