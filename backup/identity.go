package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
)

// Origin is where a database was when it was backed up. It identifies the
// database together with the name: two files may share a base name, and a copy
// of a file shares everything that is written in it.
type Origin struct {
	// Machine is a hash of the machine's own identifier, or empty where the
	// system has none to read (only Linux has one, containers often do not).
	Machine string `json:"machine"`
	// Path is absolute, without symbolic links. Nothing is ever opened by it.
	Path string `json:"path"`
}

const (
	maxOriginPath = 4096
	machineBytes  = 8
)

// originOf returns the origin of the database at path.
func originOf(path string) Origin {
	o := Origin{Machine: machineHash(), Path: path}
	if path != "" && path != ":memory:" {
		if real, err := resolve(path); err == nil {
			o.Path = real
		}
	}
	if !o.valid() { // a path that JSON or a terminal would change
		sum := sha256.Sum256([]byte(o.Path))
		o.Path = "sha256:" + hex.EncodeToString(sum[:])
	}
	return o
}

// machineHash keeps the identifier itself out of manifests: systemd asks that
// it is not shown to others.
//
// https://www.freedesktop.org/software/systemd/man/latest/machine-id.html
func machineHash() string {
	id := machineID()
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("lido backup origin\n" + id))
	return hex.EncodeToString(sum[:machineBytes])
}

func (o Origin) valid() bool {
	return o.Path != "" && len(o.Path) <= maxOriginPath && printable(o.Path) &&
		(o.Machine == "" || isHex(o.Machine, machineBytes))
}

// String returns the path, and the machine where it is known.
func (o Origin) String() string {
	if o.Machine == "" {
		return o.Path
	}
	return o.Path + " on machine " + o.Machine
}

// history is what the store knows before a new backup.
type history struct {
	last     *Manifest // the newest complete backup of this database, or nil
	sequence int64     // the highest number that a manifest has
}

// history finds the backups of this database: those whose newest one was made
// here, for a database that has moved belongs where it is now. It refuses to go on where the
// store has backups under the same name from another origin: they are those of
// another database, or of this one before it moved, and only Config.Moved says
// which. Backups without an origin, of an earlier Lido, stay on their own.
func (r *runner) history(ctx context.Context) (h history, err error) {
	entries, sizes, err := scan(ctx, r.cfg.Store)
	if err != nil {
		return h, err
	}
	here := originOf(r.src.Path())
	var other *Manifest
	seen := make(map[string]bool) // databases of this name
	for i := range entries {
		e := &entries[i]
		if err := e.load(ctx, r.cfg.Store, sizes); err != nil {
			return h, err
		}
		m := e.Manifest
		if m != nil {
			h.sequence = max(h.sequence, m.Sequence)
		}
		if e.Err != nil || m.Database.Name != r.name() || seen[m.Database.ID] {
			continue
		}
		seen[m.Database.ID] = true
		if r.cfg.Moved || m.Database.Origin != nil && *m.Database.Origin == here {
			h.last = m
			return h, nil
		}
		if other == nil && m.Database.Origin != nil {
			other = m
		}
	}
	if other == nil {
		return h, nil
	}
	return h, fmt.Errorf("the backups named %q in this store are of the database %v, and this one is %v; "+
		"give it a name of its own (Config.Name, --name), or say that it is the same database in a new place (Config.Moved, --moved): %w",
		r.name(), other.Database.Origin, here, ErrForeign)
}

// distinct collects the databases of backups that come newest first.
type distinct struct{ newest []*Manifest }

// add takes the next older backup. Backups without an origin are taken for
// predecessors of newer ones under the same name that have one.
func (d *distinct) add(m *Manifest) {
	for _, known := range d.newest {
		same := known.Database.ID == m.Database.ID
		predecessor := m.Database.Origin == nil && known.Database.Origin != nil && known.Database.Name == m.Database.Name
		if same || predecessor {
			return
		}
	}
	d.newest = append(d.newest, m)
}

// ambiguous refuses to choose between databases.
func (d *distinct) ambiguous() error {
	if len(d.newest) < 2 {
		return nil
	}
	var list []string
	for _, m := range d.newest {
		text := fmt.Sprintf("%s (id %s", m.Database.Name, m.Database.ID)
		if m.Database.Origin != nil {
			text += ", of " + m.Database.Origin.String()
		}
		list = append(list, text+")")
	}
	return fmt.Errorf("the store holds backups of several databases: %s; say which by name or id (RestoreOptions.Database, --database): %w",
		strings.Join(list, ", "), ErrForeign)
}

// sourceName is the base name to record, which nothing is ever opened by.
func sourceName(path string) string {
	if base := filepath.Base(path); validBaseName(base) {
		return base
	}
	return "database"
}
