package pool_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido/pool"
)

func TestPoolOpensNoMoreThanMaxHoweverManyBorrow(t *testing.T) {
	for _, maxCount := range []int{1, 3} {
		p, y := openYard(t, maxCount, nil)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				for range 100 {
					ctx, cancel := context.WithCancel(context.Background())
					if err := p.With(ctx, func(context.Context, *thing) error { return nil }); err != nil {
						t.Error(err)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		if s := p.Stat(); s.Created > int64(maxCount) || s.AcquireCount != 10_000 || s.CanceledCount != 0 {
			t.Errorf("of at most %d: %+v", maxCount, s)
		}
		closeYard(t, p, y)
	}
}

func TestPoolTakesTheLargestMax(t *testing.T) {
	p, y := openYard(t, math.MaxInt32, nil)
	acquire(t, p).Release()
	closeYard(t, p, y)
}

func TestPoolOpensNothingForACallerWhoseContextHasEnded(t *testing.T) {
	p, y := openYard(t, 2, func(o *pool.Options[*thing]) {
		o.Open = func(context.Context) (*thing, error) { panic("opened") }
	})
	defer closeYard(t, p, y)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s := p.Stat(); s.CanceledCount != 1 || s.AcquireCount != 0 || s.OpenFailedCount != 0 {
		t.Errorf("%+v", s)
	}
}

func TestPoolGoesOnAfterAnAcquireWithoutAContext(t *testing.T) {
	p, y := openYard(t, 1, nil)
	defer closeYard(t, p, y)
	var none context.Context
	panicText(t, func() { _, _ = p.Acquire(none) })
	acquire(t, p).Release()
	panicText(t, func() { _, _ = p.Acquire(none) })
	acquire(t, p).Release()
}

func TestPoolStatTellsHeldIdleAndOpeningApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var gated atomic.Bool
		p, y := openYard(t, 10, func(o *pool.Options[*thing]) {
			open := o.Open
			o.Open = func(ctx context.Context) (*thing, error) {
				if gated.Load() {
					<-gate
				}
				return open(ctx)
			}
		})
		defer closeYard(t, p, y)
		held, idle := acquire(t, p), acquire(t, p)
		gated.Store(true)
		var wg sync.WaitGroup
		wg.Go(func() { acquire(t, p).Release() })
		synctest.Wait()
		idle.Release()
		if s := p.Stat(); s.Max != 10 || s.InUse != 1 || s.Idle != 1 || s.Constructing != 1 || s.Waiting != 1 {
			t.Errorf("%+v", s)
		}
		held.Release()
		if s := p.Stat(); s.InUse != 0 || s.Idle != 2 || s.Constructing != 1 {
			t.Errorf("%+v", s)
		}
		close(gate)
		wg.Wait()
		if s := p.Stat(); s.Idle != 3 || s.Constructing != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// holder             one                two
// Acquire
//
//	Acquire            Acquire
//
// Destroy
//
//	opening fails
//	                   opened
func TestPoolWakesTheNextWaiterWhenAnOpeningFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outage := errors.New("outage")
		p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
			open, n := o.Open, 0
			o.Open = func(ctx context.Context) (*thing, error) {
				if n++; n == 2 {
					return nil, outage
				}
				return open(ctx)
			}
		})
		defer closeYard(t, p, y)
		r := acquire(t, p)
		var failed atomic.Int64
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				switch err := p.With(context.Background(), func(context.Context, *thing) error { return nil }); {
				case errors.Is(err, outage):
					failed.Add(1)
				case err != nil:
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		r.Destroy(nil)
		wg.Wait()
		if failed.Load() != 1 {
			t.Errorf("%d callers were told of one failure", failed.Load())
		}
	})
}

// TestPoolHandsOverFromOneGoroutineToAnother releases on a goroutine of its own
// while the next Acquire begins.
func TestPoolHandsOverFromOneGoroutineToAnother(t *testing.T) {
	p, y := openYard(t, 1, nil)
	defer closeYard(t, p, y)
	back := make(chan *pool.Resource[*thing])
	var wg sync.WaitGroup
	wg.Go(func() {
		for r := range back {
			r.Release()
		}
	})
	r := acquire(t, p)
	for range 20_000 {
		back <- r
		r = acquire(t, p)
	}
	close(back)
	wg.Wait()
	r.Release()
	if s := p.Stat(); s.Created != 1 {
		t.Errorf("%+v", s)
	}
}

// order returns the numbers of all that are idle, in the order in which they
// are handed out.
func order(t *testing.T, p *pool.Pool[*thing]) (ids []int64) {
	t.Helper()
	var rs []*pool.Resource[*thing]
	for range p.Stat().Idle {
		rs = append(rs, acquire(t, p))
		ids = append(ids, rs[len(rs)-1].Value().id)
	}
	for _, r := range slices.Backward(rs) {
		r.Release()
	}
	return ids
}

