//go:build !linux && !darwin && !freebsd

package health

func statfs(string) (space, error) { return space{}, errNoStatfs }

func sameDevice(a, b string) bool { return false }
