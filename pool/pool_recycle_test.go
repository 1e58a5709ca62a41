package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido/pool"
)

func TestPoolAsksIdleOnlyAfterIdleCheckAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
			o.IdleCheckAfter = time.Minute
			o.Idle = func(context.Context, *thing) error { asked++; return nil }
		})
		defer closeYard(t, p, y)
		acquire(t, p).Release()
		advance(time.Minute - time.Second)
		acquire(t, p).Release()
		if asked != 0 {
			t.Errorf("asked %d times within the minute", asked)
		}
		advance(time.Minute)
		r := acquire(t, p)
		if asked != 1 {
			t.Errorf("asked %d times after a minute, want 1", asked)
		}
		advance(time.Hour) // held, which is not idle
		r.Release()
		acquire(t, p).Release()
		if asked != 1 {
			t.Errorf("asked %d times after a long use, want 1", asked)
		}
	})
}

func TestPoolTakesAnotherWhenTheIdleCheckFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("file was moved")
		var why []string
		p, y := openYard(t, 3, func(o *pool.Options[*thing]) {
			o.Idle = func(_ context.Context, x *thing) error {
				if x.id < 3 {
					return gone
				}
				return nil
			}
			o.OnDestroy = func(x *thing, reason pool.DestroyReason, err error) {
				if reason == pool.DestroyedInvalid {
					why = append(why, fmt.Sprint(x.id, " ", reason, ": ", err))
				}
			}
		})
		defer closeYard(t, p, y)
		a, b, c := acquire(t, p), acquire(t, p), acquire(t, p)
		c.Release()
		b.Release()
		a.Release()
		advance(time.Hour)
		r := acquire(t, p)
		if r.Value().id != 3 {
			t.Errorf("got thing %d, want 3", r.Value().id)
		}
		r.Release()
		if want := []string{"1 invalid: file was moved", "2 invalid: file was moved"}; !slices.Equal(why, want) {
			t.Errorf("destroyed %q, want %q", why, want)
		}
		if s := p.Stat(); s.Destroyed.Invalid != 2 || s.AcquireCount != 4 || s.Idle != 1 {
			t.Errorf("Stat: %+v", s)
		}
	})
}

func TestPoolGivesUpWhenEveryNewResourceFailsTheIdleCheck(t *testing.T) {
	bad := errors.New("bad")
	p, y := openYard(t, 2, func(o *pool.Options[*thing]) {
		o.IdleCheckAfter = -1
		o.Idle = func(context.Context, *thing) error { return bad }
	})
	defer closeYard(t, p, y)
	if _, err := p.Acquire(context.Background()); !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
	if s := p.Stat(); s.Destroyed.Invalid != 3 || s.AcquireCount != 0 || s.InUse != 0 {
		t.Errorf("Stat: %+v", s)
	}
}

func TestPoolDestroysWhatItsReleaseCheckRefuses(t *testing.T) {
	dirty := errors.New("transaction left open")
	var got error
	p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
		o.Released = func(x *thing) error {
			if x.id == 1 {
				return dirty
			}
			return nil
		}
		o.OnDestroy = func(_ *thing, why pool.DestroyReason, err error) {
			if why == pool.DestroyedInvalid {
				got = err
			}
		}
	})
	defer closeYard(t, p, y)
	acquire(t, p).Release()
	if got != dirty || y.open.Load() != 0 {
		t.Errorf("after Release %d are open, destroyed for %v", y.open.Load(), got)
	}
	r := acquire(t, p)
	if r.Value().id != 2 {
		t.Errorf("got thing %d again", r.Value().id)
	}
	r.Release()
	if s := p.Stat(); s.Destroyed.Invalid != 1 || s.Idle != 1 {
		t.Errorf("Stat: %+v", s)
	}
}

func TestPoolDestroysAResourceWhoseCheckPanics(t *testing.T) {
	p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
		o.IdleCheckAfter = -1
		o.Idle = func(_ context.Context, x *thing) error {
			if x.id == 1 {
				panic("idle")
			}
			return nil
		}
		o.Released = func(x *thing) error {
			if x.id == 2 {
				panic("released")
			}
			return nil
		}
	})
	defer closeYard(t, p, y)
	if text := panicText(t, func() { _, _ = p.Acquire(context.Background()) }); text != "idle" {
		t.Errorf("Acquire panicked with %q", text)
	}
	r := acquire(t, p)
	if text := panicText(t, r.Release); text != "released" {
		t.Errorf("Release panicked with %q", text)
	}
	acquire(t, p).Release()
	if s := p.Stat(); s.Destroyed.Invalid != 2 || s.Idle != 1 || s.InUse != 0 {
		t.Errorf("Stat: %+v", s)
	}
}

