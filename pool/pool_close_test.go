package pool_test

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
)

// borrower           waiters            Close
// Acquire
//
//	Acquire x 3
//	                   begins
//	ErrClosed          waits
//
// Release: closed
//
//	nil
func TestPoolCloseWakesWaitersWithErrClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 1, nil)
		r := acquire(t, p)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := p.Acquire(context.Background()); !errors.Is(err, lido.ErrClosed) {
					t.Errorf("waiter got %v, want ErrClosed", err)
				}
			})
		}
		synctest.Wait()
		wg.Go(func() { closeYard(t, p, y) })
		synctest.Wait()
		if s := p.Stat(); s.Waiting != 0 || s.InUse != 1 || s.CanceledCount != 0 {
			t.Errorf("while Close waits for the borrower: %+v", s)
		}
		if _, err := p.Acquire(context.Background()); !errors.Is(err, lido.ErrClosed) {
			t.Errorf("Acquire got %v, want ErrClosed", err)
		}
		if err := p.With(context.Background(), nil); !errors.Is(err, lido.ErrClosed) {
			t.Errorf("With got %v, want ErrClosed", err)
		}
		r.Release()
		wg.Wait()
		if s := p.Stat(); s.Destroyed.Closed != 1 || s.InterruptedCount != 0 {
			t.Errorf("Stat: %+v", s)
		}
	})
}

func TestPoolCloseOfAnUnusedPoolReturnsAtOnceAndTwice(t *testing.T) {
	p, y := openYard(t, 1, nil)
	closeYard(t, p, y)
	closeYard(t, p, y)
	ended, end := context.WithCancel(context.Background())
	end()
	if err := p.Close(ended); err != nil {
		t.Errorf("Close of a closed pool got %v", err)
	}
	p.Retire()
	p.DestroyIdle()
	checkEmpty(t, p, y)
}

func TestPoolCloseMayBeCalledConcurrentlyAndEachWaitsForItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 2, func(o *pool.Options[*thing]) { o.Interrupt = nil })
		r := acquire(t, p)
		acquire(t, p).Release()
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i+1)*time.Second)
				defer cancel()
				var held *pool.HeldError
				if err := p.Close(ctx); !errors.As(err, &held) {
					t.Errorf("got %v, want a HeldError", err)
				}
				if d := time.Since(start); d != time.Duration(i+6)*time.Second {
					t.Errorf("Close %d took %v", i, d)
				}
			})
		}
		wg.Go(func() { closeYard(t, p, y) })
		advance(time.Minute)
		r.Release()
		wg.Wait()
	})
}

// borrower              Close
// Acquire
// works until stopped   begins, 1 s
//
//	Interrupt
//
// stops, Release
//
//	nil
func TestPoolCloseInterruptsBorrowersWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 2, nil)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				_ = p.With(context.Background(), func(_ context.Context, x *thing) error {
					<-x.stop
					return nil
				})
			})
		}
		synctest.Wait()
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("Close took %v", d)
		}
		if s := p.Stat(); s.InterruptedCount != 2 {
			t.Errorf("InterruptedCount is %d", s.InterruptedCount)
		}
		wg.Wait()
		checkEmpty(t, p, y)
	})
}

func TestPoolCloseInterruptsAgainABorrowerThatWasBetweenTwoStatements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 1, nil)
		r := acquire(t, p)
		var wg sync.WaitGroup
		wg.Go(func() {
			<-r.Value().stop // missed
			<-r.Value().stop
			r.Release()
		})
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		wg.Wait()
		if s := p.Stat(); s.InterruptedCount != 1 {
			t.Errorf("one resource was interrupted, counted %d", s.InterruptedCount)
		}
		checkEmpty(t, p, y)
	})
}

// borrower              Close
// Acquire
//
//	Interrupt begins
//
// Release
//
//	Interrupt ends
//
// closed
func TestPoolDoesNotCloseAResourceWhileInterruptRuns(t *testing.T) {
	begun := make(chan struct{})
	p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
		interrupt := o.Interrupt
		o.Interrupt = func(x *thing) {
			close(begun)
			for range 10_000 {
				runtime.Gosched() // long enough for the Release to come
			}
			interrupt(x)
		}
	})
	r := acquire(t, p)
	var wg sync.WaitGroup
	wg.Go(func() {
		<-begun
		r.Release()
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
	checkEmpty(t, p, y)
}

func TestPoolCloseNamesTheHoldersAndALateReleaseStillDestroys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 4, func(o *pool.Options[*thing]) { o.CloseGrace = 2 * time.Second })
		begin := time.Now()
		q := &lido.Query{Name: "GetAccount"}

		byQuery := acquire(t, p)
		byQuery.SetHolder(q)
		advance(time.Second)
		byPlace := acquire(t, p)
		advance(time.Second)
		broken := acquire(t, p)

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := p.Close(ctx)
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("Close returned %v after the beginning, want 5s", d)
		}
		var held *pool.HeldError
		if !errors.As(err, &held) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Close got %v", err)
		}
		want := regexp.MustCompile(`^pool: close reader pool: 3 still held by ` +
			`GetAccount \(pool/pool_test\.go:\d+ from pool/pool_close_test\.go:\d+\) since \S+ \(5s\), ` +
			`pool/pool_test\.go:\d+ from pool/pool_close_test\.go:\d+ since \S+ \(4s\), ` +
			`pool/pool_test\.go:\d+ from pool/pool_close_test\.go:\d+ since \S+ \(3s\): context deadline exceeded$`)
		if !want.MatchString(err.Error()) {
			t.Errorf("Close got %q", err)
		}
		for _, h := range held.Holders {
			if !strings.Contains(h.Stack, "TestPoolCloseNamesTheHolders") || strings.Contains(h.Stack, "Acquire") {
				t.Errorf("the stack of the holder is\n%s", h.Stack)
			}
		}
		if len(held.Holders) != 3 || held.Holders[0].Query != q || held.Holders[0].Since.Sub(begin) > time.Microsecond || held.Busy != 0 {
			t.Errorf("HeldError is %+v, begin was %v", held, begin)
		}
		for i, r := range []*pool.Resource[*thing]{byQuery, byPlace} {
			r.Release()
			if n := y.open.Load(); n != int64(2-i) {
				t.Errorf("%d are open after %d late releases", n, i+1)
			}
		}
		broken.Destroy(nil)
		if s := p.Stat(); s.Destroyed.Closed != 2 || s.Destroyed.Broken != 1 {
			t.Errorf("Stat: %+v", s)
		}
		closeYard(t, p, y) // now it can say nil
	})
}

