//go:build unix

package emulator

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"
)

const mappedBytes = 64 << 10 // a page or more everywhere

// NeedFaultAddress skips the test where a fault in mapped memory arrives without
// its address. Go then takes it for the use of a nil pointer, and neither the
// engine nor Lido can say that it struck a mapped file. qemu-user is so on arm64:
// it leaves the fault_address of a SIGBUS 0, where Linux has the address.
func NeedFaultAddress(t testing.TB) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "mapped"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(mappedBytes); err != nil {
		t.Fatal(err)
	}
	memory, err := syscall.Mmap(int(f.Fd()), 0, mappedBytes, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(memory) }()
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if !faultHasAddress(memory) {
		t.Skip("a fault in mapped memory has no address here, as under qemu-user")
	}
}

// faultHasAddress reads memory, which must fault.
func faultHasAddress(memory []byte) (has bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { _, has = recover().(interface{ Addr() uintptr }) }()
	return memory[0] == 0
}
