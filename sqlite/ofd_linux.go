package sqlite

import (
	"sync"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// useOFDLocks makes the locks on database files belong to their descriptor
// instead of the process. Without it, any code of the program that opens and
// closes the file, if only to hash it, drops every lock the engine holds on it.
// It does nothing where the kernel lacks them, or once a lock has been taken.
//
// https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
var useOFDLocks = sync.OnceFunc(func() {
	tls := libc.NewTLS()
	defer tls.Close()
	lib.Xmodernc_ofd_locking(tls, 1)
})
