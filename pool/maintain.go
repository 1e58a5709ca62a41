package pool

import (
	"errors"
	"time"

	"github.com/jackc/puddle/v2"
)

// maintain is the maintenance goroutine. Close waits for it.
func (p *Pool[R]) maintain() {
	defer p.leave()
	tick := time.NewTicker(p.opt.MaintenanceInterval)
	defer tick.Stop()
	for {
		p.destroyExpired()
		p.fill()
		if p.opt.HeldTooLong > 0 {
			p.reportHeld()
		}
		select {
		case <-p.base.Done():
			return
		case <-tick.C:
		case <-p.kick:
		}
	}
}

// wake asks for maintenance soon.
func (p *Pool[R]) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// destroyExpired destroys what is idle and too old, retired, or idle for too long.
func (p *Pool[R]) destroyExpired() {
	now := p.now()
	p.sweep(func(r *Resource[R], kept int) (DestroyReason, bool) {
		switch {
		case r.generation != p.generation.Load():
			return DestroyedRetired, true
		case r.expires != 0 && now >= r.expires:
			return DestroyedLifetime, true
		case p.opt.IdleTimeout > 0 && now-r.lastUsed >= int64(p.opt.IdleTimeout) && kept >= p.opt.MinIdleCount:
			return DestroyedIdle, true
		}
		return 0, false
	})
}

// destroyRetired destroys what is idle and of an earlier generation.
func (p *Pool[R]) destroyRetired() {
	p.sweep(func(r *Resource[R], _ int) (DestroyReason, bool) {
		return DestroyedRetired, r.generation != p.generation.Load()
	})
}

// sweep asks judge about every idle resource, the last used first, and destroys
// those that it condemns. kept is how many it has spared so far.
//
// The others are back in the pool, in their old order, before the first is
// closed: closing may take a while.
func (p *Pool[R]) sweep(judge func(r *Resource[R], kept int) (DestroyReason, bool)) {
	type condemned struct {
		r   *Resource[R]
		why DestroyReason
	}
	var keep []*Resource[R]
	var destroy []condemned
	for _, entry := range p.puddle.AcquireAllIdle() {
		r := entry.Value()
		r.take(entry)
		if why, ok := judge(r, len(keep)); ok {
			destroy = append(destroy, condemned{r, why})
		} else {
			keep = append(keep, r)
		}
	}
	for i := len(keep) - 1; i >= 0; i-- {
		keep[i].putBack()
	}
	for _, c := range destroy {
		p.destroy(c.r, c.why, nil)
	}
}

// fill opens resources until MinIdleCount are idle or the pool is full. What
// fails is reported and tried again by the next maintenance.
func (p *Pool[R]) fill() {
	for !p.closed.Load() {
		s := p.puddle.Stat()
		if int(s.IdleResources()+s.ConstructingResources()) >= p.opt.MinIdleCount {
			return
		}
		err := p.puddle.CreateResource(p.base)
		if p.closed.Load() {
			// puddle made it idle without noticing that Close came between.
			p.puddle.Reset()
			return
		}
		if err != nil {
			if !errors.Is(err, puddle.ErrNotAvailable) {
				p.report(err)
			}
			return
		}
	}
}
