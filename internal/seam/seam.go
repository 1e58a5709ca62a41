// Package seam is where the tests of this module, and package pooltest on
// behalf of others, get between Lido and the engine to provoke faults. It is
// internal: a program cannot reach it, and without it in the context of an
// opening nothing is different.
package seam

import "context"

// Seam is asked by sqlite.Open for each connection that is opened under its
// context, with the path and the VFS that were asked for.
type Seam interface {
	Open(path, vfs string) (Hooks, error)
}

// Hooks are what a Seam puts into one connection.
type Hooks struct {
	// VFS is opened in place of the one that was asked for.
	VFS string
	// Armed says whether Statement is to be asked. Nil: never.
	Armed func() bool
	// Statement is told of each statement as it begins to run, on the
	// goroutine that runs it, inside the engine: it must not use the
	// connection. query is Stmt.Query. A code other than 0 has the engine stop
	// the statement there, and treat it as it treats an interrupt; the error
	// then has this code.
	Statement func(query, sql string) (code int)
}

// ParentFile is the file control with which a VFS that wraps another answers
// the file of that one. The engine leaves numbers above 100 to applications.
//
// https://www.sqlite.org/c3ref/file_control.html
const ParentFile = 0x11d0

type key struct{}

// With returns a context under which connections are opened through s, or ctx
// itself if s is nil.
func With(ctx context.Context, s Seam) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, s)
}

// From returns the seam of ctx, or nil.
func From(ctx context.Context) Seam {
	s, _ := ctx.Value(key{}).(Seam)
	return s
}
