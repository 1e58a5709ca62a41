package fuse

import (
	"strings"
	"testing"
)

const mountinfo = `24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 24 0:40 / /mnt/share rw,nosuid,nodev,relatime shared:5 - fuse.sshfs me@host:/srv rw,user_id=0
31 24 0:41 / /mnt/my\040cloud rw - fuse.rclone drive: rw,user_id=0
32 24 0:42 / /mnt/pool rw - fuse.mergerfs /a:/b rw,allow_other
33 32 0:43 / /mnt/pool/s3 rw shared:7 master:2 - fuse.s3fs s3fs rw
34 24 0:44 / /mnt/disk rw - fuseblk /dev/sdb1 rw
35 24 0:45 / /mnt/ftp rw - fuse curlftpfs#ftp://host/ rw
36 24 0:46 / /mnt/dav rw - fuse https://host/remote.php/dav rw
37 30 0:47 / /mnt/share/local rw - tmpfs tmpfs rw
38 24 0:48 / /mnt/twice rw - fuse.sshfs me@host:/ rw
39 24 8:2 / /mnt/twice rw - ext4 /dev/sda2 rw
40 24 0:49 / /mnt/win rw - ntfs3 a#b://c rw
a line of some other form
`

func TestNetworksBehindFUSEAreKnownByTheInnermostMount(t *testing.T) {
	for folder, want := range map[string]struct {
		program string
		network bool
	}{
		"/":                  {},
		"/mnt":               {},
		"/mnt/share":         {"sshfs", true},
		"/mnt/share/a/b":     {"sshfs", true},
		"/mnt/shared":        {},
		"/mnt/share/local/a": {},
		"/mnt/my cloud/a":    {"rclone", true},
		"/mnt/pool/x":        {"mergerfs", false},
		"/mnt/pool/s3":       {"s3fs", true},
		"/mnt/disk/x":        {"/dev/sdb1", false},
		"/mnt/ftp":           {"curlftpfs", true},
		"/mnt/dav":           {"https://host/remote.php/dav", true},
		"/mnt/twice/a":       {},
		"/mnt/win":           {},
	} {
		program, network := find(strings.NewReader(mountinfo), folder)
		if program != want.program || network != want.network {
			t.Errorf("%s: %q, %v", folder, program, network)
		}
	}
}

// The one of this machine is read, whatever it says.
func TestTheFolderOfATestIsOnNoNetwork(t *testing.T) {
	if program, network := On(t.TempDir()); network {
		t.Error(program)
	}
}
