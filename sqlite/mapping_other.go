//go:build !linux

package sqlite

// tuneMapping does nothing: POSIX leaves open what a mapping shows once its file
// was cut.
func (c *Conn) tuneMapping() {}
