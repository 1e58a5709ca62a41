//go:build !unix

package sqlite

import "modernc.org/libc"

// join does nothing: only the locks of unix files are known.
func (l *ReadLocks) join(*Conn) {}

func (m *keptLock) leave(*libc.TLS) {}

func (l *ReadLocks) alone() bool { return false }
