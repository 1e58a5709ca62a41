//go:build !linux

package pool

// networkFilesystem cannot tell on this platform.
func networkFilesystem(string) string { return "" }
