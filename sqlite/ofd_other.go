//go:build !linux

package sqlite

// useOFDLocks does nothing: only Linux has locks that belong to a descriptor.
func useOFDLocks() {}
