package pool

import "time"

// DestroyReason says why a resource was destroyed.
type DestroyReason int

// The reasons, each with its own counter in DestroyedCount.
const (
	DestroyedIdle     DestroyReason = iota // idle for IdleTimeout, or DestroyIdle
	DestroyedLifetime                      // older than MaxLifetime
	DestroyedInvalid                       // Idle or Released refused it
	DestroyedRetired                       // Retire was called after it was opened
	DestroyedClosed                        // the pool was closed
	DestroyedBroken                        // its borrower called Destroy
	destroyReasons
)

// String returns the reason in one word.
func (r DestroyReason) String() string {
	switch r {
	case DestroyedIdle:
		return "idle"
	case DestroyedLifetime:
		return "lifetime"
	case DestroyedInvalid:
		return "invalid"
	case DestroyedRetired:
		return "retired"
	case DestroyedClosed:
		return "closed"
	case DestroyedBroken:
		return "broken"
	}
	return "unknown"
}

// PoolStat is a snapshot of one Pool. Counts and durations without "now" in
// their description add up since New.
type PoolStat struct {
	Name string

	// Max is Options.MaxCount. InUse, Idle and Constructing are resources now,
	// counted at one moment: their sum never exceeds Max. Waiting is how many
	// calls of Acquire wait now for a release or an opening.
	Max, InUse, Idle, Constructing, Waiting int

	// AcquireCount is how many calls of Acquire returned a resource.
	// EmptyAcquireCount is how many of them found none idle, and AcquireWait
	// how long these waited, added up.
	AcquireCount      int64
	EmptyAcquireCount int64
	AcquireWait       time.Duration

	// CanceledCount is how many calls of Acquire their context ended, or
	// Options.Stuck.
	CanceledCount int64

	// Created and OpenFailedCount count what Open answered. Created less
	// Destroyed.Total is how many resources are open.
	Created         int64
	OpenFailedCount int64
	Destroyed       DestroyedCount

	// InterruptedCount is how many resources Close had to interrupt.
	InterruptedCount int64
}

// DestroyedCount counts destroyed resources by DestroyReason.
type DestroyedCount struct {
	Idle, Lifetime, Invalid, Retired, Closed, Broken int64
}

// Total is the sum of all reasons.
func (c DestroyedCount) Total() int64 {
	return c.Idle + c.Lifetime + c.Invalid + c.Retired + c.Closed + c.Broken
}

// Recycled is the sum of the reasons for which a resource in good health goes:
// idle, lifetime and retired.
func (c DestroyedCount) Recycled() int64 { return c.Idle + c.Lifetime + c.Retired }

// Stat returns a snapshot of the pool. It may be called at any time, also
// after Close.
func (p *Pool[R]) Stat() PoolStat {
	// Destroyed before Created: a resource that is opened and destroyed while
	// the snapshot is taken must not make more destroyed than created.
	destroyed := DestroyedCount{
		Idle:     p.destroyed[DestroyedIdle].Load(),
		Lifetime: p.destroyed[DestroyedLifetime].Load(),
		Invalid:  p.destroyed[DestroyedInvalid].Load(),
		Retired:  p.destroyed[DestroyedRetired].Load(),
		Closed:   p.destroyed[DestroyedClosed].Load(),
		Broken:   p.destroyed[DestroyedBroken].Load(),
	}
	// Likewise those that waited before all that were served.
	rejected := p.rejected.Load()
	emptyAcquires, acquireWait := p.emptyAcquires.Load(), p.acquireWait.Load()
	s := p.puddle.Stat()
	return PoolStat{
		Name:              p.opt.Name,
		Max:               int(s.MaxResources()),
		InUse:             int(s.AcquiredResources()),
		Idle:              int(s.IdleResources()),
		Constructing:      int(s.ConstructingResources()),
		Waiting:           int(p.waiting.Load()),
		AcquireCount:      s.AcquireCount() - rejected,
		EmptyAcquireCount: emptyAcquires,
		AcquireWait:       time.Duration(acquireWait),
		CanceledCount:     p.canceled.Load(),
		Created:           p.created.Load(),
		OpenFailedCount:   p.openFailed.Load(),
		Destroyed:         destroyed,
		InterruptedCount:  p.interrupted.Load(),
	}
}
