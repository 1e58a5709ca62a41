package pool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido/pool"
)

// thing is a pooled resource that remembers what was done to it.
type thing struct {
	id     int64
	closed atomic.Bool
	held   atomic.Bool
	stop   chan struct{} // gets a token from Interrupt
}

// yard makes things and counts them.
type yard struct {
	t      testing.TB
	opened atomic.Int64
	open   atomic.Int64
	most   atomic.Int64
}

func (y *yard) Open(context.Context) (*thing, error) {
	n := y.open.Add(1)
	for m := y.most.Load(); n > m && !y.most.CompareAndSwap(m, n); m = y.most.Load() {
	}
	return &thing{id: y.opened.Add(1), stop: make(chan struct{}, 1)}, nil
}

func (y *yard) Close(x *thing) {
	if x.closed.Swap(true) {
		y.t.Errorf("thing %d was closed twice", x.id)
	}
	y.open.Add(-1)
}

func (y *yard) Interrupt(x *thing) {
	if x.closed.Load() {
		y.t.Errorf("thing %d was interrupted after it was closed", x.id)
	}
	select {
	case x.stop <- struct{}{}:
	default:
	}
}

// openYard returns a pool over a yard. change may be nil, and may be given the
// yard's own functions to wrap.
func openYard(t testing.TB, maxCount int, change func(*pool.Options[*thing])) (*pool.Pool[*thing], *yard) {
	t.Helper()
	y := &yard{t: t}
	opt := pool.Options[*thing]{Name: "reader", MaxCount: maxCount, Open: y.Open, Close: y.Close, Interrupt: y.Interrupt}
	if change != nil {
		change(&opt)
	}
	p, err := pool.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return p, y
}

// closeYard closes p and checks that the books are balanced and nothing is open.
func closeYard(t testing.TB, p *pool.Pool[*thing], y *yard) {
	t.Helper()
	if err := p.Close(context.Background()); err != nil {
		t.Errorf("Close: %v", err)
	}
	checkEmpty(t, p, y)
}

func checkEmpty(t testing.TB, p *pool.Pool[*thing], y *yard) {
	t.Helper()
	s := p.Stat()
	if n := y.open.Load(); n != 0 {
		t.Errorf("%d things are still open", n)
	}
	if s.InUse != 0 || s.Idle != 0 || s.Constructing != 0 || s.Waiting != 0 {
		t.Errorf("closed pool is not empty: %+v", s)
	}
	if s.Created != s.Destroyed.Total() || s.Created != y.opened.Load() {
		t.Errorf("opened %d, created %d, destroyed %d", y.opened.Load(), s.Created, s.Destroyed.Total())
	}
	if most := y.most.Load(); most > int64(s.Max) {
		t.Errorf("%d were open at once, Max is %d", most, s.Max)
	}
}

func acquire(t testing.TB, p *pool.Pool[*thing]) *pool.Resource[*thing] {
	t.Helper()
	r, err := p.Acquire(context.Background())
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	return r
}

// panicText returns what f panics with, as text, and fails when it does not.
func panicText(t testing.TB, f func()) (text string) {
	t.Helper()
	defer func() {
		v := recover()
		if v == nil {
			t.Error("no panic")
		}
		text = fmt.Sprint(v)
	}()
	f()
	return ""
}

func TestPoolRefusesOptionsByFieldAndValue(t *testing.T) {
	y := &yard{t: t}
	for _, c := range []struct {
		change func(*pool.Options[*thing])
		want   []string
	}{
		{func(o *pool.Options[*thing]) { o.Name = "" }, []string{"Name"}},
		{func(o *pool.Options[*thing]) { o.MaxCount = 0 }, []string{"MaxCount", "0", "reader"}},
		{func(o *pool.Options[*thing]) { o.MaxCount = -1 }, []string{"MaxCount", "-1", "reader"}},
		{func(o *pool.Options[*thing]) { o.MinIdleCount = -1 }, []string{"MinIdleCount", "-1"}},
		{func(o *pool.Options[*thing]) { o.MinIdleCount = 3 }, []string{"MinIdleCount", "3", "MaxCount", "2"}},
		{func(o *pool.Options[*thing]) { o.Open = nil }, []string{"Open"}},
		{func(o *pool.Options[*thing]) { o.Close = nil }, []string{"Close"}},
		{func(o *pool.Options[*thing]) { o.IdleTimeout = -time.Second }, []string{"IdleTimeout", "-1s"}},
		{func(o *pool.Options[*thing]) { o.MaxLifetime = -time.Second }, []string{"MaxLifetime", "-1s"}},
		{func(o *pool.Options[*thing]) { o.LifetimeJitter = time.Second }, []string{"LifetimeJitter", "1s", "MaxLifetime", "0"}},
		{func(o *pool.Options[*thing]) { o.CloseGrace = -1 }, []string{"CloseGrace", "-1ns"}},
		{func(o *pool.Options[*thing]) { o.MaintenanceInterval = -1 }, []string{"MaintenanceInterval", "-1ns"}},
	} {
		opt := pool.Options[*thing]{Name: "reader", MaxCount: 2, Open: y.Open, Close: y.Close}
		c.change(&opt)
		_, err := pool.New(opt)
		if err == nil {
			t.Errorf("no error for %v", c.want)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error %q does not say %q", err, w)
			}
		}
	}
}

