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
//   - Single writes that wait for the writer at the same time share one
//     transaction and its commit. Each succeeds or fails alone, and is answered
//     after the commit; nobody is told success that was thrown away.
//   - When the engine throws a transaction away in the middle, every later call
//     in it fails; nothing escapes into a transaction of its own.
//   - Cancelling a context ends every wait: for a connection, for another
//     process's lock, and inside a statement. It costs no goroutine per call,
//     and the connection is used again only when it is proven clean.
//   - A call on the database from inside its own closure is lido.ErrNested, not
//     a deadlock.
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
// # Life cycle
//
// Open claims the file, opens the writer, runs Config.Prepare (migrations) and
// starts Config.Services (backup, health). Readers are opened when they are
// needed and closed after Config.IdleTimeout. Close goes the same way back.
//
// # Two handles on connections
//
// Typed statements and closures are the usual way. [DB.AcquireReader],
// [DB.AcquireWriter] and their closure forms lend a raw connection for what
// has no typed form: PRAGMAs, maintenance, migrations.
//
// [Pool] itself is generic and knows nothing of SQLite.
package pool
