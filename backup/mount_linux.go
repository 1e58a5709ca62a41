package backup

import (
	"bufio"
	"os"
	"strings"
)

// isMountPoint reports whether the file at path, absolute and without links, is
// itself mounted. Where the system does not say, the rename finds out.
//
// https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
func isMountPoint(path string) bool {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	defer f.Close() // read only: nothing to lose
	escape := strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`)
	want := escape.Replace(path)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && fields[4] == want {
			return true
		}
	}
	return false
}
