package pool

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strconv"
	"time"

	"github.com/lidodb/lido/sqlite"
)

// Defaults of Config, used where a field is zero.
const (
	defaultIdleTimeout    = 5 * time.Minute
	defaultMaxLifetime    = time.Hour
	defaultLifetimeJitter = 6 * time.Minute
	defaultBusyTimeout    = 5 * time.Second
	defaultCacheBytes     = 64_000 * 1024
	defaultCacheTotal     = 256 << 20
	defaultMmapBytes      = 256 << 20
	defaultJournalLimit   = 64 << 20
	defaultCheckpoint     = 4000
	defaultCheckpointTime = 10 * time.Second
	defaultStmtCache      = 256
	defaultIteratorLife   = 5 * time.Minute
	defaultReaderWarnAge  = 30 * time.Second
	defaultWALWarn        = 256 << 20
	defaultWALMax         = int64(4 << 30)
	minWALMax             = 1 << 20
	defaultLeakWarnAge    = time.Minute
	defaultMaxLength      = 128 << 20
	minReaders            = 2
	maxDefaultReaders     = 8
)

// maxMmapBytes is the most of a file that the engine maps.
//
// https://www.sqlite.org/mmap.html
const maxMmapBytes = 0x7fff0000

// maxAutocheckpointPages is the most pages whose double an int of 32 bits holds.
const maxAutocheckpointPages = math.MaxInt32 / 2

