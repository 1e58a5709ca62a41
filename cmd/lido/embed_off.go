//go:build !sqlc

package main

// A plain build leaves sqlc out: it brings the parsers of three other
// databases, and takes minutes to compile. "lido generate" builds the other
// form when it is needed.
var sqlc func(args []string) int

func plugin() (code int, ok bool) { return 0, false }
