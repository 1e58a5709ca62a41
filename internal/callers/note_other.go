//go:build !amd64 && !arm64

package callers

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
)

// Note writes who called the function that calls Note, or the one that this was
// inlined into. It allocates nothing.
func Note(p *PCs) {
	n := runtime.Callers(3, p[:])
	clear(p[n:])
}

// stacks are the first bytes of stacks, which the runtime would have escape.
var stacks = sync.Pool{New: func() any { return new([64]byte) }}

// Goroutine is a number that no other goroutine has while this one lives. It
// takes microseconds, and allocates nothing.
func Goroutine() uintptr {
	text := stacks.Get().(*[64]byte)
	defer stacks.Put(text)
	number, _, _ := bytes.Cut(bytes.TrimPrefix(text[:runtime.Stack(text[:], false)], []byte("goroutine ")), []byte(" "))
	n, _ := strconv.ParseUint(string(number), 10, 64)
	return uintptr(n)
}