// Config says how Open opens a database. The zero value works. Open copies it
// and checks it once; a field that cannot be right is an error that names it.
type Config struct {
	// ReadOnly opens the file without a writer. Writes fail with
	// lido.ErrReadOnly. Default off.
	ReadOnly bool
	// MustExist makes Open fail if there is no file, instead of creating it.
	// Default off.
	MustExist bool

	// MaxReaders bounds the connections that read at the same time. Default:
	// GOMAXPROCS, at least 2 and at most 8.
	MaxReaders int
	// MinIdleReaders is how many readers are kept open while nobody needs
	// them. Default 0: readers are opened when they are first needed.
	MinIdleReaders int
	// IdleTimeout closes a connection that nobody has used for that long.
	// Default 5 minutes; negative never.
	IdleTimeout time.Duration
	// MaxLifetime closes a connection that is older, once it is free.
	// Default 1 hour; negative never. LifetimeJitter lengthens it by a random
	// part of itself, so that connections opened together do not go together;
	// default 6 minutes where MaxLifetime is left to its default, and else 0.
	MaxLifetime, LifetimeJitter time.Duration

	// BusyTimeout is how long a statement waits for a lock that another
	// process holds. Default 5 s; a context that ends sooner wins. Callers of
	// this pool never wait here for each other: they queue for the writer.
	BusyTimeout time.Duration
	// Synchronous is what a commit survives. Default SynchronousNormal.
	// [WithSynchronous] chooses for one call.
	Synchronous Synchronous

	// NoGroupCommit gives every single write a transaction of its own. Left
	// off, those that wait for the writer at the same time share one, and so
	// the price of its commit; each still succeeds or fails alone. [Alone] is
	// the switch for one call. Default off.
	NoGroupCommit bool

	// CacheBytes is the page cache of one connection, default 64,000 KiB, and
	// CacheTotalBytes the sum over all of them, default 256 MiB. When
	// CacheBytes is left to the default it shrinks to keep the sum. With mapped
	// memory most of it stays empty: leaves of b-trees are read from there.
	CacheBytes, CacheTotalBytes int
	// MmapBytes is how much of the file is read through mapped memory.
	// Default 256 MiB; negative turns it off. Not more than 2,147,418,112: what
	// lies behind that is read with system calls.
	MmapBytes int
	// JournalSizeLimitBytes is what the -wal file is cut down to after it has
	// been reset. Default 64 MiB; negative leaves it as large as it grew.
	JournalSizeLimitBytes int
	// WALAutocheckpointPages is the length of the WAL, in pages, at which a
	// commit moves the rest of it into the database file before it returns, so
	// that the WAL can begin anew. Default 4000. It seldom comes to that:
	// already at a quarter of the length the checkpointer begins to move it, in
	// the background, beside writers and readers.
	//
	// Readers that follow each other without a gap keep the WAL from restarting.
	// At four times the length, and at least 16,000 pages, the checkpointer makes
	// room: it may hold up a read that would begin when the last one has just
	// ended, for 100 ms at most, or, where readers overlap, writers until the reads
	// under way have ended; see the package documentation.
	//
	// Negative leaves checkpoints to others: neither a commit nor the
	// checkpointer does any, only a call of Checkpoint, and Close if nobody else
	// has the file open. That is what Litestream wants.
	WALAutocheckpointPages int
	// WALMaxBytes bounds the WAL beside readers that keep it from restarting. A
	// write that finds the WAL that long waits until the reads under way have
	// ended, at most BusyTimeout; then it fails with lido.ErrBusy, and the error
	// names the reader that keeps most. Reads do not wait. A transaction is not
	// stopped in its middle, so the WAL can be longer by the transactions that had
	// begun or waited for the writer before; other processes that write are not held
	// back. Health's wal_size is Degraded long before.
	// Default 4 GiB; negative is no bound. There is none either where checkpoints
	// are left to others, and on Windows, where the length is not known.
	WALMaxBytes int64
	// CheckpointInterval is how often the checkpointer moves what the WAL holds,
	// however little. When nothing was written for that long and nobody holds a
	// connection, it also cuts the -wal file to nothing. Default 10 s; negative
	// turns the checkpointer off, and commits do all of its work.
	CheckpointInterval time.Duration
	// IteratorLifetime is how long a statement outside a transaction may hold
	// its reader; an iterator is the usual one. Beyond it the statement is
	// interrupted: its next Step fails with lido.ErrInterrupted, and says why.
	// A body that never comes back to its loop is logged, and keeps the reader.
	// It is also how long a call without a deadline waits for a reader while
	// such statements hold all of them; then it gets lido.ErrReadersExhausted.
	// Default 5 minutes; negative never, and such a call waits for ever.
	IteratorLifetime time.Duration
	// ReaderWarnAge and WALWarnBytes are when Logger is told of a reader whose
	// snapshot keeps what was written after it in the WAL: once it is that old,
	// or keeps that much. It is told again whenever the age has doubled; of
	// readers that keep much and are not that old, however many, once, and again
	// after 1, 2, 4... minutes. Default 30 s and 256 MiB; negative never.
	// [DB.PinnedReaders] tells at any time.
	ReaderWarnAge time.Duration
	WALWarnBytes  int
	// InterruptPinnedReaders also interrupts the reader then, unless it is a
	// connection of OpenConn. Its statements fail with lido.ErrInterrupted, which
	// says why, until it gives the connection back. Default off.
	InterruptPinnedReaders bool
	// LeakWarnAge is when Logger is told of a connection, statement,
	// transaction or iterator that was not given back, with the stack that
	// acquired it, and again whenever the time has doubled. Default 1 minute;
	// negative never.
	LeakWarnAge time.Duration

	// StmtCacheCount is how many prepared statements a connection keeps: those
	// of typed calls, and through package stdlib those whose text comes again.
	// Default 256.
	StmtCacheCount int

	// MaxLengthBytes bounds a string, a blob and a row on every connection.
	// A parameter, a result or a row that would be longer is lido.ErrTooBig,
	// and so is reading a value that is in the file already and is longer (an
	// index on it is read to delete it, too); backups carry it all the same.
	// Default 128 MiB; negative leaves the engine's own bound, 1,000,000,000.
	//
	// It is there because one instruction of the engine is not interrupted: a
	// call of replace() runs to its end, however long ago its context ended.
	// The package documentation has the figures.
	//
	// https://www.sqlite.org/limits.html#max_length
	MaxLengthBytes int

	// Exclusive keeps every other process from opening the file, even to read
	// it, while the pool is open. Reads and writes then take their locks without
	// system calls. Open waits up to BusyTimeout for other processes to close
	// the file. It needs unix, and one more connection, which does nothing but
	// hold the lock. Default off.
	//
	// After a fault in mapped memory (Stat().Faults) the lock may outlast
	// Close, until the process ends.
	//
	// https://www.sqlite.org/vfs.html#standard_unix_vfses
	Exclusive bool

	// DoubleQuotedStrings brings back SQLite's old rule that "text" in double
	// quotes is a string where it names no column. Default off.
	DoubleQuotedStrings bool
	// AllowNetworkFilesystem opens a file on NFS, SMB or 9p all the same, or on
	// a network behind FUSE (sshfs, s3fs, rclone, gcsfuse and some forty more that
	// are known by name; others pass). WAL needs memory that all users of the file
	// share, which those do not have. Default off.
	//
	// https://www.sqlite.org/wal.html#noshm
	AllowNetworkFilesystem bool

	// OnConnect, if set, prepares each connection after it was opened, readers
	// too: functions and collations written in Go belong there. An error fails
	// whoever needed the connection.
	OnConnect func(ctx context.Context, c *sqlite.Conn) error
	// BeforeClose, if set, is called with each connection, readers too, before it
	// is closed, unless it is broken: what OnConnect has set up ends here, and
	// PRAGMA optimize has its place. Closing waits for it. A panic in it is
	// logged.
	//
	// https://www.sqlite.org/pragma.html#pragma_optimize
	BeforeClose func(c *sqlite.Conn)
	// Prepare runs when the database is open, before any service starts.
	// Migrations belong here. Its error undoes Open.
	Prepare func(ctx context.Context, db *DB) error
	// Services start after Prepare, in this order, and are stopped in reverse
	// before the connections close.
	Services []Service
	// Tracer is told of queries and, if it asks to, of transactions, acquires
	// and checkpoints; see [Tracer]. Default: nobody, which costs nothing.
	Tracer Tracer
	// Logger is told of what no caller can be told: connections destroyed for
	// cause, failures in the background. Default: nobody.
	Logger *slog.Logger
}

