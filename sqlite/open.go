package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/internal/memvfs"
	"github.com/lidodb/lido/internal/seam"
)

// Options say how Open opens a connection. The zero value opens an existing
// file for reading and writing.
type Options struct {
	// ReadOnly opens the file so that nothing can be written through the
	// connection, and sets query_only beside it. A WAL database still needs a
	// folder in which -wal and -shm exist or can be made.
	ReadOnly bool
	// Create makes the file when it is absent.
	Create bool
	// Immutable promises that nobody changes the file: no locks are taken and
	// no -wal is read. A promise that is broken gives wrong results.
	//
	// https://www.sqlite.org/uri.html#uriimmutable
	Immutable bool
	// VerifyChecks lets integrity_check and quick_check look at CHECK constraints
	// on a connection that is ReadOnly or Immutable, where the engine otherwise
	// does not even parse them. PRAGMA query_only cannot be turned off there.
	VerifyChecks bool
	// VFS names the layer below the engine; empty is the platform's own.
	VFS string
	// BusyTimeout is how long a statement waits for another connection's lock
	// before it fails with lido.ErrBusy; 5 s if zero, not at all if negative.
	// A context that ends sooner wins.
	BusyTimeout time.Duration
	// StmtCacheCount is how many prepared statements are kept; 256 if zero.
	StmtCacheCount int
	// DoubleQuotedStrings brings back the old rule that "text" in double
	// quotes is a string where it names no column.
	//
	// https://www.sqlite.org/quirks.html#dblquote
	DoubleQuotedStrings bool
	// MaxLengthBytes bounds a string, a blob and a row, and so the work of one
	// instruction of the engine, which nothing can interrupt. What is longer is
	// lido.ErrTooBig. The engine's own bound, 1,000,000,000, if zero; it cannot
	// be raised.
	//
	// https://www.sqlite.org/limits.html#max_length
	MaxLengthBytes int
	// ReadLocks, if set, are shared with the other connections of the same file,
	// which then read without locking it anew each time.
	ReadLocks *ReadLocks
	// BeforePragmas, if set, sees the file as it was found, before Pragmas and
	// with them a journal mode are set. Its error undoes Open.
	BeforePragmas func(ctx context.Context, c *Conn) error
	// Pragmas are set in this order, and each is read back.
	Pragmas []Pragma
	// OnOpen, if set, runs last: functions and collations belong there. Its
	// error undoes Open. What it changes does not count as Tainted.
	OnOpen func(ctx context.Context, c *Conn) error
	// OnEnding, if set, is told what Conn.OnEnding tells, from the end of Open to
	// that of the connection and whatever is set there.
	OnEnding func(Ending)
}

// Pragma is one setting of a connection.
//
// https://www.sqlite.org/pragma.html
type Pragma struct {
	Name  string
	Value string
	// Want is what reading the PRAGMA back must answer; Value if empty.
	Want string
}

// PragmaError reports a setting that the engine did not take.
type PragmaError struct {
	Name, Want, Got string
}

// Error names the PRAGMA, what was asked for and what the engine has.
func (e *PragmaError) Error() string {
	return fmt.Sprintf("PRAGMA %s: wanted %s, the engine answers %q", e.Name, e.Want, e.Got)
}

// Open opens the database at path, which may be ":memory:".
//
// It reads the header, so a file that is not a database is found here and not
// at the first query; the error is lido.ErrCorrupt. It waits for locks as
// BusyTimeout and ctx allow.
//
// https://www.sqlite.org/c3ref/open.html
func Open(ctx context.Context, path string, opt Options) (*Conn, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, fmt.Errorf("sqlite: open: %q is not a file name", path)
	}
	if ctx.Err() != nil {
		return nil, ended.Err(ctx)
	}
	c := &Conn{
		path:        path,
		tls:         libc.NewTLS(),
		busyTimeout: opt.BusyTimeout,
		cache:       newStmtCache(opt.StmtCacheCount),
	}
	if opt.BusyTimeout == 0 {
		c.busyTimeout = 5 * time.Second
	}
	useOFDLocks()
	register(c)
	panicking := true
	defer func() {
		if panicking { // BeforePragmas or OnOpen; nobody else knows the connection
			_ = c.Close()
		}
	}()
	err := c.connect(ctx, opt)
	if err == nil && opt.OnOpen != nil {
		err = opt.OnOpen(ctx, c)
	}
	panicking = false
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, errors.Join(err, c.Close()))
	}
	c.tainted = "" // by the settings above
	c.atOpen.authorizer, c.atOpen.onEnding = c.authorizer, c.onEnding
	c.ownersEnding = opt.OnEnding
	c.RestoreHooks()
	c.viewWAL()
	c.tuneMapping()
	opt.ReadLocks.join(c)
	return c, nil
}

