//go:build amd64 || arm64

package callers

// Note writes who called the function that calls Note, or the one that this was
// inlined into. It allocates nothing.
//
//go:noescape
func Note(p *PCs)

// Goroutine is a number that no other goroutine has while this one lives.
func Goroutine() uintptr
