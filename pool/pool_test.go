package pool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
)

// res is a pooled resource that notices when it is used wrongly.
type res struct {
	id     int64
	closed atomic.Bool
	held   atomic.Bool
	broken atomic.Bool
	stop   chan struct{} // one token for each Interrupt
}

// yard opens resources and counts them.
type yard struct {
	t      testing.TB
	opened atomic.Int64
	open   atomic.Int64
	most   atomic.Int64
}

func (y *yard) Open(context.Context) (*res, error) {
	n := y.open.Add(1)
	for m := y.most.Load(); n > m && !y.most.CompareAndSwap(m, n); m = y.most.Load() {
	}
	return &res{id: y.opened.Add(1), stop: make(chan struct{}, 1)}, nil
}

func (y *yard) Close(r *res) {
	if r.closed.Swap(true) {
		y.t.Errorf("resource %d closed twice", r.id)
	}
	y.open.Add(-1)
}

func (y *yard) interrupt(r *res) {
	if r.closed.Load() {
		y.t.Errorf("resource %d interrupted after it was closed", r.id)
	}
	select {
	case r.stop <- struct{}{}:
	default:
	}
}

// newPool returns a pool over a yard. change may be nil.
func newPool(t testing.TB, maxCount int, change func(*pool.Options[*res])) (*pool.Pool[*res], *yard) {
	t.Helper()
	y := &yard{t: t}
	opt := pool.Options[*res]{Name: "reader", MaxCount: maxCount, Open: y.Open, Close: y.Close, Interrupt: y.interrupt}
	if change != nil {
		change(&opt)
	}
	p, err := pool.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return p, y
}

// mustClose closes p and checks that nothing stayed open.
func mustClose(t testing.TB, p *pool.Pool[*res], y *yard) {
	t.Helper()
	if err := p.Close(context.Background()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if n := y.open.Load(); n != 0 {
		t.Errorf("%d resources still open after Close", n)
	}
	s := p.Stat()
	if s.InUse != 0 || s.Idle != 0 || s.Constructing != 0 || s.Waiting != 0 {
		t.Errorf("after Close: %+v", s)
	}
	if s.Created != s.Destroyed.Total() {
		t.Errorf("created %d, destroyed %+v", s.Created, s.Destroyed)
	}
	if s.Created != y.opened.Load() {
		t.Errorf("Stat says %d were created, %d were", s.Created, y.opened.Load())
	}
	if most := y.most.Load(); most > int64(s.Max) {
		t.Errorf("%d open at once, Max is %d", most, s.Max)
	}
}

func mustAcquire(t testing.TB, p *pool.Pool[*res]) *pool.Resource[*res] {
	t.Helper()
	r, err := p.Acquire(context.Background())
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	return r
}

func TestAcquireHandsOutTheReleasedResourceAgain(t *testing.T) {
	p, y := newPool(t, 2, nil)
	defer mustClose(t, p, y)
	r := mustAcquire(t, p)
	id := r.Value().id
	r.Release()
	r = mustAcquire(t, p)
	defer r.Release()
	if r.Value().id != id {
		t.Errorf("got resource %d, want %d again", r.Value().id, id)
	}
	if s := p.Stat(); s.InUse != 1 || s.Idle != 0 || s.Max != 2 || s.AcquireCount != 2 || s.EmptyAcquireCount != 1 || s.Created != 1 {
		t.Errorf("Stat: %+v", s)
	}
}

func TestCloseWakesWaitersWithErrClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := newPool(t, 1, nil)
		r := mustAcquire(t, p)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := p.Acquire(context.Background()); !errors.Is(err, lido.ErrClosed) {
					t.Errorf("waiter got %v, want ErrClosed", err)
				}
			})
		}
		synctest.Wait()
		if s := p.Stat(); s.Waiting != 3 {
			t.Errorf("Waiting is %d, want 3", s.Waiting)
		}
		wg.Go(func() { mustClose(t, p, y) })
		synctest.Wait()
		if s := p.Stat(); s.Waiting != 0 || s.InUse != 1 {
			t.Errorf("while Close waits for the borrower: %+v", s)
		}
		if _, err := p.Acquire(context.Background()); !errors.Is(err, lido.ErrClosed) {
			t.Errorf("Acquire got %v, want ErrClosed", err)
		}
		r.Release()
		wg.Wait()
	})
}

func BenchmarkAcquireReleaseOfAnIdleResource(b *testing.B) {
	p, y := newPool(b, 1, func(opt *pool.Options[*res]) {
		opt.Idle = func(context.Context, *res) error { return nil }
		opt.Released = func(*res) error { return nil }
		opt.MaxLifetime = time.Hour
		opt.LifetimeJitter = time.Minute
		opt.IdleTimeout = time.Hour
	})
	defer mustClose(b, p, y)
	q := &lido.Query{Name: "GetAccount"}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		r, err := p.Acquire(ctx)
		if err != nil {
			b.Fatal(err)
		}
		r.SetHolder(q)
		r.Release()
	}
}
