// Package backup makes backups of a live database, proves each of them by
// restoring it, and restores.
//
// # Guarantees
//
//  1. A backup is one snapshot: every commit acknowledged before its
//     Times.Snapshot is in it, and no part of a later one.
//  2. A backup counts only once its published form has been restored to
//     a scratch file and passed every check: sizes, SHA-256 of both forms, the
//     checksum of each page, integrity_check with CHECK constraints, foreign
//     keys, schema hash and migration version. Rows that break the schema were
//     data of the application: the backup carries them, and the manifest names
//     them in DatabaseInfo.Broken.
//  3. Publication is atomic. The manifest comes last; without it an artifact
//     does not count, is refused by Restore and is swept by the next backup.
//  4. Retention never removes the newest verified backup of a database, and
//     works under a lock that also holds between processes.
//  5. Restore touches its target only after the same proof. A crash at any
//     point leaves the old database or the new one; see
//     [RestoreOptions].InPlace for where that has a condition.
//  6. A backup to be read is hostile until proved: its names are never paths,
//     what it may write is bounded by its manifest and by [Limits], and its
//     schema runs nothing with side effects.
//
// The hashes speak of what was copied. Damage that the live database had before
// is found where it breaks the structure of a page or of a chain of pages; it is
// not where it only changes values: a flipped bit, or the last overflow page of
// a long text or blob, zeroed. Such a backup counts, and is as damaged as its
// source was.
//
// A backup is of one database: its [Origin] and name say which. Where a name
// has backups from elsewhere, the next one is refused; retention never removes
// backups of another database, nor those of a Lido that recorded no origin.
// Restore and Verify of the newest backup fail if it is damaged, and take an
// older one only if they are allowed to.
//
// The hashes find damage, not malice: whoever can write to the store can
// publish another database with hashes that fit. Keep the store as safe as
// the database.
//
// # How a backup is made
//
// A fresh connection begins a transaction, reads, and copies the pages with
// the engine's backup API, with a short rest after each step so that writers
// hardly notice it. The transaction keeps the copy from restarting at every
// commit; behind it the WAL only grows, so past a bound of time or WAL size
// the rest is copied without rests. The copy is compressed into the store,
// removed, restored from the store, checked, and only then described by
// a [Manifest].
//
// Plain copies pass through "<database>.lido-scratch", 0600 in a folder 0700.
// Each run has a folder of its own there; what a crash leaves is swept by the
// next run and by [Service.Start].
//
// # Life cycle
//
// [New] makes a [Service] for pool.Config.Services. The pool starts it after
// its Prepare function and stops it before its connections close. The age of
// the newest backup decides when the first one is due, so a program that was
// down catches up. [Service.Backup] makes one at once; [Take] makes one
// without a Service.
//
// # Errors
//
// Refusals match the sentinels of this package under errors.Is, and say what
// to do. A [*DamageError] names the check that failed.
//
// https://www.sqlite.org/backup.html
package backup
