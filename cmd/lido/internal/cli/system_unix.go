//go:build unix

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// hasModes: the permission bits of files mean something here.
const hasModes = true

// checkOwners finds files that the service will not be able to write: what
// a person ran as root may have left a -wal of root's beside a file of another.
func checkOwners(path, folder string) (found, remedy string) {
	if unix.Access(folder, unix.W_OK) != nil {
		return "the folder cannot be written to: no -wal can be made there", "let the service's user write to " + folder
	}
	owner, ok := ownerOf(path)
	if !ok {
		return "", ""
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if other, ok := ownerOf(path + suffix); ok && other != owner {
			return fmt.Sprintf("%s belongs to user %d, the database to user %d", filepath.Base(path)+suffix, other, owner),
				fmt.Sprintf("chown %d %s", owner, path+suffix)
		}
	}
	return "", ""
}

func ownerOf(path string) (uid uint32, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
