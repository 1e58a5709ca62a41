//go:build !unix

package sqlite

// ExclusiveVFS is the name, for Options.VFS, of the layer under which no other
// process may open the file. This platform has none.
const ExclusiveVFS = ""
