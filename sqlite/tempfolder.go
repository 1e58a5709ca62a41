package sqlite

import (
	"errors"

	lib "modernc.org/sqlite/lib"
)

// ErrTempFolder is the cause of an error of a statement that needed a temporary
// file, for a sort, an index or VACUUM, where the engine has found no folder for
// one. Nothing of the statement was applied, and the connection stays sound.
//
// https://www.sqlite.org/tempfiles.html#temporary_file_storage_locations
var ErrTempFolder = errors.New("no folder for temporary files: none of SQLITE_TMPDIR, TMPDIR, /var/tmp, /usr/tmp, /tmp and the working folder can be written to; " +
	"start the program with SQLITE_TMPDIR set to a folder that it can write to, or set PRAGMA temp_store=MEMORY in Config.OnConnect to use memory in place of files")

// noTempFolder reports the code of that. The engine counts it among I/O errors,
// although it has touched no file: it says nothing about a disk, and a commit
// needs no temporary file.
//
// https://www.sqlite.org/rescode.html#ioerr_gettemppath
func noTempFolder(extended int) bool { return extended == lib.SQLITE_IOERR_GETTEMPPATH }
