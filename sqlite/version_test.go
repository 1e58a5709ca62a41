package sqlite

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestASQLiteThatCanCorruptAWALIsRefused(t *testing.T) {
	if err := checkVersion("3.51.2", 3051002); err == nil || !strings.Contains(err.Error(), "go get modernc.org/sqlite@"+PinnedEngine) {
		t.Errorf("%v", err)
	}
	if err := checkVersion("3.51.3", 3051003); err != nil {
		t.Error(err)
	}
}

func TestALibcOtherThanThePinnedOneIsRefusedWithTheCommandThatRepairsIt(t *testing.T) {
	deps := func(engine, libc string) *debug.BuildInfo {
		return &debug.BuildInfo{Deps: []*debug.Module{{Path: enginePath, Version: engine}, {Path: libcPath, Version: libc}}}
	}
	err := checkPair(deps(PinnedEngine, "v1.80.0"))
	if err == nil || !strings.Contains(err.Error(), "go get modernc.org/libc@"+PinnedLibc) {
		t.Errorf("%v", err)
	}
	for _, info := range []*debug.BuildInfo{deps(PinnedEngine, PinnedLibc), deps("v1.99.0", "v2.0.0"), {}} {
		if err := checkPair(info); err != nil {
			t.Error(err)
		}
	}
	if err := CheckEngine(); err != nil {
		t.Error(err)
	}
}
