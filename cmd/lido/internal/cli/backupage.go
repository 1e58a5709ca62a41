package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lidodb/lido/backup"
)

// folderAge is the age of the newest complete backup of one database in
// a folder.
type folderAge struct {
	dir string
	id  string // of the database; empty if the folder has no backup of it
}

// backupsOf finds the backups in dir that are of the database at path: those
// made of it where it is, or those that the user names. A file that was restored
// under another name has none of its own, so the only database of the folder
// stands for it. Of several the user has to name one: the answer is a finding.
func backupsOf(ctx context.Context, dir, path, database string) (folderAge, *finding) {
	age := folderAge{dir: dir}
	entries, err := age.complete(ctx)
	if err != nil || len(entries) == 0 {
		return age, nil // LastVerified says so
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	var ids, names []string
	for _, e := range entries { // the newest comes first
		d := &e.Manifest.Database
		if slices.Contains(ids, d.ID) { // where it was before it moved
			continue
		}
		here := d.Origin != nil && d.Origin.Path == path || d.Origin == nil && d.Name == filepath.Base(path)
		if database == "" && here || database != "" && (database == d.Name || database == d.ID) {
			age.id = d.ID
			return age, nil
		}
		ids = append(ids, d.ID)
		names = append(names, fmt.Sprintf("%s (id %s)", d.Name, d.ID))
	}
	switch {
	case database != "":
		return age, &finding{"backup_age", statusFail, fmt.Sprintf("%s holds no backup of %q, but of %s", dir, database, strings.Join(names, ", ")),
			"give --database one of these names or ids"}
	case len(ids) > 1:
		return age, &finding{"backup_age", statusUnknown, fmt.Sprintf("%s holds backups of several databases, none made of %s: %s",
			dir, path, strings.Join(names, ", ")), "say by --database which of them it is"}
	}
	age.id = ids[0]
	return age, nil
}

// complete returns the backups of the folder that count.
func (f folderAge) complete(ctx context.Context) ([]backup.Entry, error) {
	if err := checkFolder(f.dir); err != nil {
		return nil, err
	}
	entries, err := backup.List(ctx, backup.NewDirStore(f.dir))
	return slices.DeleteFunc(entries, func(e backup.Entry) bool { return e.Err != nil }), err
}

// LastVerified implements health.BackupAger.
func (f folderAge) LastVerified(ctx context.Context) (time.Time, bool, error) {
	entries, err := f.complete(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	for _, e := range entries { // the newest comes first
		if e.Manifest.Database.ID == f.id {
			return e.Manifest.Times.Snapshot, true, nil
		}
	}
	return time.Time{}, false, nil
}
