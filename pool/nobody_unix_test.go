//go:build unix

package pool_test

import (
	"os/exec"
	"syscall"
)

// asNobody makes cmd run as the user without rights.
func asNobody(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}
