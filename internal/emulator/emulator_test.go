package emulator_test

import (
	"runtime"
	"testing"

	"github.com/lidodb/lido/internal/emulator"
)

// Nothing is skipped where the tests of every commit run.
func TestNeedFaultAddress_skips_nothing_on_a_real_processor(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("linux/amd64 only")
	}
	var skipped bool
	t.Run("probe", func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		emulator.NeedFaultAddress(t)
	})
	if skipped {
		t.Error("a fault has no address")
	}
}