// withDefaults checks cfg and fills in what was left out.
func (cfg Config) withDefaults() (Config, error) {
	bad := func(format string, args ...any) (Config, error) {
		return cfg, fmt.Errorf("pool: config: "+format, args...)
	}
	if cfg.MaxReaders < 0 {
		return bad("MaxReaders is %d, want 1 or more", cfg.MaxReaders)
	}
	if cfg.MaxReaders == 0 {
		cfg.MaxReaders = min(max(runtime.GOMAXPROCS(0), minReaders), maxDefaultReaders)
		cfg.MaxReaders = max(cfg.MaxReaders, cfg.MinIdleReaders)
	}
	switch {
	case cfg.MinIdleReaders < 0:
		return bad("MinIdleReaders is %d, want 0 or more", cfg.MinIdleReaders)
	case cfg.MinIdleReaders > cfg.MaxReaders:
		return bad("MinIdleReaders is %d, more than MaxReaders, which is %d", cfg.MinIdleReaders, cfg.MaxReaders)
	case cfg.BusyTimeout < 0:
		return bad("BusyTimeout is %v, want 0 (for 5 s) or more", cfg.BusyTimeout)
	case cfg.LifetimeJitter < 0:
		return bad("LifetimeJitter is %v, want 0 or more", cfg.LifetimeJitter)
	case cfg.LifetimeJitter > 0 && cfg.MaxLifetime < 0:
		return bad("LifetimeJitter is %v, but MaxLifetime is %v (no limit)", cfg.LifetimeJitter, cfg.MaxLifetime)
	case !cfg.Synchronous.valid():
		return bad("Synchronous is %d, want SynchronousNormal or SynchronousFull", cfg.Synchronous)
	case cfg.CacheBytes < 0:
		return bad("CacheBytes is %d, want 0 (for 64,000 KiB) or more", cfg.CacheBytes)
	case cfg.CacheTotalBytes < 0:
		return bad("CacheTotalBytes is %d, want 0 (for 256 MiB) or more", cfg.CacheTotalBytes)
	case cfg.StmtCacheCount < 0:
		return bad("StmtCacheCount is %d, want 0 (for %d) or more", cfg.StmtCacheCount, defaultStmtCache)
	case cfg.MmapBytes > maxMmapBytes:
		return bad("MmapBytes is %d, more than SQLite maps, which is %d", cfg.MmapBytes, maxMmapBytes)
	case cfg.WALAutocheckpointPages > maxAutocheckpointPages:
		return bad("WALAutocheckpointPages is %d, want %d or less, or 0 (for %d)", cfg.WALAutocheckpointPages, maxAutocheckpointPages, defaultCheckpoint)
	case cfg.WALMaxBytes > 0 && (cfg.WALAutocheckpointPages < 0 || cfg.CheckpointInterval < 0):
		return bad("WALMaxBytes is %d, but the checkpointer that keeps it is turned off: WALAutocheckpointPages is %d, CheckpointInterval %v",
			cfg.WALMaxBytes, cfg.WALAutocheckpointPages, cfg.CheckpointInterval)
	case cfg.WALMaxBytes > 0 && cfg.WALMaxBytes < minWALMax:
		return bad("WALMaxBytes is %d, want %d or more, or 0 (for 4 GiB)", cfg.WALMaxBytes, minWALMax)
	case cfg.MaxLengthBytes > 0 && cfg.MaxLengthBytes < sqlite.MinLength, cfg.MaxLengthBytes > sqlite.MaxLength:
		return bad("MaxLengthBytes is %d, want %d to %d, or 0 (for 128 MiB)", cfg.MaxLengthBytes, sqlite.MinLength, sqlite.MaxLength)
	case cfg.Exclusive && cfg.ReadOnly:
		return bad("ReadOnly is set, and so is Exclusive, whose lock only a connection that may write can hold")
	case cfg.InterruptPinnedReaders && cfg.ReaderWarnAge < 0 && cfg.WALWarnBytes < 0:
		return bad("InterruptPinnedReaders is set, but ReaderWarnAge is %v and WALWarnBytes %d (never)", cfg.ReaderWarnAge, cfg.WALWarnBytes)
	case cfg.ReadOnly && cfg.Prepare != nil:
		return bad("ReadOnly is set, and so is Prepare, which is for migrations and needs a writer")
	}
	for i, s := range cfg.Services {
		if s == nil {
			return bad("Services[%d] is nil", i)
		}
	}

	fill(&cfg.IdleTimeout, defaultIdleTimeout)
	if cfg.MaxLifetime == 0 {
		fill(&cfg.LifetimeJitter, defaultLifetimeJitter)
	}
	fill(&cfg.MaxLifetime, defaultMaxLifetime)
	fill(&cfg.BusyTimeout, defaultBusyTimeout)
	fill(&cfg.CacheTotalBytes, defaultCacheTotal)
	fill(&cfg.MmapBytes, defaultMmapBytes)
	fill(&cfg.JournalSizeLimitBytes, defaultJournalLimit)
	fill(&cfg.WALAutocheckpointPages, defaultCheckpoint)
	fill(&cfg.StmtCacheCount, defaultStmtCache)
	fill(&cfg.CheckpointInterval, defaultCheckpointTime)
	fill(&cfg.IteratorLifetime, defaultIteratorLife)
	fill(&cfg.ReaderWarnAge, defaultReaderWarnAge)
	fill(&cfg.WALWarnBytes, defaultWALWarn)
	fill(&cfg.WALMaxBytes, defaultWALMax)
	fill(&cfg.LeakWarnAge, defaultLeakWarnAge)
	fill(&cfg.MaxLengthBytes, defaultMaxLength)
	conns := cfg.MaxReaders + 1
	switch {
	case cfg.CacheBytes == 0:
		cfg.CacheBytes = min(defaultCacheBytes, cfg.CacheTotalBytes/conns)
	case cfg.CacheBytes > cfg.CacheTotalBytes/conns:
		return bad("CacheBytes is %d, which for %d connections (MaxReaders and the writer) makes %.0f, more than CacheTotalBytes, which is %d",
			cfg.CacheBytes, conns, float64(cfg.CacheBytes)*float64(conns), cfg.CacheTotalBytes)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, nil
}

// fill sets a field that was left zero.
func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// atLeastZero turns "negative means none" into the number that means it.
func atLeastZero[T int | time.Duration](v T) T { return max(v, 0) }

// connOptions returns how one connection is opened.
func (cfg *Config) connOptions(readOnly bool) sqlite.Options {
	number := func(n int) string { return strconv.Itoa(n) }
	var pragmas []sqlite.Pragma
	if !readOnly {
		pragmas = append(pragmas, sqlite.Pragma{Name: "journal_mode", Value: "wal"})
	}
	limit := cfg.JournalSizeLimitBytes
	if limit < 0 {
		limit = -1
	}
	pragmas = append(pragmas,
		sqlite.Pragma{Name: "synchronous", Value: number(cfg.Synchronous.pragma())},
		sqlite.Pragma{Name: "cache_size", Value: number(-cfg.CacheBytes / 1024)},
		sqlite.Pragma{Name: "mmap_size", Value: number(atLeastZero(cfg.MmapBytes))},
		sqlite.Pragma{Name: "foreign_keys", Value: "1"},
		sqlite.Pragma{Name: "trusted_schema", Value: "0"},
		sqlite.Pragma{Name: "cell_size_check", Value: "1"},
		sqlite.Pragma{Name: "journal_size_limit", Value: number(limit)},
		sqlite.Pragma{Name: "wal_autocheckpoint", Value: number(atLeastZero(cfg.WALAutocheckpointPages))},
	)
	return sqlite.Options{
		ReadOnly:            readOnly,
		Create:              !readOnly && !cfg.MustExist,
		BusyTimeout:         cfg.BusyTimeout,
		StmtCacheCount:      cfg.StmtCacheCount,
		DoubleQuotedStrings: cfg.DoubleQuotedStrings,
		MaxLengthBytes:      atLeastZero(cfg.MaxLengthBytes),
		Pragmas:             pragmas,
		OnOpen:              cfg.OnConnect,
	}
}
