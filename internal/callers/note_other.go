//go:build !amd64 && !arm64

package callers

import (
	"bytes"
	"runtime"
	"strconv"
)

// Note writes who called the function that calls Note, or the one that this was
// inlined into. It allocates nothing.
func Note(p *PCs) {
	n := runtime.Callers(3, p[:])
	clear(p[n:])
}

// Goroutine is a number that no other goroutine has while this one lives. It
// takes microseconds.
func Goroutine() uintptr {
	var text [64]byte
	number, _, _ := bytes.Cut(bytes.TrimPrefix(text[:runtime.Stack(text[:], false)], []byte("goroutine ")), []byte(" "))
	n, _ := strconv.ParseUint(string(number), 10, 64)
	return uintptr(n)
}
