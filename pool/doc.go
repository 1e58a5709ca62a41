// Package pool runs an embedded SQLite file the way a server would: one
// connection writes, a few read, callers queue fairly, and what a caller leaves
// behind is never handed to the next.
//
// [Open] returns a [DB], which implements lido.Database, so generated stores
// run on it:
//
//	db, err := pool.Open(ctx, "app.db", pool.Config{Prepare: schema.Migrate})
//	store := gen.NewStore(db)
//
// # What it guarantees
//
//   - Reads run on read-only connections, writes on the one writer, by what the
//     engine said about the query when the code was generated.
//   - Read gives one snapshot, pinned before the closure runs. Write commits
//     when the closure returns nil and rolls back when it returns an error,
//     panics or ends the goroutine. No statement runs in autocommit by accident.
//   - Single writes and Batch closures that wait for the writer at the same time
//     share one transaction and its commit. Each succeeds or fails alone, and is
//     answered after the commit; nobody is told success that was thrown away.
//   - The writer is given to those who wait in the order in which they came. A
//     group queues for it as one, and lets nobody join who came after it began
//     while somebody else waits.
//   - When the engine throws a transaction away in the middle, every later call
//     in it fails; nothing escapes into a transaction of its own.
//   - Cancelling a context ends every wait: for a connection, for another
//     process's lock, and inside a statement. It costs no goroutine per call,
//     and the connection is used again only when it is proven clean.
//   - A call on the database from inside its own closure is lido.ErrNested, not
//     a deadlock: any with the closure's context, and under any context one that
//     would wait for the writer which the closure has.
//   - A connection that comes back in a transaction is rolled back; one with an
//     open statement, a changed PRAGMA, an attached file, or that saw damage or
//     an I/O error is closed.
//   - Close stops services, wakes those who wait, interrupts what runs when its
//     context ends, names who still holds a connection, and leaves no -wal file
//     behind if nobody else has the database open.
//
// # What no context interrupts
//
// The engine looks at the context between its instructions, and one call of a
// function is one instruction. Config.MaxLengthBytes bounds what such a call
// can be about, and so how long it takes: at its default of 128 MiB, on one
// core of a server, 0.1 s for hex() and LIKE '%a%', 0.9 s for replace(), 1.4 s
// for randomblob(), up to 4 s for JSON text. A tenth of the limit is a tenth of
// that. Longer than the limit is lido.ErrTooBig at once.
//
// Searches for long patterns take the product of both lengths: instr() or
// replace() of 200 kB in 400 kB of the same letter 0.5 to 0.7 s, LIKE with a
// pattern of 10 kB 5 s. Where strangers send both the text and the pattern,
// bound the length of the pattern before it reaches SQL. An fsync, and the
// merge at the end of CREATE INDEX, are not interrupted either.
//
//	go test -run='^$' -bench=OneInstruction -benchtime=1x ./pool
//
// prints these figures.
//
// # Three ways to write
//
//	                      a single write      Batch                Write
//	                      store.AddItem(...)  store.Batch(ctx,fn)  store.Write(ctx,fn)
//	its transaction       shared with those who wait at the        its own
//	                      same time
//	fn runs               -                   once, seldom more    once
//	its time in a group   100 ms, then run again by itself         -
//	when ctx ends         while it waits: it leaves the queue; while it runs: it is
//	                      undone; once the commit has begun: it is seen through
//	a panic in fn         -                   undoes fn alone      undoes fn
//	returns               when it is committed, as durable as the level says
//
// All see the database as the commits before them left it, and none sees part of
// another. [Alone] gives a single write or a Batch a transaction of its own,
// Config.NoGroupCommit gives it to all. What group commit buys is the price of
// the commit, which at SynchronousFull is a wait for the disk; a caller that
// nobody waits beside pays and gets what it would without.
//
// The handle of a transaction belongs to one goroutine at a time. Two calls at
// once are a mistake: the second fails with lido.ErrConcurrentUse, which names
// where the transaction was begun and where the call came from, the first
// goroutine gets it at its next call, and nothing of the transaction is
// committed. A goroutine must have ended its calls when the closure returns: one
// that has not is interrupted and waited for, with the same error. Give each goroutine a
// transaction of its own, or have one make the calls.
//
// # Durability
//
// [Synchronous] says what the levels promise, Config.Synchronous sets the
// database's, and [WithSynchronous] that of one call.
//
// # What an error says about the write
//
// An error says that nothing was applied, with two exceptions. lido.ErrCommitted
// says that a single write was committed, and that a row of its RETURNING clause
// then could not be read as the Go type wanted: the program is at odds with the
// schema, and must not write again. In a closure such an error undoes the closure.
// lido.ErrCommitUnknown says that an I/O error struck while the engine wrote the
// commit: its pages may have reached the WAL, and then it is there after all.
// Whoever must know writes so that it can be found out, and asks again:
//
//   - with an idempotency key: a UNIQUE column that the caller fills in. Write
//     the same again under the same key; lido.ErrUnique, or a look at the key
//     first, in the same closure, says that it was there.
//   - or by reading back what the write would have changed.
//
// The same holds for a process that died before the call returned. A context
// that ends is no such case: whatever it interrupts is undone before the call
// returns, and a commit that has begun is seen through, so the call reports
// success although its context has ended.
//
// # Checkpoints
//
// A checkpointer moves the WAL into the database file, as Config says: beside
// writers and readers, on a connection of its own. It waits for nobody. When
// nothing was written for Config.CheckpointInterval and no connection is in
// use, it cuts the -wal file. A writer that is faster than the disk is held back
// at Config.WALAutocheckpointPages, where its commits move what is left.
//
// Where reads overlap without a pause the WAL cannot restart, and would grow for as
// long as it is written to. At four times that length, and at least 16,000 pages,
// the checkpointer waits for a moment without a read, and holds up the reads that
// would begin in that moment, for 100 ms at most. If the moment does not come,
// writers wait until the reads under way have ended; reads that begin meanwhile do
// not prolong that. How long they may wait grows with the square of the WAL's
// length, 15 ms at 64 MB, 240 ms at 256 MB, 4 s at 1 GB, and they only wait if
// the reads before have ended within that time. Reads of 300 ms that
// always overlap are so waited for once the WAL has some 290 MB. A reader that
// takes longer is logged.
//
// Config.WALMaxBytes (4 GiB) is the bound for all others. A write that finds the
// WAL that long waits until it can restart, at most Config.BusyTimeout, and then
// fails with lido.ErrBusy. Its error names the reader that keeps most of the WAL,
// and so does the error of a caller whose context ends in the queue behind it.
//
// https://www.sqlite.org/wal.html#ckpt
//
// # Who holds what
//
// Each connection knows the query that it was acquired for and the stack that
// acquired it. What is held for longer than Config.LeakWarnAge is logged with
// these, and Close names what it waits for in vain.
//
// A reader keeps its snapshot, and so all that is written meanwhile in the WAL.
// [DB.PinnedReaders] names such readers and counts what they keep; Logger is
// told of them as Config.ReaderWarnAge and WALWarnBytes say. With
// Config.InterruptPinnedReaders they are interrupted as well.
//
// A statement outside a transaction holds a reader until Close, an iterator
// until its loop ends, at most Config.IteratorLifetime. A loop whose body
// queries as well belongs inside Read, where all of it runs on one reader:
//
//	err := store.Read(ctx, func(ctx context.Context, q *gen.ReadQueries) error {
//		for account, err := range q.ListAccountsSeq(ctx) {
//			if err != nil {
//				return err
//			}
//			balance, err := q.GetBalance(ctx, account.ID) // q, not store
//			...
//		}
//		return nil
//	})
//
// Outside, each such loop needs two readers. When loops hold all of them, a call
// that waits gets a [ReadersExhaustedError], which names them, once its context
// ends or it has waited for Config.IteratorLifetime.
//
// # Seeing what goes on
//
// [DB.Stat] counts; Config.Tracer is told of each query, transaction, acquire and
// checkpoint; [DB.OnCommit] tells which tables each commit wrote.
//
// # Life cycle
//
// Open claims the file, opens the writer, runs Config.Prepare (migrations) and
// starts Config.Services (backup, health). Readers are opened when they are
// needed and closed after Config.IdleTimeout. Close goes the same way back.
//
// # Guards at open
//
// Open refuses, and says what to do about it: a SQLite that can corrupt a WAL,
// a libc that does not fit the engine, a network file system, a file that this
// program has open already, unless one of the two only reads and both use the
// same name, a file that is damaged, encrypted or no database, one that may not
// be written to, a file system on which WAL does not work, and a URI where the
// name of a file belongs. A transaction that another program left unfinished in a
// rollback journal is rolled back.
//
// Foreign keys are enforced, which other programs may not have done. If
// Config.Logger is set, Open warns of those that do not hold: it looks for up
// to 5 s in a file that is not in WAL mode yet, which no pool can have opened
// before, and for up to 50 ms in any other. Nothing is written to remember it.
//
// Once it is open, a file that was moved, removed or replaced gets no further
// connections; those that are open stay on the file they have. Health's
// file_identity check finds out sooner. A file that was truncated to 0 bytes,
// which the engine would take for a new database, gets no further connections
// and, within a second, no further writes.
//
// A -wal file that a bit was flipped in is used up to the damaged frame: that is
// SQLite's rule, and commits behind it are gone. Open logs how many there are
// before the engine reads the file, and "lido doctor" says it without changing
// anything. Damage to the last commit looks like one that was cut off.
//
// No part of a program may open and close the database file, -wal or -shm
// itself while the pool has them open, not even to copy or hash them: closing
// any descriptor drops the locks that the process holds on that file. Linux
// keeps those of the database file apart, but none keeps those of -shm, and
// beside other processes the database is then corrupted.
//
// https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
//
// Nothing ties a WAL to its database. A -wal file of another database that was
// put beside this one is taken for its own, and replaces what is in it: remove
// -wal, -shm and -journal before copying a file over another.
//
// # One process alone
//
// With Config.Exclusive no other process can open the file while the pool has
// it, neither Lido nor a shell: they are told that it is locked. What is gained
// is the system calls for the locks of each read and write. The WAL's index is
// in ordinary memory, so there is no -shm file; a process that is killed leaves
// a WAL that the next to open the file, exclusively or not, recovers.
//
// Without it, too, a read makes no such calls while nobody else has the file
// open: connections keep the lock of one read for the next. They give it up for
// each other's checkpoints at once; when nothing is read, or somebody else
// opens the file, within some 50 ms. From then on a row by its key takes about
// twice as long ("make bench" has all three beside each other).
//
// # Databases in memory, and temporary ones
//
// Open with the path [Memory] (":memory:") makes a database in memory, and with
// an empty path one in a file that only the pool knows. They are for tests, and
// for data that need not last. Unlike with SQLite's own forms of these, all
// connections share the database, and it has a WAL: snapshots beside a writer,
// group commit, backups and package stdlib work as on a file. Each Open makes
// another one.
//
// What differs. The database ends with Close, and with the process, at any
// Synchronous. No other process can open it. Config.ReadOnly and MustExist are
// refused. In memory, Path answers ":memory:", MmapBytes means nothing, and a
// reader that pins the WAL pins memory. Backups need a Config.ScratchDir, and
// health's checks of files have nothing to look at. A temporary file lies in a
// folder of its own in [os.TempDir], 0700; what a process that was killed has
// left there is removed by the next that opens a temporary database.
//
// # Two handles on connections
//
// Typed statements and closures are the usual way. [DB.AcquireReader],
// [DB.AcquireWriter] and their closure forms lend a raw connection for what
// has no typed form: PRAGMAs, maintenance, migrations.
//
// [Pool] itself is generic and knows nothing of SQLite.
package pool
