package pool

import (
	"sync"
	"sync/atomic"

	"github.com/jackc/puddle/v2"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/callers"
)

// Resource is one pooled R, from Open to Close. The same Resource is handed to
// one borrower after another; between Acquire and Release or Destroy it belongs
// to its borrower, whose calls must not overlap.
//
// Using it after that is a mistake that panics where it can be seen: it cannot
// when the Resource has meanwhile gone to another borrower.
type Resource[R any] struct {
	value      R
	pool       *Pool[R]
	generation uint64
	expires    int64 // nanoseconds on the pool's clock, 0 for never

	// Owned by who has the resource from puddle.
	entry    *puddle.Resource[*Resource[R]]
	lastUsed int64
	lastHeld int64 // the last value of held but 0
	idle     bool  // counted in pool.idle

	// reported is the borrowing that was last found to take too long, and the
	// age at which to report it next. Owned by the maintenance goroutine.
	reported struct{ since, next int64 }

	// held is when the borrower got the resource, on the pool's clock, and 0
	// while nobody has it. No two borrowings have the same.
	held   atomic.Int64
	holder atomic.Pointer[lido.Query]
	// by is who borrowed it. It is written before held is set, or under mu, and
	// read only by visitors.
	by callers.PCs

	// mu is held by a visitor: somebody who does something with the resource of
	// a borrower beside it, Interrupt for instance. Release waits for visitors,
	// so that none meets the next borrower. mu guards interrupted, and by while
	// held is set.
	mu          sync.Mutex
	visitors    atomic.Int32
	interrupted bool
}

// visit calls fn, which must be quick, unless the borrowing that began at since
// is over. The borrower goes on meanwhile, but cannot give back.
func (r *Resource[R]) visit(since int64, fn func()) bool {
	// Announced before held is read, as Release clears held before it looks for
	// visitors: one of the two sees the other.
	r.visitors.Add(1)
	defer r.visitors.Add(-1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if since == 0 || r.held.Load() != since {
		return false
	}
	fn()
	return true
}

// seeOut waits until visitors have left. No further one comes in, as held is 0.
func (r *Resource[R]) seeOut() {
	if r.visitors.Load() != 0 {
		r.mu.Lock()
		//lint:ignore SA2001 the section is empty on purpose
		r.mu.Unlock()
	}
}

// Value returns the pooled resource. It panics when r is not held.
func (r *Resource[R]) Value() R {
	if r.held.Load() == 0 {
		r.misuse("Value")
	}
	return r.value
}

// SetHolder notes the query that the borrower runs, for errors that name who
// holds what. It costs one atomic store and keeps q.
func (r *Resource[R]) SetHolder(q *lido.Query) { r.holder.Store(q) }

// heldHere notes that the caller works with the resource now, for somebody else
// who has borrowed it.
func (r *Resource[R]) heldHere(q *lido.Query) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holder.Store(q)
	callers.Note(&r.by)
}

// Release gives the resource back.
//
// It asks Options.Released first; a resource that is refused, too old, retired
// or of a closed pool is destroyed before Release returns. Otherwise it goes to
// whoever has waited longest. A second Release panics.
func (r *Resource[R]) Release() {
	since := r.held.Swap(0)
	if since == 0 {
		r.misuse("Release")
	}
	if r.pool.opt.Tracer != nil {
		defer r.giveBack(true) // also when the tracer panics
		r.pool.traceRelease(since, false)
		return
	}
	r.giveBack(true)
}

// giveBack is Release of a resource that is not held any more. One that was not
// used either goes on being idle since it was used last.
func (r *Resource[R]) giveBack(used bool) {
	r.seeOut()
	p := r.pool
	if p.opt.Released != nil {
		if err := r.checkReleased(); err != nil {
			p.destroy(r, DestroyedInvalid, err)
			return
		}
	}
	now := p.now()
	switch {
	case p.closed.Load():
		p.destroy(r, DestroyedClosed, nil)
		return
	case r.generation != p.generation.Load():
		p.destroy(r, DestroyedRetired, nil)
		return
	case r.expires != 0 && now >= r.expires:
		p.destroy(r, DestroyedLifetime, nil)
		return
	}
	if used {
		r.lastUsed = now
	}
	generation := r.generation
	r.putBack()
	// From here on r belongs to somebody else. Retire may have looked for idle
	// resources just before this one became idle.
	if generation != p.generation.Load() {
		p.destroyRetired()
	}
}

// take notes that entry, which holds r, was acquired from puddle.
func (r *Resource[R]) take(entry *puddle.Resource[*Resource[R]]) {
	r.entry = entry
	if r.idle {
		r.idle = false
		r.pool.idle.Add(-1)
	}
}

// putBack makes r idle. "Unused" saves puddle reading the clock: r.lastUsed says
// when that was.
func (r *Resource[R]) putBack() {
	r.idle = true
	r.pool.idle.Add(1)
	r.entry.ReleaseUnused()
}

// Destroy closes the resource instead of giving it back, before it returns.
// reason is for Options.OnDestroy.
func (r *Resource[R]) Destroy(reason error) {
	since := r.held.Swap(0)
	if since == 0 {
		r.misuse("Destroy")
	}
	defer r.pool.destroy(r, DestroyedBroken, reason) // also when the tracer panics
	if r.pool.opt.Tracer != nil {
		r.pool.traceRelease(since, true)
	}
}

// checkReleased asks Released, and destroys the resource should that panic.
func (r *Resource[R]) checkReleased() error {
	returned := false
	defer func() {
		if !returned {
			r.pool.destroy(r, DestroyedInvalid, errCheckPanicked)
		}
	}()
	err := r.pool.opt.Released(r.value)
	returned = true
	return err
}

func (r *Resource[R]) misuse(method string) {
	panic("pool: " + method + " of a " + r.pool.opt.Name + " that is not held: it was released or destroyed before")
}
