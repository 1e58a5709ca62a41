package pool

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
)

func TestAVisitorMeetsOneBorrowerOnlyAndReleaseWaitsForIt(t *testing.T) {
	// visitor              borrower              next
	// comes
	//                      Release
	//                                            Acquire waits
	// leaves
	//                      has released
	//                                            has it
	// is refused
	p, err := New(Options[int]{
		Name: "thing", MaxCount: 1,
		Open:  func(context.Context) (int, error) { return 1, nil },
		Close: func(int) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	r, err := p.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	since := r.held.Load()
	var released atomic.Bool
	next := make(chan *Resource[int], 1)
	come := r.visit(since, func() {
		go func() {
			r.Release()
			released.Store(true)
		}()
		go func() {
			r, err := p.Acquire(context.Background())
			if err != nil {
				t.Error(err)
			}
			next <- r
		}()
		for range 10_000 {
			runtime.Gosched()
		}
		select {
		case r := <-next:
			t.Error("the next borrower met the visitor")
			next <- r
		default:
		}
		if released.Load() {
			t.Error("Release did not wait")
		}
	})
	if !come {
		t.Error("the visitor was refused")
	}
	again := <-next
	if again != r || r.held.Load() == since {
		t.Errorf("held since %d, before since %d", again.held.Load(), since)
	}
	if r.visit(since, func() { t.Error("a visitor of the first borrower met the second") }) {
		t.Error("the visitor was let in")
	}
	again.Release()
	if r.visit(0, func() {}) || r.visit(r.held.Load(), func() {}) {
		t.Error("nobody was visited")
	}
}
