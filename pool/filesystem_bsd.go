//go:build darwin || freebsd

package pool

import (
	"strings"
	"syscall"

	"github.com/lidodb/lido/internal/fuse"
)

// networkFilesystem names the network file system that folder lies on, or
// returns nothing.
func networkFilesystem(folder string) string {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return ""
	}
	var name []byte
	for _, c := range s.Fstypename {
		if c == 0 {
			break
		}
		name = append(name, byte(c))
	}
	switch string(name) {
	case "nfs":
		return "NFS"
	case "smbfs":
		return "SMB"
	case "afpfs":
		return "AFP"
	case "webdav":
		return "WebDAV"
	}
	if program, ok := strings.CutPrefix(string(name), "fusefs."); ok && fuse.Network(program) { // of FreeBSD
		return program + " (FUSE)"
	}
	return ""
}