func (c *Conn) connect(ctx context.Context, opt Options) (err error) {
	defer c.guard(debug.SetPanicOnFault(true), &err)
	if c.path != ":memory:" {
		if info, err := os.Stat(c.path); err == nil && info.IsDir() {
			return errors.New("is a directory; name a file in it")
		}
	}
	flags := int32(lib.SQLITE_OPEN_NOMUTEX | lib.SQLITE_OPEN_EXRESCODE | lib.SQLITE_OPEN_PRIVATECACHE)
	switch {
	case opt.ReadOnly:
		flags |= lib.SQLITE_OPEN_READONLY
	case opt.Create:
		flags |= lib.SQLITE_OPEN_READWRITE | lib.SQLITE_OPEN_CREATE
	default:
		flags |= lib.SQLITE_OPEN_READWRITE
	}
	name := c.path
	if opt.Immutable {
		flags |= lib.SQLITE_OPEN_URI
		name = (&url.URL{Scheme: "file", OmitHost: true, Path: c.path, RawQuery: "immutable=1"}).String()
	}

	out := malloc(c.tls, 8)
	file := cString(c.tls, name)
	through := opt.VFS
	if inside := seam.From(ctx); inside != nil {
		if c.hooks, err = inside.Open(c.path, opt.VFS); err != nil {
			return err
		}
		through = c.hooks.VFS
	}
	var vfs uintptr
	if through != "" {
		vfs = cString(c.tls, through)
	}
	rc := lib.Xsqlite3_open_v2(c.tls, file, out, flags, vfs)
	c.db = uintptrAt(out)
	free(c.tls, out)
	free(c.tls, file)
	free(c.tls, vfs)
	if rc != lib.SQLITE_OK {
		if c.db == 0 {
			return fmt.Errorf("out of memory (SQLite code %d)", rc)
		}
		return c.fail(ctx, rc, "")
	}

	if opt.VerifyChecks && (opt.ReadOnly || opt.Immutable) {
		c.parseChecks()
	}
	c.installCallbacks()
	if err := c.limitLength(opt.MaxLengthBytes); err != nil {
		return err
	}
	if opt.VFS == "" || opt.VFS == ExclusiveVFS { // whose files are laid out alike
		c.file = c.filePointer()
	}
	if opt.VFS == memvfs.Name {
		c.memory = c.filePointer()
	}
	c.installSeam()
	if err := c.configure(lib.SQLITE_DBCONFIG_DEFENSIVE, true); err != nil {
		return err
	}
	for _, op := range []int32{lib.SQLITE_DBCONFIG_DQS_DML, lib.SQLITE_DBCONFIG_DQS_DDL} {
		if err := c.configure(op, opt.DoubleQuotedStrings); err != nil {
			return err
		}
	}
	if err := c.checkWritable(ctx, opt); err != nil {
		return err
	}
	if _, err := c.QueryInt64(ctx, "PRAGMA schema_version"); err != nil {
		return err
	}
	if opt.BeforePragmas != nil {
		if err := opt.BeforePragmas(ctx, c); err != nil {
			return err
		}
	}
	for _, p := range opt.Pragmas {
		if err := c.setPragmaAtOpen(ctx, p); err != nil {
			return err
		}
	}
	// Once more: the journal mode may have changed, and the first read after
	// that opens the WAL.
	if _, err := c.QueryInt64(ctx, "PRAGMA schema_version"); err != nil {
		return err
	}
	if opt.ReadOnly || opt.Immutable {
		if err := c.SetPragma(ctx, Pragma{Name: "query_only", Value: "1"}); err != nil {
			return err
		}
	}
	c.queryOnlyKept = opt.VerifyChecks && (opt.ReadOnly || opt.Immutable)
	return nil
}

