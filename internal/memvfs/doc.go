// Package memvfs is a layer below the engine that keeps files in memory, for
// databases that the connections of one program share and that go with the last
// of them. Unlike SQLite's own databases in memory these have a WAL, so that
// readers keep their snapshots beside a writer.
//
// A database is a name from NewName, opened through the VFS that Register
// names. Its file, WAL and index are freed when its last connection is closed.
// Temporary files of the engine, for large sorts, go to the platform's own VFS,
// and so does every file of another name: what is attached to such a database,
// or written by VACUUM INTO, is on disk.
//
// https://www.sqlite.org/vfs.html
package memvfs
