//go:build unix

package sqlite

// ExclusiveVFS is the name, for Options.VFS, of the layer under which no other
// process may open the file; empty where the platform has none. The first
// connection that may write locks the file, and the lock is held until all of
// this process are closed. The WAL's index is then in ordinary memory, not in
// a -shm file, and read and write locks are taken without system calls.
//
// Connections opened read-only take no such lock: one that may write must be
// open before them, and stay open until after them.
//
// https://www.sqlite.org/vfs.html#standard_unix_vfses
const ExclusiveVFS = "unix-excl"
