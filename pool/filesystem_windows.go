package pool

import (
	"path/filepath"
	"syscall"
	"unsafe"
)

var getDriveType = syscall.NewLazyDLL("kernel32.dll").NewProc("GetDriveTypeW")

// networkFilesystem says whether folder lies on a network drive.
//
// https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-getdrivetypew
func networkFilesystem(folder string) string {
	root, err := syscall.UTF16PtrFromString(filepath.VolumeName(folder) + `\`)
	if err != nil {
		return ""
	}
	const driveRemote = 4
	if kind, _, _ := getDriveType.Call(uintptr(unsafe.Pointer(root))); kind == driveRemote {
		return "a network drive"
	}
	return ""
}
