package backup

import (
	"os"
	"strings"
)

// machineID returns the identifier that systemd gives a machine, or nothing.
func machineID() string {
	data, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		return ""
	}
	id := strings.TrimSpace(string(data))
	if !isHex(id, 16) { // "uninitialized", or an empty file in an image
		return ""
	}
	return id
}
