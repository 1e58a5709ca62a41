package emulator

import (
	"os"
	"os/exec"
)

// Variable names the program that the tests run under, if any.
const Variable = "LIDO_EMULATOR"

// Command starts a test's own program once more, under the emulator that it runs
// under itself: the system cannot start it by itself.
func Command(program string, args ...string) *exec.Cmd {
	if name := os.Getenv(Variable); name != "" {
		return exec.Command(name, append([]string{program}, args...)...)
	}
	return exec.Command(program, args...)
}
