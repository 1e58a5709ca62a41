package cli

import (
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/lidodb/lido/internal/fuse"
)

// filesystems are the kinds that people keep databases on, by statfs's magic.
//
// https://man7.org/linux/man-pages/man2/statfs.2.html
var filesystems = map[uint32]finding{
	0xef53:     {Status: statusOK, Found: "ext4"},
	0x58465342: {Status: statusOK, Found: "xfs"},
	0x9123683e: {Status: statusOK, Found: "btrfs"},
	0x2fc12fc1: {Status: statusOK, Found: "zfs"},
	0xf2f52010: {Status: statusOK, Found: "f2fs"},
	0x794c7630: {Status: statusWarn, Found: "overlayfs: a container's own layer, which goes when the container does", Remedy: "keep the database on a volume"},
	0x01021994: {Status: statusWarn, Found: "tmpfs: gone when the machine stops", Remedy: "keep the database on a disk"},
	0x65735546: {Status: statusWarn, Found: "FUSE: locks and syncs are as good as the program behind it", Remedy: "keep the database on a local disk"},
	0x6969:     {Status: statusFail, Found: "NFS", Remedy: onNetwork},
	0x517b:     {Status: statusFail, Found: "SMB", Remedy: onNetwork},
	0xff534d42: {Status: statusFail, Found: "SMB", Remedy: onNetwork},
	0xfe534d42: {Status: statusFail, Found: "SMB", Remedy: onNetwork},
	0x01021997: {Status: statusFail, Found: "9p", Remedy: onNetwork},
	0x5346414f: {Status: statusFail, Found: "AFS", Remedy: onNetwork},
	0x00c36400: {Status: statusFail, Found: "Ceph", Remedy: onNetwork},
}

const onNetwork = "keep the database on a local disk: WAL needs memory that all its users share (https://www.sqlite.org/wal.html#noshm)"

// checkFilesystem says what the database lies on.
func checkFilesystem(path string) finding {
	var s syscall.Statfs_t
	folder := filepath.Dir(absolute(path))
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		folder = real
	}
	if err := syscall.Statfs(folder, &s); err != nil {
		return finding{"file_system", statusUnknown, err.Error(), ""}
	}
	f, ok := filesystems[uint32(s.Type)]
	if !ok {
		f = finding{Status: statusUnknown, Found: fmt.Sprintf("a kind that is not known here (0x%x)", uint32(s.Type))}
	}
	if program, network := fuse.On(folder); network {
		f = finding{Status: statusFail, Found: program + " (FUSE)", Remedy: onNetwork}
	}
	f.Check = "file_system"
	return f
}
