package inuse_test

import (
	"sync"
	"testing"

	"github.com/lidodb/lido/internal/inuse"
)

// A number that is not atomic, changed only by the goroutine that is inside.
func TestFlag_letsOneInAtATime(t *testing.T) {
	var f inuse.Flag
	var what inuse.Pointer[int]
	n, entered := 0, make([]int, 8)
	var wg sync.WaitGroup
	for i := range entered {
		wg.Go(func() {
			for range 20_000 {
				if f.Enter() {
					n++
					what.Set(&entered[i])
					entered[i]++
					f.Leave()
				} else if what.Get() == nil && f.Over() {
					t.Error("over")
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, e := range entered {
		sum += e
	}
	if n != sum || n == 0 {
		t.Errorf("%d, want %d", n, sum)
	}
}

func TestFlag_endWaitsForACall(t *testing.T) {
	var f inuse.Flag
	f.Enter()
	found := 0
	ended := make(chan struct{})
	go func() {
		f.End(func() { found++; f.Leave() }) // the call ends for that
		close(ended)
	}()
	<-ended
	f.End(func() { found++ })
	if found != 1 || f.Enter() || f.Inside() || !f.Over() || f.Await(nil) {
		t.Error(found, f.Over())
	}
}

func BenchmarkFlag(b *testing.B) {
	var f inuse.Flag
	for b.Loop() {
		f.Enter()
		f.Leave()
	}
}