func TestPoolHandsOutTheReleasedResourceAgain(t *testing.T) {
	p, y := openYard(t, 2, nil)
	defer closeYard(t, p, y)
	r := acquire(t, p)
	id := r.Value().id
	r.Release()
	r = acquire(t, p)
	defer r.Release()
	if r.Value().id != id {
		t.Errorf("got thing %d, want %d again", r.Value().id, id)
	}
	s := p.Stat()
	want := pool.PoolStat{Name: "reader", Max: 2, InUse: 1, AcquireCount: 2, EmptyAcquireCount: 1, Created: 1}
	want.AcquireWait = s.AcquireWait
	if s != want {
		t.Errorf("Stat is %+v, want %+v", s, want)
	}
	if s.AcquireWait <= 0 {
		t.Error("opening counted no wait")
	}
}

// The first caller holds the only resource; the others come one after the
// other, and so they are served.
//
//	holder      waiters            late
//	Acquire
//	            Acquire 0 .. 9
//	Release
//	            0 .. 9 in turn     Acquire, between any two
//	                               last
func TestPoolServesWaitersInTheOrderTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 1, nil)
		defer closeYard(t, p, y)
		r := acquire(t, p)
		var wg sync.WaitGroup
		served := make(chan int, 11)
		for i := range 10 {
			wg.Go(func() {
				r, err := p.Acquire(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				served <- i
				if i == 4 {
					wg.Go(func() {
						_ = p.With(context.Background(), func(context.Context, *thing) error {
							served <- 10
							return nil
						})
					})
					synctest.Wait()
				}
				r.Release()
			})
			synctest.Wait()
		}
		if s := p.Stat(); s.Waiting != 10 {
			t.Errorf("Waiting is %d, want 10", s.Waiting)
		}
		r.Release()
		wg.Wait()
		close(served)
		want := 0
		for i := range served {
			if i != want {
				t.Errorf("served %d, want %d", i, want)
			}
			want++
		}
	})
}

func TestPoolCountsTheTimeThatWaitersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 1, nil)
		defer closeYard(t, p, y)
		r := acquire(t, p)
		time.AfterFunc(3*time.Second, r.Release)
		r = acquire(t, p)
		r.Release()
		if s := p.Stat(); s.AcquireWait < 3*time.Second || s.AcquireWait > 3*time.Second+time.Millisecond || s.EmptyAcquireCount != 2 {
			t.Errorf("AcquireWait is %v of %d acquires, want 3s of 2", s.AcquireWait, s.EmptyAcquireCount)
		}
	})
}

func TestPoolAcquireReturnsWhenItsContextEndsAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 1, nil)
		defer closeYard(t, p, y)
		r := acquire(t, p)
		defer r.Release()

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := p.Acquire(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "pool: wait for reader: ") {
			t.Errorf("got %v", err)
		}

		why := errors.New("the client hung up")
		ended, end := context.WithCancelCause(context.Background())
		end(why)
		if _, err := p.Acquire(ended); !errors.Is(err, context.Canceled) || errors.Is(err, why) || !strings.Contains(err.Error(), why.Error()) {
			t.Errorf("got %v, want Canceled, and its cause in the text alone", err)
		}
		if s := p.Stat(); s.CanceledCount != 2 || s.Waiting != 0 || s.AcquireCount != 1 {
			t.Errorf("Stat: %+v", s)
		}
	})
}

func TestPoolReturnsTheErrorOfOpenAndFreesThePlace(t *testing.T) {
	refused := errors.New("no such file")
	p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
		open, n := o.Open, 0
		o.Open = func(ctx context.Context) (*thing, error) {
			if n++; n <= 3 {
				return nil, refused
			}
			return open(ctx)
		}
	})
	defer closeYard(t, p, y)
	for range 3 {
		_, err := p.Acquire(context.Background())
		if !errors.Is(err, refused) || err.Error() != "pool: open reader: no such file" {
			t.Errorf("got %v", err)
		}
	}
	acquire(t, p).Release()
	if s := p.Stat(); s.OpenFailedCount != 3 || s.Created != 1 || s.AcquireCount != 1 {
		t.Errorf("Stat: %+v", s)
	}
}

