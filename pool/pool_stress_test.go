package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
)

// Everything at once: borrowers that give up, panic, destroy and are refused,
// openings and checks that fail, retirement and maintenance, and a Close in the
// middle of it. Then nothing is open, and the books are balanced.
func TestPoolSurvivesEverythingAtOnceWithCloseInTheMiddle(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for seed := range rounds {
		stress(t, uint64(seed))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

var errStress = errors.New("wanted by the test")

func stress(t *testing.T, seed uint64) {
	var n atomic.Uint64 // decides which call fails; shared, so the order varies
	fails := func(every uint64) error {
		if n.Add(1)%every == 0 {
			return errStress
		}
		return nil
	}
	rnd := rand.New(rand.NewPCG(seed, 1))
	p, y := openYard(t, 1+int(seed%4), func(o *pool.Options[*thing]) {
		open := o.Open
		o.Open = func(ctx context.Context) (*thing, error) {
			if err := fails(7); err != nil {
				return nil, err
			}
			runtime.Gosched()
			return open(ctx)
		}
		o.IdleCheckAfter = -1
		o.Idle = func(context.Context, *thing) error { return fails(31) }
		o.Released = func(*thing) error { return fails(23) }
		o.MinIdleCount = int(seed % 2)
		o.MaintenanceInterval = 100 * time.Microsecond
		o.IdleTimeout = 200 * time.Microsecond
		o.MaxLifetime = time.Millisecond
		o.LifetimeJitter = time.Millisecond
	})
	q := &lido.Query{Name: "Stress"}

	use := func(x *thing) {
		if x.held.Swap(true) {
			t.Errorf("thing %d is held twice", x.id)
		}
		if x.closed.Load() {
			t.Errorf("thing %d is held and closed", x.id)
		}
		runtime.Gosched()
		x.held.Store(false)
	}
	borrow := func(ctx context.Context, kind int) (err error) {
		switch kind {
		case 0, 1, 2:
			defer func() {
				if v := recover(); v != nil && v != errStress {
					panic(v)
				}
			}()
			return p.With(ctx, func(_ context.Context, x *thing) error {
				use(x)
				if kind == 0 {
					panic(errStress)
				}
				return nil
			})
		}
		r, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		r.SetHolder(q)
		use(r.Value())
		if kind == 3 {
			r.Destroy(errStress)
		} else {
			r.Release()
		}
		return nil
	}

	const workers, calls = 8, 150
	var done atomic.Int64
	middle := make(chan struct{})
	var wg sync.WaitGroup
	for w := range workers {
		rnd := rand.New(rand.NewPCG(seed, uint64(w)+2))
		wg.Go(func() {
			for range calls {
				ctx, cancel := context.Background(), func() {}
				if rnd.IntN(4) == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(50))*time.Microsecond)
				}
				err := borrow(ctx, rnd.IntN(8))
				ended := ctx.Err() != nil
				cancel()
				switch {
				case err == nil, errors.Is(err, errStress), errors.Is(err, lido.ErrClosed):
				case ended && errors.Is(err, context.DeadlineExceeded):
				default:
					t.Errorf("unexpected error: %v", err)
				}
				if done.Add(1) == workers*calls/2 {
					close(middle)
				}
				switch rnd.IntN(40) {
				case 0:
					p.Retire()
				case 1:
					p.DestroyIdle()
				case 2:
					if s := p.Stat(); s.InUse+s.Idle+s.Constructing > s.Max {
						t.Errorf("more than Max: %+v", s)
					}
				case 3:
					_ = fmt.Sprint(p.Holders())
				}
			}
		})
	}
	<-middle
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.IntN(100))*time.Microsecond)
	defer cancel()
	for range 2 {
		wg.Go(func() {
			if err := p.Close(ctx); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	wg.Wait()
	closeYard(t, p, y)
	if s := p.Stat(); s.AcquireCount == 0 || s.AcquireCount > workers*calls {
		t.Errorf("AcquireCount is %d", s.AcquireCount)
	}
}

func benchPool(b *testing.B, maxCount int) *pool.Pool[*thing] {
	p, y := openYard(b, maxCount, func(o *pool.Options[*thing]) {
		o.Idle = func(context.Context, *thing) error { return nil }
		o.Released = func(*thing) error { return nil }
		o.MaxLifetime = time.Hour
		o.LifetimeJitter = time.Minute
		o.IdleTimeout = time.Hour
	})
	b.Cleanup(func() { closeYard(b, p, y) })
	return p
}

// The path that every query outside a transaction takes: 0 allocations.
func BenchmarkPoolAcquireReleaseIdle(b *testing.B) {
	p := benchPool(b, 4)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	q := &lido.Query{Name: "GetAccount"}
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

func BenchmarkPoolWithIdle(b *testing.B) {
	p := benchPool(b, 4)
	ctx := context.Background()
	fn := func(context.Context, *thing) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if err := p.With(ctx, fn); err != nil {
			b.Fatal(err)
		}
	}
}

// More borrowers than resources: the slow path, which allocates.
func BenchmarkPoolAcquireReleaseContended(b *testing.B) {
	p := benchPool(b, 1)
	b.SetParallelism(4)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := p.Acquire(context.Background())
			if err != nil {
				b.Error(err)
				return
			}
			r.Release()
		}
	})
}

func TestPoolAcquireAndReleaseOfAnIdleResourceAllocateNothing(t *testing.T) {
	p, y := openYard(t, 2, func(o *pool.Options[*thing]) {
		o.Released = func(*thing) error { return nil }
	})
	defer closeYard(t, p, y)
	q := &lido.Query{Name: "GetAccount"}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	acquire(t, p).Release()
	if n := testing.AllocsPerRun(200, func() {
		r, err := p.Acquire(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		r.SetHolder(q)
		r.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
