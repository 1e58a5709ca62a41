package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Keep says which backups stay. A backup stays while either rule wants it,
// and the newest verified one of each database stays always. The zero Keep
// keeps the newest 14.
type Keep struct {
	// Count is how many of the newest stay. Negative: all of them. Zero: none
	// for the sake of their number, if Age is set.
	Count int
	// Age is how long a backup stays, by the time of its snapshot.
	Age time.Duration
}

const defaultKeepCount = 14

func (k Keep) withDefaults() Keep {
	if k.Count == 0 && k.Age <= 0 {
		k.Count = defaultKeepCount
	}
	return k
}

func (k Keep) validate() error {
	if k.Age < 0 {
		return fmt.Errorf("Keep.Age is %v; it cannot be negative (0 turns the rule off)", k.Age)
	}
	return nil
}

// PruneResult says what retention did.
type PruneResult struct {
	// Removed are the IDs of backups that no rule wanted.
	Removed []string
	// Swept are the IDs of backups that were never finished.
	Swept []string
	// Broken are the backups that stay although they cannot be restored. They
	// count for no rule; remove them by hand once you know why.
	Broken []Entry
}

// Prune removes backups that keep does not want, and what unfinished backups
// have left, under the lock of the store. It waits for the lock as long as
// ctx allows. Rules apply to each database in the store by itself.
func Prune(ctx context.Context, store Store, keep Keep) (res PruneResult, err error) {
	if err := keep.validate(); err != nil {
		return res, err
	}
	held, unlock, err := store.Lock(ctx)
	if err != nil {
		return res, fmt.Errorf("prune backups: lock store: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return prune(held, store, keep, "", time.Now())
}

// prune works under the lock. With databaseID it leaves all other databases
// alone; it sweeps what unfinished backups of any of them have left.
func prune(ctx context.Context, store Store, keep Keep, databaseID string, now time.Time) (res PruneResult, err error) {
	keep = keep.withDefaults()
	entries, err := List(ctx, store)
	if err != nil {
		return res, err
	}
	seen := make(map[string]int) // complete backups met, by database
	for i := range entries {
		e := &entries[i]
		switch {
		case e.unfinished():
			// Backups are written under the lock we hold: nobody will finish it.
			res.Swept = append(res.Swept, e.ID)
			err = removeEntry(ctx, store, e)
		case e.Err != nil:
			res.Broken = append(res.Broken, *e)
		case databaseID != "" && databaseID != e.Manifest.Database.ID:
		default:
			n := seen[e.Manifest.Database.ID]
			seen[e.Manifest.Database.ID] = n + 1
			if n == 0 || keep.wants(n, now.Sub(e.Manifest.Times.Snapshot)) {
				continue
			}
			res.Removed = append(res.Removed, e.ID)
			err = removeEntry(ctx, store, e)
		}
		if err != nil {
			return res, fmt.Errorf("remove backup %s: %w", e.ID, err)
		}
	}
	return res, nil
}

// unfinished reports whether neither the listing nor the store knows of
// a manifest.
func (e *Entry) unfinished() bool {
	return !slices.Contains(e.names, e.ID+manifestSuffix) &&
		(errors.Is(e.Err, ErrNoManifest) || errors.Is(e.Err, ErrNoBackup))
}

// wants decides over the backup before which n newer ones were met.
func (k Keep) wants(n int, age time.Duration) bool {
	return k.Count < 0 || n < k.Count || k.Age > 0 && age <= k.Age
}

// removeEntry deletes the manifest first: from then on the backup does not
// count, and a crash leaves something that is swept.
func removeEntry(ctx context.Context, store Store, e *Entry) error {
	if err := store.Remove(ctx, e.ID+manifestSuffix); err != nil {
		return err
	}
	for _, name := range e.names {
		if err := store.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
