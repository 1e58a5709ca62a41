package health

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lidodb/lido/pool"
)

// space is what a file system has left.
type space struct {
	freeBytes, totalBytes uint64 // free for this user
	freeNodes, totalNodes uint64 // zero total: the file system does not count them
}

// errNoStatfs: the platform's way to ask for free space is not built in.
var errNoStatfs = errors.New("free space is not measured on " + runtime.GOOS)

// checkDatabaseDisk looks at the file system of the database and its WAL.
func checkDatabaseDisk(cfg Config) Check {
	return Check{
		Name: DiskDatabase, Cost: Cheap, Interval: time.Minute, Timeout: 10 * time.Second,
		Run: func(_ context.Context, db *pool.DB) Result {
			if inMemory(db) {
				return okay("the database is in memory")
			}
			path := realPath(db.Path())
			return judgeDisk(cfg, "database", filepath.Dir(path), path)
		},
	}
}

// checkBackupDisk looks at the file system of the backups.
func checkBackupDisk(cfg Config) Check {
	return Check{
		Name: DiskBackup, Cost: Cheap, Interval: time.Minute, Timeout: 10 * time.Second,
		Run: func(_ context.Context, db *pool.DB) Result {
			path := realPath(db.Path())
			res := judgeDisk(cfg, "backup", cfg.BackupDir, path)
			if res.Status == OK && sameDevice(cfg.BackupDir, filepath.Dir(path)) {
				res.Reason += "; it is on the device of the database, and is lost with it"
			}
			return res
		},
	}
}

// judgeDisk measures the file system of dir. A folder that is missing is
// looked for further up: a backup creates its own.
func judgeDisk(cfg Config, what, dir, db string) Result {
	remedy := "free space on the file system of " + dir + ", or move the " + what + " to a larger one"
	at := dir
	sp, err := statfs(at)
	for errors.Is(err, os.ErrNotExist) && at != filepath.Dir(at) {
		at = filepath.Dir(at)
		sp, err = statfs(at)
	}
	if errors.Is(err, errNoStatfs) {
		return unknown("%v", err)
	}
	if err != nil {
		return failed("check that the "+what+" folder exists and that this user may enter it", "cannot measure %s: %v", dir, err)
	}
	free := int64(min(sp.freeBytes, 1<<62))
	text := size(free) + " of " + size(int64(min(sp.totalBytes, 1<<62))) + " are free for the " + what
	switch {
	case free < cfg.DiskFailedBytes:
		return failed(remedy, "%s, less than %s", text, size(cfg.DiskFailedBytes))
	case sp.totalNodes > 0 && sp.freeNodes == 0:
		return failed("remove files from the file system of "+dir+"; it has bytes left but can hold no more files",
			"no file can be made for the %s: all %d inodes are used", what, sp.totalNodes)
	case free < cfg.DiskDegradedBytes:
		return degraded(remedy, "%s, less than %s", text, size(cfg.DiskDegradedBytes))
	}
	if info, err := os.Stat(db); err == nil && free < info.Size() {
		return degraded(remedy, "%s, less than the %s of the database: no copy of it fits", text, size(info.Size()))
	}
	return okay("%s", text)
}
