package health

import (
	"errors"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

var (
	// ErrNotStarted: the Monitor has no database, before Start and after Stop.
	ErrNotStarted = errors.New("health: monitor is not running")
	// ErrStarted: Start was called a second time without a Stop between.
	ErrStarted = errors.New("health: monitor is already running")
	// ErrUnknownCheck: Run was given a name that no check has.
	ErrUnknownCheck = errors.New("health: no such check")
	// ErrStuck: Stop's context ended while a check was still running. The error
	// names the checks; their goroutines end when their Run returns.
	ErrStuck = errors.New("health: checks did not return")
)

// errTimeout is the cause with which a check's context ends on time.
var errTimeout = errors.New("health: check timed out")

// Result codes whose remedy differs from that of their family.
//
// https://www.sqlite.org/rescode.html
const (
	codePerm     = 3
	codeIOErr    = 10
	codeCantOpen = 14
	codeProtocol = 15
	extShortRead = codeIOErr | 2<<8
	extDBMoved   = 8 | 4<<8
)

const (
	remedyRestore    = "stop the program, keep a copy of the database with its -wal and -shm files as evidence, and restore the last verified backup"
	remedyIndex      = `the tables are sound and an index is not: make a backup, run "REINDEX", and check again`
	remedyRows       = "the file is sound, but rows break a constraint of their table, which was added or ignored when they were written: correct the rows"
	remedyUnfinished = "give the check a longer Timeout in health.Config.Schedules"
	remedyWAL        = "another program has changed the -wal file under this one: stop the program, keep a copy of the database with its -wal and -shm files, and restore the last verified backup; find out what touched the files"
	remedyMoved      = "put the file back under its name, or restart the program; writes made meanwhile are in the file that was moved away, so keep it"
	remedyDisk       = "look for disk errors in the kernel's log, and move the database to a healthy disk"
	remedyTemp       = "set SQLITE_TMPDIR to a folder that this user can write to, and restart the program"
	remedyFull       = "free space on the database's file system; writes fail until there is some"
	remedyOpen       = "check that the file and its folder exist, that this user may read and write both, and that the process has not run out of file descriptors"
	remedyBusy       = "find the program or the transaction that holds the lock; a shell with an open transaction is the usual one"
	remedyWriter     = "make write transactions shorter: nothing but statements belongs into a Write closure"
	remedyReaders    = "raise pool.Config.MaxReaders, or make Read closures shorter and read iterators to their end"
	remedyRestart    = "restart the program; the locks of this connection no longer work"
	remedyAuthor     = "report it to whoever wrote the check"
	remedyLook       = "read the reason; if the error stays, restart the program and keep its log"
)

// remedyFor says what a person can do about an error of the engine.
func remedyFor(err error) string {
	switch {
	case errors.Is(err, lido.ErrCorrupt):
		return remedyRestore
	case errors.Is(err, lido.ErrFull):
		return remedyFull
	case errors.Is(err, lido.ErrBusy):
		return remedyBusy
	case errors.Is(err, sqlite.ErrTempFolder):
		return remedyTemp
	}
	var e *lido.Error
	if !errors.As(err, &e) {
		return remedyLook
	}
	switch e.Extended {
	case extShortRead:
		return remedyWAL
	case extDBMoved:
		return remedyMoved
	}
	switch e.Code {
	case codeIOErr:
		return remedyDisk
	case codeCantOpen, codePerm:
		return remedyOpen
	case codeProtocol:
		return remedyRestart
	}
	if errors.Is(err, lido.ErrReadOnly) {
		return remedyOpen
	}
	return remedyLook
}
