package cli

import (
	"fmt"
	"path/filepath"

	"github.com/lidodb/lido/internal/walfile"
)

// checkWAL looks for damage in the -wal file, without the engine, which leaves
// out the commits behind a damaged frame and says nothing.
func checkWAL(path string) finding {
	f := finding{Check: "wal_file", Status: statusOK, Found: "no commit is behind a damaged frame"}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	damage, err := walfile.Examine(path + "-wal")
	switch {
	case err != nil:
		f.Status, f.Found, f.Remedy = statusUnknown, err.Error(), "run doctor as a user who may read the file"
	case damage != nil:
		f.Status = statusFail
		f.Found = fmt.Sprintf("the -wal file is damaged at byte %d, and SQLite leaves out the %s behind it", damage.Offset, plural(damage.Commits, "commit"))
		f.Remedy = "keep a copy of the database and its -wal before the next program opens them, and compare with the last verified backup; " +
			"after a power failure they may be commits that were never on the disk"
	case !fileExists(path + "-wal"):
		f.Found = "there is no -wal file"
	}
	return f
}