func TestPoolTurnsAPanicOfOpenIntoAnError(t *testing.T) {
	p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
		open, n := o.Open, 0
		o.Open = func(ctx context.Context) (*thing, error) {
			if n++; n == 1 {
				panic("out of cheese")
			}
			return open(ctx)
		}
	})
	defer closeYard(t, p, y)
	if _, err := p.Acquire(context.Background()); err == nil || err.Error() != "pool: open reader: panic: out of cheese" {
		t.Errorf("got %v", err)
	}
	acquire(t, p).Release()
}

// caller             opening            next caller
// Acquire            Open begins
// context ends
// ctx.Err                               Acquire
//
//	Open returns
//	                   gets it
func TestPoolKeepsWhatWasOpenedForACallerThatGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		gate := make(chan struct{})
		p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
			open := o.Open
			o.Open = func(ctx context.Context) (*thing, error) {
				if ctx.Value(key{}) != "mine" {
					t.Error("Open does not see the values of its caller's context")
				}
				if end, ok := ctx.Deadline(); ok {
					t.Errorf("the caller's deadline %v reached Open", end)
				}
				<-gate
				if ctx.Err() != nil || context.Cause(ctx) != nil {
					t.Errorf("the caller's end reached Open: %v, %v", ctx.Err(), context.Cause(ctx))
				}
				return open(ctx)
			}
		})
		defer closeYard(t, p, y)

		ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), key{}, "mine"), time.Second)
		defer cancel()
		if _, err := p.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if s := p.Stat(); s.Constructing != 1 || s.CanceledCount != 1 {
			t.Errorf("Stat: %+v", s)
		}
		var wg sync.WaitGroup
		wg.Go(func() { acquire(t, p).Release() })
		synctest.Wait()
		close(gate)
		wg.Wait()
		if s := p.Stat(); s.Created != 1 || s.Idle != 1 {
			t.Errorf("Stat: %+v", s)
		}
	})
}

func TestPoolReportsAnOpeningThatFailedAfterItsCallerGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("disk on fire")
		gate := make(chan struct{})
		var reported []error
		p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
			o.Open = func(context.Context) (*thing, error) {
				<-gate
				return nil, refused
			}
			o.OnError = func(err error) { reported = append(reported, err) }
		})
		defer closeYard(t, p, y)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := p.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(gate)
		synctest.Wait()
		if len(reported) != 1 || !errors.Is(reported[0], refused) {
			t.Errorf("reported %v", reported)
		}
	})
}

func TestPoolWithReleasesOnReturnErrorAndPanic(t *testing.T) {
	p, y := openYard(t, 1, nil)
	defer closeYard(t, p, y)
	failed := errors.New("failed")
	ctx := context.Background()
	if err := p.With(ctx, func(context.Context, *thing) error { return failed }); err != failed {
		t.Errorf("got %v, want the error as it is", err)
	}
	if text := panicText(t, func() {
		_ = p.With(ctx, func(context.Context, *thing) error { panic("oops") })
	}); text != "oops" {
		t.Errorf("panicked with %q", text)
	}
	if err := p.With(ctx, func(_ context.Context, x *thing) error {
		if x.id != 1 {
			t.Errorf("thing %d, want the first one still", x.id)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if s := p.Stat(); s.InUse != 0 || s.Idle != 1 {
		t.Errorf("Stat: %+v", s)
	}
}

func TestPoolPanicsAtMisuseAndNamesIt(t *testing.T) {
	p, y := openYard(t, 2, nil)
	defer closeYard(t, p, y)
	released, destroyed := acquire(t, p), acquire(t, p)
	released.Release()
	destroyed.Destroy(errors.New("broken"))
	for name, f := range map[string]func(){
		"Release of a reader":  released.Release,
		"Destroy of a reader":  func() { released.Destroy(nil) },
		"Value of a reader":    func() { released.Value() },
		"Release of a reader ": destroyed.Release,
		"Destroy of a reader ": func() { destroyed.Destroy(nil) },
		"Value of a reader ":   func() { destroyed.Value() },
	} {
		text := panicText(t, f)
		if !strings.Contains(text, strings.TrimSpace(name)) || !strings.Contains(text, "not held") {
			t.Errorf("%s: panicked with %q", name, text)
		}
	}
	if s := p.Stat(); s.Idle != 1 || s.InUse != 0 || s.Destroyed.Broken != 1 {
		t.Errorf("misuse did harm: %+v", s)
	}
}

// advance moves the clock of a synctest bubble, and lets what is due happen.
func advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
