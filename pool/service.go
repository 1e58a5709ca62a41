package pool

import (
	"context"
	"errors"
	"fmt"
)

// Service is work that lives as long as the database: backups, health checks.
type Service interface {
	// Start begins the work and returns. ctx is that of Open; work that goes
	// on after Start must have a context of its own. An error undoes Open.
	Start(ctx context.Context, db *DB) error
	// Stop ends the work and waits for it, for as long as ctx allows. It may be
	// called twice, and without a Start.
	Stop(ctx context.Context) error
}

// startServices starts them in order. If one fails those before it are stopped
// and its error is returned.
func (db *DB) startServices(ctx context.Context) error {
	for _, s := range db.cfg.Services {
		if err := s.Start(ctx, db); err != nil {
			err = fmt.Errorf("pool: start %T: %w", s, err)
			return and(err, s.Stop(context.WithoutCancel(ctx)))
		}
		db.started = append(db.started, s)
	}
	return nil
}

// stopServices stops what was started, the last one first.
func (db *DB) stopServices(ctx context.Context) error {
	var errs []error
	for i := len(db.started) - 1; i >= 0; i-- {
		if err := db.started[i].Stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("pool: stop %T: %w", db.started[i], err))
		}
	}
	db.started = nil
	return errors.Join(errs...)
}
