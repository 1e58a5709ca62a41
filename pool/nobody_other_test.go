//go:build !unix

package pool_test

import "os/exec"

func asNobody(*exec.Cmd) {}
