// Package sqlite is one connection to one SQLite database, over the
// transpiled engine modernc.org/sqlite/lib, without cgo and without
// database/sql.
//
// It is a thin binding: it opens, prepares, steps, interrupts and backs up,
// and turns result codes into *lido.Error. Rules for more than one connection
// (one writer, many readers, transactions as closures) are package pool's.
//
// A [Conn] and everything made from it belong to one goroutine at a time. The
// exception is [Conn.Interrupt], which any goroutine may call. A call that meets
// another goroutine's in the engine fails with lido.ErrConcurrentUse, which names
// the place of the call and the statement that was stepped last. A [Stmt] that
// two goroutines share is not found out so where their calls alternate: one then
// runs with what the other has bound.
//
// # Temporary files
//
// A large sort, CREATE INDEX, VACUUM and some writes need a temporary file.
// Where the engine finds no folder for one, as in a container that has no /tmp,
// the statement fails with [ErrTempFolder], is undone, and the connection stays. Set
// the environment variable SQLITE_TMPDIR, or PRAGMA temp_store=MEMORY.
//
// https://www.sqlite.org/tempfiles.html
//
// # Cancellation
//
// Every call that can take long takes a context. The engine polls it while a
// statement runs and while it waits for a lock, so cancelling costs no
// goroutine per call. Transaction control (BEGIN, COMMIT, ROLLBACK, SAVEPOINT,
// RELEASE) is never interrupted half way; BEGIN still stops waiting for a lock
// when its context ends. An fsync under way cannot be stopped.
//
// # Faults in mapped memory
//
// With mmap_size above zero, a database file that another program truncates
// turns a page read into SIGBUS. Calls into the engine run so that the fault
// becomes an error with SQLite's code IOERR_IN_PAGE (8714) instead of the end
// of the process. The connection is then dead: nothing more runs on it, and
// its memory and descriptors are given up, because the engine was stopped in
// the middle of its work.
//
// https://www.sqlite.org/mmap.html
package sqlite
