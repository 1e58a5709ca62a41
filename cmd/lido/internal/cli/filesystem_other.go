//go:build !linux

package cli

// checkFilesystem cannot tell on this platform.
func checkFilesystem(string) finding {
	return finding{"file_system", statusUnknown, "not known on this platform", ""}
}