func TestPoolDestroyFreesThePlaceForTheNextWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 1, nil)
		defer closeYard(t, p, y)
		r := acquire(t, p)
		var wg sync.WaitGroup
		wg.Go(func() {
			r := acquire(t, p)
			if r.Value().id != 2 {
				t.Errorf("got thing %d, want a new one", r.Value().id)
			}
			r.Release()
		})
		synctest.Wait()
		r.Destroy(errors.New("CORRUPT"))
		wg.Wait()
		if s := p.Stat(); s.Destroyed.Broken != 1 {
			t.Errorf("Stat: %+v", s)
		}
	})
}

func TestPoolDestroysIdleResourcesAfterIdleTimeoutButKeepsMinIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 4, func(o *pool.Options[*thing]) {
			o.IdleTimeout = time.Minute
			o.MinIdleCount = 1
		})
		defer closeYard(t, p, y)
		synctest.Wait()
		if s := p.Stat(); s.Idle != 1 || s.AcquireCount != 0 {
			t.Errorf("at the start: %+v", s)
		}
		var rs []*pool.Resource[*thing]
		for range 4 {
			rs = append(rs, acquire(t, p))
		}
		for _, r := range rs {
			r.Release()
		}
		last := rs[3]
		advance(45 * time.Second)
		if s := p.Stat(); s.Idle != 4 {
			t.Errorf("before IdleTimeout: %+v", s)
		}
		advance(45 * time.Second)
		if s := p.Stat(); s.Idle != 1 || s.Destroyed.Idle != 3 {
			t.Errorf("after IdleTimeout: %+v", s)
		}
		r := acquire(t, p)
		if r != last {
			t.Error("not the one used last was kept")
		}
		r.Release()
	})
}

func TestPoolDestroysResourcesOlderThanMaxLifetimeIdleOrReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 2, func(o *pool.Options[*thing]) {
			o.MaxLifetime = time.Hour
			o.MaintenanceInterval = time.Minute
		})
		defer closeYard(t, p, y)
		held := acquire(t, p)
		acquire(t, p).Release()
		advance(time.Hour - time.Second)
		if s := p.Stat(); s.Idle != 1 || s.InUse != 1 {
			t.Errorf("before MaxLifetime: %+v", s)
		}
		advance(2 * time.Minute)
		if s := p.Stat(); s.Idle != 0 || s.InUse != 1 || s.Destroyed.Lifetime != 1 {
			t.Errorf("after MaxLifetime: %+v", s)
		}
		held.Release()
		if s := p.Stat(); s.Idle != 0 || s.InUse != 0 || s.Destroyed.Lifetime != 2 {
			t.Errorf("after Release: %+v", s)
		}
	})
}

func TestPoolLifetimeJitterSpreadsTheEndsWithinItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 32
		start := time.Now()
		var mu sync.Mutex
		ages := make(map[time.Duration]int)
		p, y := openYard(t, n, func(o *pool.Options[*thing]) {
			o.MaxLifetime = time.Hour
			o.LifetimeJitter = time.Hour
			o.MaintenanceInterval = time.Minute
			o.OnDestroy = func(_ *thing, why pool.DestroyReason, _ error) {
				mu.Lock()
				defer mu.Unlock()
				if why == pool.DestroyedLifetime {
					ages[time.Since(start).Truncate(time.Minute)]++
				}
			}
		})
		defer closeYard(t, p, y)
		rs := make([]*pool.Resource[*thing], n)
		for i := range rs {
			rs[i] = acquire(t, p)
		}
		for _, r := range rs {
			r.Release()
		}
		advance(time.Hour - time.Second)
		if s := p.Stat(); s.Idle != n {
			t.Errorf("before MaxLifetime: %+v", s)
		}
		advance(time.Hour + 2*time.Minute)
		if s := p.Stat(); s.Destroyed.Lifetime != n {
			t.Errorf("after MaxLifetime and LifetimeJitter: %+v", s)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(ages) < 3 {
			t.Errorf("all went together: %v", ages)
		}
	})
}

func TestPoolRefillsMinIdleAfterADestroyAndReportsFailedOpenings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		var failing atomic.Bool
		var reported []error
		p, y := openYard(t, 3, func(o *pool.Options[*thing]) {
			open := o.Open
			o.MinIdleCount = 2
			o.MaintenanceInterval = time.Minute
			o.Open = func(ctx context.Context) (*thing, error) {
				if failing.Load() {
					return nil, refused
				}
				return open(ctx)
			}
			o.OnError = func(err error) { reported = append(reported, err) }
		})
		defer closeYard(t, p, y)
		synctest.Wait()
		acquire(t, p).Destroy(nil)
		synctest.Wait()
		if s := p.Stat(); s.Idle != 2 || s.Created != 3 {
			t.Errorf("after a Destroy: %+v", s)
		}
		failing.Store(true)
		acquire(t, p).Destroy(nil)
		synctest.Wait()
		if len(reported) != 1 || !errors.Is(reported[0], refused) {
			t.Errorf("reported %v, want one refusal", reported)
		}
		failing.Store(false)
		advance(time.Minute)
		synctest.Wait()
		if s := p.Stat(); s.Idle != 2 {
			t.Errorf("after the next maintenance: %+v", s)
		}
	})
}

