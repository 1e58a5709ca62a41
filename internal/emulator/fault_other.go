//go:build !unix

package emulator

import "testing"

// NeedFaultAddress does nothing: no emulator is used for this platform.
func NeedFaultAddress(testing.TB) {}
