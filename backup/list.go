package backup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Entry is one backup in a store, or what is left of one.
type Entry struct {
	ID string
	// Manifest is nil where there is none that can be read.
	Manifest *Manifest
	// Err is nil for a backup that is complete as far as names, sizes and the
	// manifest tell. Verify reads the rest.
	Err error

	sequence int64
	names    []string // the objects that are there
}

// List returns the backups of a store, the newest first, with those that are
// incomplete or damaged: Entry.Err says so. It reads manifests and sizes, no
// artifact.
func List(ctx context.Context, store Store) ([]Entry, error) {
	entries, sizes, err := scan(ctx, store)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if err := entries[i].load(ctx, store, sizes); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// scan finds the backups of a store by name alone, the newest first.
func scan(ctx context.Context, store Store) (entries []Entry, sizes map[string]int64, err error) {
	objects, err := store.List(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("list backups: %w", err)
	}
	sizes = make(map[string]int64, len(objects))
	names := make(map[string][]string)
	for _, o := range objects {
		if id, _, ok := splitName(o.Name); ok {
			sizes[o.Name] = o.Bytes
			names[id] = append(names[id], o.Name)
		}
	}
	for id, names := range names {
		seq, _ := parseID(id)
		entries = append(entries, Entry{ID: id, sequence: seq, names: names})
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.sequence, a.sequence), cmp.Compare(b.ID, a.ID))
	})
	return entries, sizes, nil
}

// load reads the entry's manifest and compares sizes. What is wrong with the
// backup goes into e.Err; the error returned is that of the context.
func (e *Entry) load(ctx context.Context, store Store, sizes map[string]int64) error {
	e.Manifest, e.Err = readManifest(ctx, store, e.ID)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e.Err != nil {
		return nil
	}
	for name, want := range map[string]int64{
		e.Manifest.Artifact.Name:  e.Manifest.Artifact.Bytes,
		e.Manifest.Checksums.Name: e.Manifest.Checksums.Bytes,
	} {
		got, ok := sizes[name]
		switch {
		case !ok:
			e.Err = fmt.Errorf("backup %s: %s is missing: %w", e.ID, name, ErrTruncated)
		case got < want:
			e.Err = fmt.Errorf("backup %s: %s has %d of %d bytes: %w", e.ID, name, got, want, ErrTruncated)
		case got > want:
			e.Err = &DamageError{ID: e.ID, Check: "size of " + name, Detail: fmt.Sprintf("%d bytes instead of %d", got, want)}
		}
	}
	return nil
}