func TestPoolDoesNotOpenMoreThanMaxForMinIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 2, func(o *pool.Options[*thing]) {
			o.MinIdleCount = 2
			o.MaintenanceInterval = time.Second
		})
		defer closeYard(t, p, y)
		synctest.Wait()
		a, b := acquire(t, p), acquire(t, p)
		advance(time.Minute)
		if s := p.Stat(); s.Created != 2 {
			t.Errorf("Stat: %+v", s)
		}
		a.Release()
		b.Release()
	})
}

// pool               a                  b (idle)
// Retire                                closed at once
//
//	Release: closed
//
// Acquire: a new one
func TestPoolRetireClosesIdleOnesAtOnceAndHeldOnesOnRelease(t *testing.T) {
	p, y := openYard(t, 2, nil)
	defer closeYard(t, p, y)
	a, b := acquire(t, p), acquire(t, p)
	b.Release()
	p.Retire()
	if s := p.Stat(); s.Idle != 0 || s.InUse != 1 || s.Destroyed.Retired != 1 || y.open.Load() != 1 {
		t.Errorf("after Retire: %+v", s)
	}
	if a.Value().closed.Load() {
		t.Error("Retire closed one that is held")
	}
	a.Release()
	if s := p.Stat(); s.InUse != 0 || s.Idle != 0 || s.Destroyed.Retired != 2 {
		t.Errorf("after Release: %+v", s)
	}
	r := acquire(t, p)
	if r.Value().id != 3 {
		t.Errorf("got thing %d, want 3", r.Value().id)
	}
	r.Release()
	if s := p.Stat(); s.Idle != 1 {
		t.Errorf("the new generation is not kept: %+v", s)
	}
}

func TestPoolRetireOpensAnewWhatIsBeingOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
			open := o.Open
			o.Open = func(ctx context.Context) (*thing, error) {
				x, err := open(ctx)
				<-gate
				return x, err
			}
		})
		defer closeYard(t, p, y)
		var wg sync.WaitGroup
		wg.Go(func() {
			r := acquire(t, p)
			if r.Value().id != 2 {
				t.Errorf("got thing %d of the old generation", r.Value().id)
			}
			r.Release()
		})
		synctest.Wait()
		p.Retire()
		close(gate)
		wg.Wait()
		if s := p.Stat(); s.Destroyed.Retired != 1 || s.Idle != 1 {
			t.Errorf("Stat: %+v", s)
		}
	})
}

func TestPoolDestroyIdleLeavesHeldOnesAlone(t *testing.T) {
	p, y := openYard(t, 3, nil)
	defer closeYard(t, p, y)
	a, b, c := acquire(t, p), acquire(t, p), acquire(t, p)
	a.Release()
	b.Release()
	p.DestroyIdle()
	if s := p.Stat(); s.Idle != 0 || s.InUse != 1 || s.Destroyed.Idle != 2 || y.open.Load() != 1 {
		t.Errorf("Stat: %+v", s)
	}
	c.Release()
	if s := p.Stat(); s.Idle != 1 {
		t.Errorf("Stat: %+v", s)
	}
}

// borrower           another
// Release            Retire
//
//	in any order: nothing of the old generation stays idle
func TestPoolRetireBesideAReleaseLeavesNothingIdle(t *testing.T) {
	p, y := openYard(t, 2, nil)
	defer closeYard(t, p, y)
	for i := range 5000 {
		r := acquire(t, p)
		var ready atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			ready.Store(true)
			for range i % 512 {
				ready.Load() // Release starts a little later: so does Retire
			}
			p.Retire()
		})
		for !ready.Load() {
			runtime.Gosched()
		}
		r.Release()
		wg.Wait()
		if s := p.Stat(); s.Idle != 0 {
			t.Fatalf("Stat: %+v", s)
		}
	}
}

func TestPoolOpensOneResourceAtATimeForOneCaller(t *testing.T) {
	var p *pool.Pool[*thing]
	p, y := openYard(t, 3, func(o *pool.Options[*thing]) {
		open := o.Open
		o.Open = func(ctx context.Context) (*thing, error) {
			if s := p.Stat(); s.Constructing != 1 {
				t.Errorf("Stat: %+v", s)
			}
			return open(ctx)
		}
	})
	defer closeYard(t, p, y)
	for range 100 {
		acquire(t, p).Release()
		a, b := acquire(t, p), acquire(t, p)
		a.Destroy(nil)
		b.Release()
	}
}

func TestDestroyReasonsHaveNames(t *testing.T) {
	for why, want := range map[pool.DestroyReason]string{
		pool.DestroyedIdle: "idle", pool.DestroyedLifetime: "lifetime", pool.DestroyedInvalid: "invalid",
		pool.DestroyedRetired: "retired", pool.DestroyedClosed: "closed", pool.DestroyedBroken: "broken", -1: "unknown",
	} {
		if why.String() != want {
			t.Errorf("%d is %q, want %q", int(why), why, want)
		}
	}
}
