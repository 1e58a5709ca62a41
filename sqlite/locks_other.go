//go:build !unix

package sqlite

// dropLocks does nothing: only the layout of the unix files is known. The locks
// of a connection that faulted stay until the process ends.
func (c *Conn) dropLocks() {}
