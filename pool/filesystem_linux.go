package pool

import (
	"syscall"

	"github.com/lidodb/lido/internal/fuse"
)

// networkFilesystem names the network file system that folder lies on, or
// returns nothing.
//
// https://man7.org/linux/man-pages/man2/statfs.2.html
func networkFilesystem(folder string) string {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return ""
	}
	switch uint32(s.Type) {
	case 0x6969:
		return "NFS"
	case 0x517b, 0xff534d42, 0xfe534d42:
		return "SMB"
	case 0x01021997:
		return "9p"
	case 0x5346414f:
		return "AFS"
	case 0x00c36400:
		return "Ceph"
	case 0x65735546:
		if program, network := fuse.On(folder); network {
			return program + " (FUSE)"
		}
	}
	return ""
}
