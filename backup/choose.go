package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// choice is what a reader asked for, and then what else there is of the same
// database, the newest first.
type choice struct {
	list   []Entry
	latest bool // not by id
}

// choose finds the backup with that id, or without an id those of the database
// that want names. An entry without a readable manifest may be of any database,
// so it is among them: the reader must not pass it over in silence.
func choose(ctx context.Context, store Store, id, want string) (c choice, err error) {
	if id != "" {
		m, err := readManifest(ctx, store, id)
		if err == nil && !m.of(want) {
			err = fmt.Errorf("backup %s is of database %q (%s), not of %q: %w",
				id, m.Database.Name, m.Database.ID, want, ErrForeign)
		}
		return choice{list: []Entry{{ID: id, Manifest: m}}}, err
	}
	entries, err := List(ctx, store)
	if err != nil {
		return c, err
	}
	var known distinct
	var list []Entry
	broken := 0
	for i := range entries {
		e := &entries[i]
		if e.Err != nil {
			broken++
		}
		switch {
		case e.unfinished(): // a backup that is being made, or was interrupted
		case e.Manifest == nil:
			list = append(list, *e)
		case e.Manifest.of(want):
			known.add(e.Manifest)
			list = append(list, *e)
		}
	}
	if len(known.newest) == 0 {
		of := ""
		if want != "" {
			of = fmt.Sprintf(" of %q", want)
		}
		return c, fmt.Errorf("the store has no complete backup%s (%d in all, %d of them incomplete or damaged): %w",
			of, len(entries), broken, ErrNoBackup)
	}
	if err := known.ambiguous(); err != nil {
		return c, err
	}
	c = choice{list: list[:0], latest: true}
	for _, e := range list {
		if e.Manifest == nil || e.Manifest.Database.ID == known.newest[0].Database.ID {
			c.list = append(c.list, e)
		}
	}
	return c, nil
}

// withOthers adds to a backup that was asked for by id those that a refusal can
// name in its place.
func (c choice) withOthers(ctx context.Context, store Store) (choice, error) {
	if c.latest {
		return c, nil
	}
	asked := c.list[0]
	others, err := choose(ctx, store, "", asked.Manifest.Database.ID)
	if err != nil && !refusal(err) {
		return c, err
	}
	for _, e := range others.list {
		if e.ID != asked.ID && e.Err == nil {
			c.list = append(c.list, e)
		}
	}
	return c, nil
}

// of reports whether m is of the database that want names.
func (m *Manifest) of(want string) bool {
	return want == "" || want == m.Database.ID || want == m.Database.Name
}

// proved is a backup that was restored to a scratch file and passed all checks.
type proved struct {
	manifest *Manifest
	path     string  // the plain copy
	broken   *Broken // what its rows break of their schema
	skipped  []Entry // the newer ones that were refused
}

// prove restores the first sound backup of the choice into the folder of run.
// If that is not the first of the list, it is returned only with fallback, and
// not in place of one that was asked for by id; otherwise the error says why
// the first was refused and which one is sound.
func (c choice) prove(ctx context.Context, store Store, run *scratchRun, fallback bool, opt stageOptions) (p proved, err error) {
	for i, e := range c.list {
		p.path = run.path("restored-" + strconv.Itoa(i) + ".db")
		// A fault of the page checksums alone is for stage to judge.
		if e.Manifest != nil && (e.Err == nil || !opt.withSums) {
			p.broken, e.Err = stage(ctx, store, e.Manifest, p.path, opt)
		}
		if e.Err == nil {
			p.manifest = e.Manifest
			break
		}
		if ctx.Err() != nil || !refusal(e.Err) {
			return p, e.Err
		}
		if err := removeIfThere(p.path); err != nil { // room for the next
			return p, errors.Join(e.Err, err)
		}
		p.skipped = append(p.skipped, e)
	}
	switch {
	case len(p.skipped) == 0, p.manifest != nil && fallback && c.latest:
		return p, nil
	case p.manifest != nil:
		what, how := "the backup", "name it"
		if c.latest {
			what, how = "the newest backup", "name it, or allow it (RestoreOptions.Fallback, --fallback)"
		}
		return p, errors.Join(fmt.Errorf("%s is refused: %w; the newest sound one is %s, of %s: %s", what, p.skipped[0].Err,
			p.manifest.ID, p.manifest.Times.Snapshot.UTC().Format("2006-01-02 15:04:05Z"), how), os.Remove(p.path))
	case c.latest:
		return p, fmt.Errorf("no backup of %d is sound; the newest: %w (%w)", len(c.list), p.skipped[0].Err, ErrNoBackup)
	}
	return p, p.skipped[0].Err
}

// refusal reports whether err speaks about the backup itself, so that another
// one may do.
func refusal(err error) bool {
	for _, sentinel := range []error{ErrDamaged, ErrTruncated, ErrForeign, ErrNewer, ErrNoManifest, ErrNoBackup} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}
