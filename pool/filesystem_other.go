//go:build !linux && !darwin && !freebsd && !windows

package pool

// networkFilesystem cannot tell on this platform.
func networkFilesystem(string) string { return "" }
