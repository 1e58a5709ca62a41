package pool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/puddle/v2"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/callers"
	"github.com/lidodb/lido/internal/ended"
)

var (
	// errNoOpen answers puddle when it would open a resource on the fast path.
	errNoOpen = errors.New("no idle resource")

	errCheckPanicked = errors.New("check panicked")
)

// Pool keeps up to Options.MaxCount resources open and lends each to one
// borrower at a time. All methods are safe for concurrent use.
//
// Resources are opened when somebody needs them. Callers that wait are served
// in the order in which they came. Acquire and Release of a resource that is
// idle allocate nothing and take no lock but puddle's.
//
// A caller that gives up costs the pool nothing: what was being opened for it
// becomes idle for the next.
type Pool[R any] struct {
	opt    Options[R]
	puddle *puddle.Pool[*Resource[R]]
	start  time.Time // zero of the pool's clock

	// base ends when Close begins. Openings and maintenance run under it.
	base   context.Context
	cancel context.CancelFunc
	// noOpen tells the constructor that it must not open anything.
	noOpen context.Context

	errClosed  error
	closed     atomic.Bool
	reset      atomic.Bool // Close has let go of what was idle
	generation atomic.Uint64

	// idle counts the resources that were put back here. It is a hint: what was
	// opened for a caller that gave up is idle too, but puddle alone knows.
	idle atomic.Int64

	// live counts resources that are being opened, open, or being closed, plus
	// one for the maintenance goroutine and one until Close. drained is closed
	// when it reaches 0.
	live      atomic.Int64
	drained   chan struct{}
	drainOnce sync.Once
	kick      chan struct{} // asks for maintenance now

	// mu guards all, the open resources. It is taken when one is opened or
	// destroyed and to look for holders, never on the way of a borrower.
	mu  sync.Mutex
	all map[*Resource[R]]struct{}

	waiting       atomic.Int64
	emptyAcquires atomic.Int64
	acquireWait   atomic.Int64
	canceled      atomic.Int64
	rejected      atomic.Int64 // acquired from puddle, but not handed out
	created       atomic.Int64
	openFailed    atomic.Int64
	interrupted   atomic.Int64
	destroyed     [destroyReasons]atomic.Int64
}

// New returns a pool. It opens nothing itself; with MinIdleCount the maintenance
// goroutine, which it starts where one is needed, begins to do so at once.
//
// The error names the field of opt that is wrong, and its value.
func New[R any](opt Options[R]) (*Pool[R], error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool[R]{
		opt:       opt,
		start:     time.Now(),
		errClosed: fmt.Errorf("pool: %s: %w", opt.Name, lido.ErrClosed),
		drained:   make(chan struct{}),
		kick:      make(chan struct{}, 1),
		all:       make(map[*Resource[R]]struct{}, min(opt.MaxCount, 64)),
	}
	p.base, p.cancel = context.WithCancel(context.Background())
	p.noOpen = context.WithValue(context.Background(), noOpenKey{}, true)
	p.puddle, err = puddle.NewPool(&puddle.Config[*Resource[R]]{
		Constructor: p.construct,
		Destructor:  p.destruct,
		MaxSize:     int32(opt.MaxCount),
	})
	if err != nil {
		return nil, fmt.Errorf("pool: %s: %w", opt.Name, err)
	}
	p.live.Store(1)
	if opt.MinIdleCount > 0 || opt.IdleTimeout > 0 || opt.MaxLifetime > 0 || opt.HeldTooLong > 0 {
		p.live.Add(1)
		go p.maintain()
	}
	return p, nil
}

// now reads the pool's clock, in nanoseconds; it is never 0.
func (p *Pool[R]) now() int64 { return int64(time.Since(p.start)) + 1 }

// Acquire lends an idle resource, or opens one where there is room, or waits
// for a release. The caller must call Release or Destroy on it.
//
// It returns an error that wraps lido.ErrClosed once Close has begun, also when
// it was already waiting; one that wraps ctx.Err when ctx ends first; and that
// of Open when opening failed. A resource that fails its idle check costs the
// caller its place among those who wait.
func (p *Pool[R]) Acquire(ctx context.Context) (*Resource[R], error) {
	return p.acquireFor(ctx, nil)
}

// acquireFor is Acquire and SetHolder in one.
func (p *Pool[R]) acquireFor(ctx context.Context, q *lido.Query) (*Resource[R], error) {
	if p.opt.Tracer != nil {
		return p.acquireTraced(ctx, q)
	}
	return p.acquire(ctx, q)
}