func TestPoolForgetsTheHolderOfTheLastBorrower(t *testing.T) {
	p, y := openYard(t, 1, nil)
	defer closeYard(t, p, y)
	r := acquire(t, p)
	r.SetHolder(&lido.Query{SQL: "SELECT 1"})
	if hs := p.Holders(); len(hs) != 1 || !strings.HasPrefix(hs[0].Text, "SELECT 1 (pool/pool_test.go:") {
		t.Errorf("Holders: %v", hs)
	}
	r.Release()
	if hs := p.Holders(); len(hs) != 0 {
		t.Errorf("Holders of an idle pool: %v", hs)
	}
	r = acquire(t, p)
	if hs := p.Holders(); len(hs) != 1 || hs[0].Query != nil || strings.Contains(hs[0].Text, "SELECT") {
		t.Errorf("Holders: %v", hs)
	}
	r.Release()
}

// caller             opening             Close
// Acquire            Open begins
//
//	begins
//
// ErrClosed          its context ends    waits
//
//	Open returns a thing all the same
//	closed
//	                    nil
func TestPoolCloseEndsAnOpeningAndClosesWhatItOpened(t *testing.T) {
	for name, giveUp := range map[string]bool{"caller waits": false, "caller gave up": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
					open := o.Open
					o.Open = func(ctx context.Context) (*thing, error) {
						<-ctx.Done()
						if err := context.Cause(ctx); err != context.Canceled {
							t.Errorf("Open ends for %v, which is not its own end", err)
						}
						return open(ctx)
					}
				})
				ctx, cancel := context.WithCancelCause(context.Background())
				defer cancel(nil)
				want := lido.ErrClosed
				if giveUp {
					want = context.Canceled
				}
				var wg sync.WaitGroup
				wg.Go(func() {
					if _, err := p.Acquire(ctx); !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
				})
				synctest.Wait()
				if giveUp {
					cancel(errors.New("the client hung up"))
					synctest.Wait()
				}
				if err := p.Close(context.Background()); err != nil {
					t.Errorf("Close: %v", err)
				}
				wg.Wait()
				checkEmpty(t, p, y)
				if s := p.Stat(); s.Created != 1 || s.Destroyed.Closed != 1 {
					t.Errorf("Stat: %+v", s)
				}
			})
		})
	}
}

func TestPoolCloseEndsTheMaintenanceThatIsOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, y := openYard(t, 2, func(o *pool.Options[*thing]) {
			open := o.Open
			o.MinIdleCount = 2
			o.Open = func(ctx context.Context) (*thing, error) {
				<-ctx.Done()
				return open(ctx)
			}
			o.OnError = func(err error) { t.Errorf("the end of the pool was reported: %v", err) }
		})
		synctest.Wait()
		closeYard(t, p, y)
	})
}

func TestPoolCloseDoesNotHangOnAnOpeningThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
			open := o.Open
			o.Open = func(ctx context.Context) (*thing, error) {
				<-gate
				return open(ctx)
			}
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := p.Acquire(context.Background()); !errors.Is(err, lido.ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var held *pool.HeldError
		if err := p.Close(ctx); !errors.As(err, &held) || held.Busy != 1 || len(held.Holders) != 0 {
			t.Errorf("Close got %v", err)
		}
		wg.Wait()
		close(gate)
		closeYard(t, p, y)
	})
}

func TestPoolCloseDoesNotHangOnAResourceWhoseCloseHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p, y := openYard(t, 1, func(o *pool.Options[*thing]) {
			shut := o.Close
			o.Close = func(x *thing) {
				<-gate
				shut(x)
			}
		})
		acquire(t, p).Release()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := p.Close(ctx)
		if err == nil || err.Error() != "pool: close reader pool: 1 still opening or closing: context deadline exceeded" {
			t.Errorf("Close got %v", err)
		}
		close(gate)
		closeYard(t, p, y)
	})
}
