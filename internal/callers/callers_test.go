package callers_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/lidodb/lido/internal/callers"
)

//go:noinline
func inner(p *callers.PCs) { callers.Note(p) }

//go:noinline
func outer(p *callers.PCs) { inner(p); runtime.KeepAlive(p) }

func deep(p *callers.PCs, n int) {
	if n == 0 {
		inner(p)
		return
	}
	deep(p, n-1)
	runtime.KeepAlive(p)
}

func TestTheCallersAreThoseThatTheRuntimeNames(t *testing.T) {
	var p, want callers.PCs
	outer(&p)
	func() { runtime.Callers(2, want[:]) }()
	lines := strings.Split(p.Stack(), "\n")
	if !strings.Contains(lines[0], "callers_test.outer (") || !strings.Contains(lines[1], "TestTheCallersAreThoseThatTheRuntimeNames (") {
		t.Error(lines)
	}
	if got, want := strings.Join(lines[2:], "\n"), strings.Join(strings.Split(want.Stack(), "\n")[1:], "\n"); !strings.HasPrefix(want, got) || got == "" {
		t.Errorf("%s\nthe runtime says\n%s", got, want)
	}
	if place := p.Place(); !strings.HasPrefix(place, "callers/callers_test.go:16 from callers/callers_test.go:") {
		t.Error(place)
	}
	if place := p.Place("testing", "github.com/lidodb/lido/internal/callers_test"); !strings.HasPrefix(place, "callers/callers_test.go:") {
		t.Errorf("%q: a test was hidden", place)
	}
}

// Also when the stack moves, and the goroutine from one processor to another.
func TestGoroutinesAreToldApart(t *testing.T) {
	seen := make(chan uintptr)
	var wg sync.WaitGroup
	const n = 50
	goOn := make(chan struct{})
	for range n {
		wg.Go(func() {
			me := callers.Goroutine()
			seen <- me
			<-goOn
			var p callers.PCs
			deep(&p, 10_000)
			runtime.Gosched()
			if callers.Goroutine() != me {
				t.Error("another goroutine")
			}
		})
	}
	all := map[uintptr]bool{0: true, callers.Goroutine(): true}
	for range n {
		all[<-seen] = true
	}
	close(goOn)
	wg.Wait()
	if len(all) != n+2 {
		t.Errorf("%d numbers for %d goroutines", len(all)-1, n+1)
	}
}

func TestWhatWasNotedBeforeIsGone(t *testing.T) {
	var p callers.PCs
	deep(&p, 100)
	if n := strings.Count(p.Stack(), "callers_test.deep "); n != callers.Depth {
		t.Errorf("%d of %d callers", n, callers.Depth)
	}
	var wg sync.WaitGroup
	wg.Go(func() { outer(&p) }) // a short stack, down to its bottom
	wg.Wait()
	if s := p.Stack(); strings.Contains(s, "deep") || !strings.Contains(s, "outer") {
		t.Error(s)
	}
	p = callers.PCs{}
	if p.Stack() != "" || p.Place() != "" {
		t.Errorf("%q %q", p.Stack(), p.Place())
	}
}

func TestNoteFollowsAStackThatMoves(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range 200 {
				var p callers.PCs
				grow(&p, n)
				if !strings.Contains(p.Stack(), "callers_test.grow ") {
					t.Error(p.Stack())
				}
				if n%50 == 0 {
					runtime.GC() // shrinks stacks
				}
			}
		})
	}
	wg.Wait()
}

//go:noinline
func grow(p *callers.PCs, n int) {
	var block [512]byte
	if n > 0 {
		grow(p, n-1)
	} else {
		inner(p)
	}
	runtime.KeepAlive(&block)
}

func BenchmarkNote(b *testing.B) {
	var p callers.PCs
	b.ReportAllocs()
	for b.Loop() {
		inner(&p)
	}
}

func BenchmarkGoroutine(b *testing.B) {
	for b.Loop() {
		callers.Goroutine()
	}
}
