// Package fuse tells which file systems in user space are a network behind.
package fuse

import (
	"bufio"
	"io"
	"os"
	"strings"
)

// networked are the programs that show files of another machine, or of a store
// of objects, by the subtype that they mount with. What is not here is taken for
// local: most of the others lay something over a folder (mergerfs, gocryptfs,
// bindfs), or read a disk (ntfs-3g).
var networked = map[string]bool{
	"afpfs": true, "alluxio-fuse": true, "blobfuse": true, "blobfuse2": true, "ceph": true, "ceph-fuse": true,
	"cifs": true, "curlftpfs": true, "davfs": true, "davfs2": true, "fuse_dfs": true, "gcsf": true, "gcsfuse": true,
	"geesefs": true, "glusterfs": true, "goofys": true, "google-drive-ocamlfuse": true, "grpcfuse": true,
	"gvfsd-fuse": true, "httpdirfs": true, "juicefs": true, "JuiceFS": true, "lizardfs": true, "mfs": true,
	"mount-s3": true, "mountpoint-s3": true, "moosefs": true, "nfs": true, "onedriver": true, "ossfs": true,
	"rclone": true, "riofs": true, "s3backer": true, "s3fs": true, "s3ql": true, "saunafs": true, "seaweedfs": true,
	"smbnetfs": true, "sshfs": true, "vmhgfs-fuse": true, "webdavfs": true, "yas3fs": true,
}

// On says what program shows folder, if the file system there is one in user
// space, as its mount has it; and whether that is known to have a network behind
// it. folder is absolute and without links.
func On(folder string) (program string, network bool) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", false
	}
	defer f.Close()
	return find(f, folder)
}

// find looks for the mount of folder, the innermost and the last there.
//
// https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
func find(mountinfo io.Reader, folder string) (program string, network bool) {
	longest := -1
	for lines := bufio.NewScanner(mountinfo); lines.Scan(); {
		where, what, ok := strings.Cut(lines.Text(), " - ")
		mount, source := strings.Fields(where), strings.Fields(what)
		if !ok || len(mount) < 5 || len(source) < 2 {
			continue
		}
		point := plain(mount[4])
		if len(point) < longest || folder != point && !strings.HasPrefix(folder, strings.TrimSuffix(point, "/")+"/") {
			continue
		}
		longest = len(point)
		kind, subtype, _ := strings.Cut(source[0], ".")
		if program = ""; kind == "fuse" || kind == "fuseblk" {
			program = subtype
			if program == "" { // not all say
				program, _, _ = strings.Cut(source[1], "#")
			}
		}
		network = program != "" && Network(program) || kind == "fuse" && strings.Contains(source[1], "://")
	}
	return program, network
}

// Network says whether the program of that subtype has a network behind it.
func Network(subtype string) bool { return networked[subtype] }

// plain undoes the kernel's way to write blanks and the like.
var plain = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
