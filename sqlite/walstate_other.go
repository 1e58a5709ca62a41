//go:build !unix

package sqlite

// unixHeld knows the layout of unix files only.
func unixHeld(uintptr, string) uintptr { return 0 }
