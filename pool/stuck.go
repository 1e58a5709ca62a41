package pool

import (
	"sync"
	"time"
)

// stuck asks Options.Stuck about a caller that has waited since start, if
// nothing has moved since then.
func (p *Pool[R]) stuck(start int64, cause error) error {
	if p.opt.Stuck == nil {
		return nil
	}
	bs := p.borrowed()
	if len(bs) < p.opt.MaxCount || bs[len(bs)-1].since > start {
		return nil
	}
	hs := make([]Holder, 0, len(bs))
	for _, b := range bs {
		h, ok := b.holder()
		if !ok {
			return nil
		}
		hs = append(hs, h)
	}
	return p.opt.Stuck(hs, time.Duration(p.now()-start), cause)
}

// stuckWatch looks at a caller that waits, again and again, beside it. A nil
// stuckWatch looks at none.
type stuckWatch struct {
	mu      sync.Mutex // held while it looks; guards the rest
	timer   *time.Timer
	stopped bool
	err     error
}

// watchStuck calls look every so often until it returns an error.
func watchStuck(every time.Duration, look func() error) *stuckWatch {
	w := &stuckWatch{}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(every, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.stopped {
			return
		}
		if w.err = look(); w.err == nil {
			w.timer.Reset(every)
		}
	})
	return w
}

// stop ends the watch, waits until it does not look any more, and returns what
// it found.
func (w *stuckWatch) stop() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
	return w.err
}
