package health

import (
	"context"
	"time"

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// checkMigrations compares the schema with the one the program was built for.
func checkMigrations(cfg Config) Check {
	return Check{
		Name: MigrationVersion, Cost: Moderate, Interval: 5 * time.Minute, Timeout: 10 * time.Second,
		Run: func(ctx context.Context, db *pool.DB) Result {
			current, wanted, err := cfg.Migrations(ctx, db)
			switch {
			case err != nil && ctx.Err() != nil:
				// The look-up may have waited for a reader; saturation is no failure.
				return degraded(remedyReaders, "the migration version could not be read in time: %v", err)
			case err != nil:
				return failed(remedyFor(err), "cannot read the migration version: %v", err)
			case current < wanted:
				return failed(`run "lido migrate up"`, "the database is at migration %d, the program needs %d", current, wanted)
			case current > wanted:
				return failed("start the program version that this database was migrated for", "the database is at migration %d, newer than the program's %d", current, wanted)
			}
			return okay("the database is at migration %d", current)
		},
	}
}

// checkEngine looks at what the program was linked with.
func checkEngine() Check {
	return Check{
		Name: EngineVersion, Cost: Cheap, Interval: 24 * time.Hour, Timeout: 5 * time.Second,
		Run: func(context.Context, *pool.DB) Result {
			if err := sqlite.CheckEngine(); err != nil {
				return failed("run the command that the reason names, and build the program again", "%v", err)
			}
			return okay("SQLite %s", sqlite.Version())
		},
	}
}