// checkWritable finds a file that may only be read. The engine opens it all the
// same, and fails the first write.
//
// https://www.sqlite.org/c3ref/db_readonly.html
func (c *Conn) checkWritable(ctx context.Context, opt Options) error {
	if opt.ReadOnly || opt.Immutable {
		return nil
	}
	name := cString(c.tls, "main")
	defer free(c.tls, name)
	if lib.Xsqlite3_db_readonly(c.tls, c.db, name) == 1 {
		return c.fail(ctx, lib.SQLITE_READONLY, "")
	}
	return nil
}

// SetPragma sets p and reads it back; a *PragmaError says that the engine kept
// another value. Outside Open it marks the connection as changed, so that the
// pool does not hand it on.
func (c *Conn) SetPragma(ctx context.Context, p Pragma) error {
	if err := c.Exec(ctx, "PRAGMA "+p.Name+"="+p.Value); err != nil {
		return fmt.Errorf("PRAGMA %s=%s: %w", p.Name, p.Value, err)
	}
	got, err := c.QueryText(ctx, "PRAGMA "+p.Name)
	if err != nil {
		return fmt.Errorf("PRAGMA %s: %w", p.Name, err)
	}
	want := p.Want
	if want == "" {
		want = p.Value
	}
	if !strings.EqualFold(got, want) {
		return &PragmaError{Name: p.Name, Want: want, Got: got}
	}
	return nil
}

// setPragmaAtOpen is SetPragma, and waits for locks itself: to change the
// journal mode the engine goes from a read lock to an exclusive one, and there
// it answers BUSY without asking the busy handler. Processes that create a
// database at the same time meet this.
func (c *Conn) setPragmaAtOpen(ctx context.Context, p Pragma) error {
	for count := int32(0); ; count++ {
		err := c.SetPragma(ctx, p)
		if !errors.Is(err, lido.ErrBusy) {
			return err
		}
		c.ctx = endable(ctx)
		again := onBusy(c.tls, c.handle, count)
		c.ctx = nil
		if again == 0 {
			return err
		}
	}
}

// filePointer returns the platform's handle of the database file, or 0 for a
// database in memory. In some tests it is behind that of a VFS on top.
//
// https://www.sqlite.org/c3ref/c_fcntl_begin_atomic_write.html#sqlitefcntlfilepointer
func (c *Conn) filePointer() uintptr {
	out := malloc(c.tls, 8)
	defer free(c.tls, out)
	op := int32(lib.SQLITE_FCNTL_FILE_POINTER)
	if c.hooks.VFS != "" {
		op = seam.ParentFile
	}
	if rc := lib.Xsqlite3_file_control(c.tls, c.db, 0, op, out); rc != lib.SQLITE_OK {
		return 0
	}
	file := uintptrAt(out)
	if file == 0 || (*lib.Tsqlite3_file)(pointer(file)).FpMethods == 0 || c.path == ":memory:" {
		return 0
	}
	return file
}

// configure sets one of the connection's switches and checks that it took.
//
// https://www.sqlite.org/c3ref/c_dbconfig_defensive.html
func (c *Conn) configure(op int32, on bool) error {
	var want int32
	if on {
		want = 1
	}
	out := malloc(c.tls, 4)
	list := malloc(c.tls, 16)
	defer free(c.tls, out)
	defer free(c.tls, list)
	rc := lib.Xsqlite3_db_config(c.tls, c.db, op, libc.VaList(list, want, out))
	if rc != lib.SQLITE_OK {
		return c.fail(context.Background(), rc, "")
	}
	if got := int32At(out); got != want {
		return fmt.Errorf("sqlite3_db_config %d: wanted %d, the engine answers %d", op, want, got)
	}
	return nil
}
