// Package health watches a database that package pool serves, and tells people
// and orchestrators what it finds.
//
// A [Monitor] is a pool.Service. It runs checks on a schedule, remembers the
// last result of each, logs when a status changes and at no other time, and
// answers over HTTP:
//
//	m, err := health.New(health.Config{Logger: logger})
//	...
//	db, err := pool.Open(ctx, "app.db", pool.Config{Services: []pool.Service{m}})
//	...
//	mux.Handle("/", m.Handler())                        // GET /livez, /readyz
//	mux.Handle("/healthz", m.DetailHandler(authorise))  // everything, as JSON
//
// Serve the handlers before the pool is opened, so that /readyz can say
// "starting", and call [Monitor.Drain] before it is closed. The Monitor is ready
// when the pool is; a program that is not, because it still loads what it needs,
// keeps "starting" with [Monitor.Hold] until it serves.
//
// # Guarantees
//
//  1. A check that panics, hangs or ends its goroutine is Failed, and stops no
//     other check. One that hangs is named with its timeout.
//  2. A check never runs beside itself, and no two Expensive checks run beside
//     each other, unless one has outlived its timeout.
//  3. Stop joins every goroutine, or says which check has not returned.
//  4. No check changes the database, and none opens its files but through the
//     engine: closing a descriptor of them would drop the locks of the process.
//  5. /livez and /readyz look at no database and at no result of a check.
//     /readyz fails while the database does not take work, and for nothing else.
//  6. Saturation alone is never worse than Degraded.
//
// # Results
//
// OK needs nobody. Degraded works, and somebody should look before it no longer
// does. Failed breaks a promise of the database. Both come with a reason and
// with a remedy that a person can act on. Unknown is neither good nor bad: the
// check has not run yet, or cannot tell on this platform.
//
// # Checks
//
// Every interval is spread by Config.Jitter; Config.Schedules changes it.
//
//	backup_age         10m  age of the last backup that was proved by restoring it
//	disk_backup         1m  room on the file system of the backups
//	disk_database       1m  room on the file system of the database
//	engine_version     24h  SQLite 3.51.3 or newer, and the libc it was made for
//	file_identity       1m  files renamed, replaced or removed while open
//	foreign_keys       24h  rows whose parent does not exist, keys that cannot be checked
//	fresh_read         30s  a new connection can read, and the WAL is all there
//	integrity_check    24h  every page, every index against its table, and constraints
//	migration_version   5m  the schema is the one the program was built for
//	pool_saturation    15s  how long callers wait for a connection
//	quick_check         1h  damaged pages, other than the last one of a long value; constraints
//	wal_size           30s  a WAL that cannot be emptied
//	write_probe        30s  the write lock can be had, or a commit succeeded lately
//
// foreign_keys and integrity_check are satisfied by a verified backup that is
// younger than Config.ProvedByBackup, because it has passed the same checks,
// unless it carries rows that break the schema. A flipped bit inside a page is
// found by none of them, nor is a page that was zeroed at the end of a long
// value: a chain of overflow pages ends with the page whose link is zero, and
// what else the page holds is the value itself. Checksums of pages are the only
// cure for both.
//
// quick_check and integrity_check hold a read snapshot while they look at one
// table, or at a whole small database; the WAL grows meanwhile.
package health
