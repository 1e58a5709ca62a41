//go:build !unix

package cli

// hasModes: the permission bits of files mean nothing here.
const hasModes = false

// checkOwners cannot tell on this platform.
func checkOwners(path, folder string) (found, remedy string) { return "", "" }