func TestPoolHandsOutWhatWasReleasedLastFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 4, func(o *pool.Options[*thing]) {
			o.IdleTimeout = time.Hour
			o.MaintenanceInterval = time.Minute
		})
		defer closeYard(t, p, y)
		synctest.Wait() // the first maintenance, which takes what is idle, is over
		if ids := order(t, p); ids != nil {
			t.Error(ids)
		}
		var rs []*pool.Resource[*thing]
		for range 4 {
			rs = append(rs, acquire(t, p))
		}
		for _, i := range []int{2, 0, 3, 1} {
			rs[i].Release()
		}
		want := []int64{2, 4, 1, 3}
		if ids := order(t, p); !slices.Equal(ids, want) {
			t.Errorf("%v, want %v", ids, want)
		}
		advance(5 * time.Minute) // maintenance takes all of them and puts them back
		if ids := order(t, p); !slices.Equal(ids, want) {
			t.Errorf("after maintenance %v, want %v", ids, want)
		}
		r := acquire(t, p) // and one that is away meanwhile comes first
		advance(5 * time.Minute)
		r.Release()
		if ids := order(t, p); !slices.Equal(ids, want) {
			t.Errorf("after maintenance beside a borrower %v, want %v", ids, want)
		}
	})
}

// caller             pool               next caller
// Acquire
//
//	checks the idle one
//
// context ends
//
//	puts it back
//
// ctx.Err                               gets it, checked
func TestPoolKeepsTheResourceWhenItsCallerGivesUpDuringTheIdleCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checks := 0
		broken := errors.New("broken")
		p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
			o.IdleCheckAfter = time.Minute
			o.Idle = func(ctx context.Context, _ *thing) error {
				if checks++; checks == 2 || checks == 5 {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}
			o.Released = func(*thing) error {
				if checks == 4 {
					return broken // the check met more than the end of its context
				}
				return nil
			}
		})
		defer closeYard(t, p, y)
		acquire(t, p).Release()
		giveUp := func() {
			t.Helper()
			advance(time.Hour)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if _, err := p.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		giveUp()
		if s := p.Stat(); s.Idle != 1 || s.InUse != 0 || s.Destroyed.Total() != 0 || s.AcquireCount != 1 || s.CanceledCount != 1 {
			t.Errorf("%+v", s)
		}
		if r := acquire(t, p); r.Value().id != 1 || checks != 2 {
			t.Errorf("thing %d after %d checks", r.Value().id, checks)
		} else {
			r.Release()
		}
		giveUp()
		if s := p.Stat(); s.Idle != 1 {
			t.Errorf("%+v", s)
		}
		giveUp()
		if s := p.Stat(); s.Idle != 0 || s.Destroyed.Invalid != 1 {
			t.Errorf("one that is broken was put back: %+v", s)
		}
	})
}

func TestPoolDoesNotHandOutAnIdleResourceThatIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 2, func(o *pool.Options[*thing]) {
			o.MaxLifetime = time.Minute
			o.MaintenanceInterval = time.Hour
		})
		defer closeYard(t, p, y)
		acquire(t, p).Release()
		advance(2 * time.Minute)
		r := acquire(t, p)
		if r.Value().id != 2 {
			t.Errorf("got thing %d", r.Value().id)
		}
		r.Release()
		if s := p.Stat(); s.Destroyed.Lifetime != 1 || s.Idle != 1 {
			t.Errorf("%+v", s)
		}
	})
	// A lifetime that ends while opening does not keep the pool opening.
	p, y := openYard(t, 1, func(o *pool.Options[*thing]) { o.MaxLifetime = 1 })
	for range 3 {
		acquire(t, p).Release()
	}
	closeYard(t, p, y)
}

func TestPoolWithoutALifetimeKeepsWhatIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
			o.MinIdleCount = 1 // so that there is maintenance
			o.MaintenanceInterval = 1000 * time.Hour
		})
		defer closeYard(t, p, y)
		for range 5 {
			advance(10_000 * time.Hour)
			r := acquire(t, p)
			if r.Value().id != 1 {
				t.Errorf("got thing %d", r.Value().id)
			}
			r.Release()
		}
	})
}

func TestPoolAcquireTriesAnewAfterAnOpeningInTheBackgroundFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := errors.New("first"), errors.New("second")
		gate := make(chan struct{})
		tries := 0
		var reported []error
		p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
			o.MinIdleCount = 1
			o.MaintenanceInterval = time.Hour
			o.OnError = func(err error) { reported = append(reported, err) }
			o.Open = func(context.Context) (*thing, error) {
				if tries++; tries == 1 {
					<-gate
					return nil, first
				}
				return nil, second
			}
		})
		defer closeYard(t, p, y)
		synctest.Wait()
		if s := p.Stat(); s.Constructing != 1 {
			t.Errorf("%+v", s)
		}
		close(gate)
		synctest.Wait()
		if _, err := p.Acquire(context.Background()); !errors.Is(err, second) || errors.Is(err, first) {
			t.Error(err)
		}
		if len(reported) != 1 || !errors.Is(reported[0], first) || tries != 2 {
			t.Errorf("%d tries, reported %v", tries, reported)
		}
	})
}

func TestPoolCloseClosesWhatIsIdleAndWaitsForWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 8, nil)
		var held []*pool.Resource[*thing]
		for range 8 {
			held = append(held, acquire(t, p))
		}
		for _, r := range held[:4] {
			r.Release()
		}
		var closed atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := p.Close(context.Background()); err != nil {
				t.Error(err)
			}
			closed.Store(true)
		})
		for i, r := range held[4:] {
			advance(time.Minute)
			if n := y.open.Load(); n != int64(4-i) || closed.Load() {
				t.Errorf("%d are open, closed %v", n, closed.Load())
			}
			r.Release()
		}
		wg.Wait()
		checkEmpty(t, p, y)
	})
}
