package sqlite

import (
	"fmt"
	"runtime/debug"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The engine and the C library it was transpiled against. Upstream demands
// exactly this pair: another libc changes the layout of structures that the
// engine's code has compiled in.
const (
	enginePath = "modernc.org/sqlite"
	libcPath   = "modernc.org/libc"

	// PinnedLibc is the version of modernc.org/libc that the engine needs.
	PinnedLibc = "v1.79.0"
	// PinnedEngine is the version of modernc.org/sqlite that PinnedLibc fits.
	PinnedEngine = "v1.61.1"
)

// MinVersionNumber is the oldest SQLite that Lido opens files with: 3.51.3
// mends a bug in resetting the WAL that could corrupt the database.
//
// https://www.sqlite.org/wal.html#walresetbug
const MinVersionNumber = 3051003

// Version returns the engine's version, "3.54.1".
func Version() string { return lib.SQLITE_VERSION }

// VersionNumber returns the engine's version as one number, 3054001.
func VersionNumber() int { return lib.SQLITE_VERSION_NUMBER }

// SourceID names the check-in the engine was built from.
//
// https://www.sqlite.org/c3ref/libversion.html
func SourceID() string {
	tls := libc.NewTLS()
	defer tls.Close()
	return libc.GoString(lib.Xsqlite3_sourceid(tls))
}

// CheckEngine reports a build in which the engine must not be trusted: too old
// a SQLite, or a libc other than the one the engine was made for. The error
// names the command that repairs it.
func CheckEngine() error {
	if err := checkVersion(Version(), VersionNumber()); err != nil {
		return err
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil // built without modules: nothing is known, so nothing is wrong
	}
	return checkPair(info)
}

func checkVersion(version string, number int) error {
	if number < MinVersionNumber {
		return fmt.Errorf("sqlite: SQLite %s can corrupt a WAL database (needs 3.51.3 or newer); run: go get %s@%s",
			version, enginePath, PinnedEngine)
	}
	return nil
}

// checkPair compares the versions a binary was linked with to the pinned pair.
func checkPair(info *debug.BuildInfo) error {
	version := func(path string) string {
		for _, m := range info.Deps {
			if m.Path != path {
				continue
			}
			if m.Replace != nil {
				return "" // replaced on purpose; the version says nothing
			}
			return m.Version
		}
		return ""
	}
	engine, c := version(enginePath), version(libcPath)
	if engine != PinnedEngine || c == "" || c == PinnedLibc {
		// Another engine has another pair, which its own go.mod knows and we do not.
		return nil
	}
	return fmt.Errorf("sqlite: %s %s needs exactly %s %s, this program has %s; run: go get %s@%s",
		enginePath, engine, libcPath, PinnedLibc, c, libcPath, PinnedLibc)
}
