package pool

import (
	"context"
	"time"

	"github.com/lidodb/lido/internal/ended"
)

// Close closes the pool. From its first call on Acquire refuses, callers that
// wait get lido.ErrClosed, and a resource that is released is destroyed.
//
// It waits for borrowers until ctx ends, then interrupts those that are left
// and waits Options.CloseGrace more. It returns nil when every resource is
// closed and every goroutine of the pool has ended, also if it had to interrupt
// for that, and a *HeldError that names the holders otherwise. It may be called
// again, and concurrently: each call waits for as long as its own ctx says.
func (p *Pool[R]) Close(ctx context.Context) error {
	p.refuse()
	if p.reset.CompareAndSwap(false, true) {
		// Reset destroys what is idle, and what becomes idle from now on.
		// puddle's Close would do so too, but not return while one is held.
		p.puddle.Reset()
		p.leave()
	}
	select {
	case <-p.drained:
		p.puddle.Close()
		return nil
	default:
	}
	select {
	case <-p.drained:
	case <-ctx.Done():
		if !p.interruptAll() {
			return p.heldError(ctx)
		}
	}
	// Nothing is open any more, so this only waits for puddle's last goroutines.
	p.puddle.Close()
	return nil
}

// refuse begins to close: from here on Acquire refuses, those that wait are
// sent away and what is released is destroyed. What is idle stays for Close.
func (p *Pool[R]) refuse() {
	if p.closed.CompareAndSwap(false, true) {
		p.cancel()
	}
}

// interruptAll interrupts what is held until it is back or the grace is over.
func (p *Pool[R]) interruptAll() (drained bool) {
	grace := time.NewTimer(p.opt.CloseGrace)
	defer grace.Stop()
	again := time.NewTicker(interruptEvery)
	defer again.Stop()
	for {
		p.mu.Lock()
		held := make([]*Resource[R], 0, len(p.all))
		for r := range p.all {
			held = append(held, r)
		}
		p.mu.Unlock()
		for _, r := range held {
			p.interrupt(r)
		}
		select {
		case <-p.drained:
			return true
		case <-grace.C:
			return false
		case <-again.C:
		}
	}
}

func (p *Pool[R]) interrupt(r *Resource[R]) {
	if p.opt.Interrupt == nil {
		return
	}
	r.visit(r.held.Load(), func() {
		if !r.interrupted {
			r.interrupted = true
			p.interrupted.Add(1)
		}
		p.opt.Interrupt(r.value)
	})
}

func (p *Pool[R]) heldError(ctx context.Context) error {
	holders := p.Holders()
	return &HeldError{
		Pool:    p.opt.Name,
		Holders: holders,
		Busy:    max(0, int(p.live.Load())-len(holders)),
		At:      time.Now(),
		Cause:   ended.Err(ctx),
	}
}
