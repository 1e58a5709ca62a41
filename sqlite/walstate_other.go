//go:build !unix

package sqlite

func (c *Conn) viewWAL()              {}
func (c *Conn) heldReadLocks() uint16 { return 0 }