func (p *Pool[R]) acquire(ctx context.Context, q *lido.Query) (*Resource[R], error) {
	for refused := 0; ; {
		if p.closed.Load() {
			return nil, p.errClosed
		}
		if ctx.Err() != nil {
			return nil, p.gaveUp(ctx)
		}
		entry := p.tryIdle()
		wasIdle := entry != nil
		if !wasIdle {
			var err error
			if entry, err = p.wait(ctx); err != nil {
				return nil, err
			}
		}
		r := entry.Value()
		r.take(entry)
		switch ok, err := p.admit(ctx, r, q, wasIdle); {
		case ok:
			return r, nil
		case err != nil:
			// As many as there can be were refused: opening yet another is
			// not going to help, and must not go on for ever.
			if refused++; refused > p.opt.MaxCount {
				return nil, fmt.Errorf("pool: check idle %s: %w", p.opt.Name, err)
			}
		}
	}
}

// tryIdle takes an idle resource from puddle, or returns nil.
//
// puddle's TryAcquire would begin to open one in the background when none is
// idle. So it is asked only when one should be there, and noOpen answers for
// the case that somebody else was faster.
func (p *Pool[R]) tryIdle() *puddle.Resource[*Resource[R]] {
	if p.idle.Load() == 0 {
		return nil
	}
	entry, err := p.puddle.TryAcquire(p.noOpen)
	if err != nil {
		return nil
	}
	return entry
}

// admit decides whether the caller of Acquire gets r. If not, r is destroyed;
// the error is that of the idle check, where this was the reason. When only the
// caller's context ended during that check, r goes back.
func (p *Pool[R]) admit(ctx context.Context, r *Resource[R], q *lido.Query, wasIdle bool) (bool, error) {
	now := max(p.now(), r.lastHeld+1)
	r.lastHeld = now
	// A load costs less than a store that changes nothing.
	if r.holder.Load() != q {
		r.holder.Store(q)
	}
	callers.Note(&r.by)
	r.held.Store(now)
	switch {
	case p.closed.Load():
		p.reject(r, DestroyedClosed, nil)
		return false, nil
	case r.generation != p.generation.Load():
		p.reject(r, DestroyedRetired, nil)
		return false, nil
	case wasIdle && r.expires != 0 && now >= r.expires:
		// Not one that was opened just now: a lifetime that is shorter than an
		// opening would have no end.
		p.reject(r, DestroyedLifetime, nil)
		return false, nil
	case p.opt.Idle != nil && now-r.lastUsed >= int64(p.opt.IdleCheckAfter):
		if err := p.checkIdle(ctx, r); err != nil {
			if ctx.Err() != nil {
				p.rejected.Add(1)
				r.held.Store(0)
				r.giveBack(false) // to be checked for the next caller
				return false, nil
			}
			p.reject(r, DestroyedInvalid, err)
			return false, err
		}
	}
	return true, nil
}

// checkIdle asks Idle, and destroys the resource should that panic.
func (p *Pool[R]) checkIdle(ctx context.Context, r *Resource[R]) error {
	returned := false
	defer func() {
		if !returned {
			p.reject(r, DestroyedInvalid, errCheckPanicked)
		}
	}()
	err := p.opt.Idle(ctx, r.value)
	returned = true
	return err
}

// reject destroys what puddle counts as acquired but nobody got.
func (p *Pool[R]) reject(r *Resource[R], why DestroyReason, err error) {
	p.rejected.Add(1)
	r.held.Store(0)
	p.destroy(r, why, err)
}

// wait is the slow path of Acquire: it waits for a release, or opens a resource.
func (p *Pool[R]) wait(ctx context.Context) (*puddle.Resource[*Resource[R]], error) {
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	start := p.now()

	// puddle knows only its caller's context, so this one ends with the pool too.
	waitCtx, cancel := context.WithCancel(context.WithValue(ctx, callerKey{}, ctx))
	defer cancel()
	defer context.AfterFunc(p.base, cancel)()
	var watch *stuckWatch
	if p.opt.StuckAfter > 0 {
		watch = watchStuck(p.opt.StuckAfter, func() error {
			err := p.stuck(start, nil)
			if err != nil {
				cancel()
			}
			return err
		})
	}

	entry, err := p.puddle.Acquire(waitCtx)
	stuck := watch.stop()
	if err == nil {
		p.emptyAcquires.Add(1)
		p.acquireWait.Add(p.now() - start)
		return entry, nil
	}
	if p.closed.Load() {
		return nil, p.errClosed
	}
	if failed, ok := errors.AsType[*openFailedError](err); ok {
		return nil, failed
	}
	if ctx.Err() != nil {
		err := p.gaveUp(ctx)
		if stuck := p.stuck(start, err); stuck != nil {
			return nil, stuck
		}
		return nil, err
	}
	if stuck != nil {
		p.canceled.Add(1)
		return nil, stuck
	}
	return nil, fmt.Errorf("pool: wait for %s: %w", p.opt.Name, err)
}

func (p *Pool[R]) gaveUp(ctx context.Context) error {
	p.canceled.Add(1)
	return fmt.Errorf("pool: wait for %s: %w", p.opt.Name, ended.Err(ctx))
}

