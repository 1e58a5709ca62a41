// Package faultvfs is a layer between the engine and the platform's files that
// fails, delays and counts what the engine asks of them.
//
// Register puts the layer over a VFS, once for the process. What it does is
// told for each database by a Disk, so that tests that run in parallel do not
// meet: Watch names the file, Add arms a Rule. Files that nobody watches pass
// through untouched.
//
// The layer does not see what is read through mapped memory. A Disk that has
// ever had a rule for reads therefore offers no mapping any more. The -shm file
// is always mapped; only the calls that map and lock it are seen.
//
// https://www.sqlite.org/vfs.html
package faultvfs