// With acquires a resource, calls fn with it and releases it when fn returns or
// panics. The errors are those of Acquire and of fn, as they are.
func (p *Pool[R]) With(ctx context.Context, fn func(ctx context.Context, r R) error) error {
	r, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer r.Release()
	return fn(ctx, r.value)
}

// Retire lets go of every resource that was opened so far: those that
// are idle are closed before it returns, those that are held when they come
// back, and those being opened are opened anew.
func (p *Pool[R]) Retire() {
	p.generation.Add(1)
	p.destroyRetired()
}

// DestroyIdle closes the resources that are idle now before it returns.
func (p *Pool[R]) DestroyIdle() {
	p.sweep(func(*Resource[R], int) (DestroyReason, bool) { return DestroyedIdle, true })
}

type (
	noOpenKey struct{}
	callerKey struct{}
)

// openContext is that of Open: the caller's values, the pool's end. The values
// come WithoutCancel, or context.Cause would find that of the caller's end.
type openContext struct {
	context.Context
	values context.Context
}

func (c openContext) Value(key any) any { return c.values.Value(key) }

// openFailedError tells what Open answered from what puddle answers.
type openFailedError struct {
	name string
	err  error
}

func (e *openFailedError) Error() string { return "pool: open " + e.name + ": " + e.err.Error() }
func (e *openFailedError) Unwrap() error { return e.err }

// Is finds lido.ErrUnavailable.
func (e *openFailedError) Is(target error) bool { return target == lido.ErrUnavailable }

// construct opens a resource for puddle, on a goroutine of puddle's or that of
// the maintenance.
func (p *Pool[R]) construct(ctx context.Context) (*Resource[R], error) {
	if ctx == p.noOpen {
		return nil, errNoOpen
	}
	// live before closed, as Close does it the other way round: either Close
	// sees this opening, or this opening sees Close.
	p.live.Add(1)
	if p.closed.Load() {
		p.leave()
		return nil, p.errClosed
	}
	for {
		generation := p.generation.Load()
		value, err := p.open(openContext{p.base, context.WithoutCancel(ctx)})
		if err != nil {
			p.openFailed.Add(1)
			failed := &openFailedError{p.opt.Name, err}
			caller, _ := ctx.Value(callerKey{}).(context.Context)
			if caller != nil && caller.Err() != nil && !p.closed.Load() {
				p.report(failed)
			}
			p.leave()
			return nil, failed
		}
		now := p.now()
		r := &Resource[R]{value: value, pool: p, generation: generation, lastUsed: now}
		if p.opt.MaxLifetime > 0 {
			r.expires = now + int64(p.opt.MaxLifetime)
			if p.opt.LifetimeJitter > 0 {
				r.expires += rand.Int64N(int64(p.opt.LifetimeJitter))
			}
		}
		p.created.Add(1)
		p.mu.Lock()
		p.all[r] = struct{}{}
		p.mu.Unlock()
		// Should the pool have closed meanwhile: what was opened for a caller is
		// destroyed by that caller or by puddle, after the Reset of Close, and
		// what was opened to be idle by fill.
		if generation == p.generation.Load() || p.closed.Load() {
			return r, nil
		}
		p.finish(r, DestroyedRetired, nil)
	}
}

// open calls Open and turns its panic into an error.
func (p *Pool[R]) open(ctx context.Context) (value R, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return p.opt.Open(ctx)
}

func (p *Pool[R]) report(err error) {
	if p.opt.OnError != nil {
		p.opt.OnError(err)
	}
}

// destruct closes a resource for puddle, which asks for it only after Reset,
// that is when the pool closes.
func (p *Pool[R]) destruct(r *Resource[R]) {
	defer p.leave()
	p.finish(r, DestroyedClosed, nil)
}

// destroy closes a resource that was acquired from puddle. Its place is free
// only after that, so that there are never more than MaxCount open.
func (p *Pool[R]) destroy(r *Resource[R], why DestroyReason, err error) {
	defer func() {
		r.entry.Hijack()
		p.leave()
		if p.opt.MinIdleCount > 0 {
			p.wake()
		}
	}()
	p.finish(r, why, err)
}

// finish counts and closes a resource.
func (p *Pool[R]) finish(r *Resource[R], why DestroyReason, err error) {
	r.seeOut()
	p.mu.Lock()
	delete(p.all, r)
	p.mu.Unlock()
	p.destroyed[why].Add(1)
	if p.opt.OnDestroy != nil {
		p.opt.OnDestroy(r.value, why, err)
	}
	p.opt.Close(r.value)
}

// leave takes one from live.
func (p *Pool[R]) leave() {
	if p.live.Add(-1) == 0 {
		p.drainOnce.Do(func() { close(p.drained) })
	}
}
