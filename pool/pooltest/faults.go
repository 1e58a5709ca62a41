package pooltest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/internal/faultvfs"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// Injector provokes faults in one database, so that a test can see what its
// program makes of them. The faults arise below the engine, in the calls it
// makes to the file system, or inside it as a statement begins: what the program
// meets is the engine's and the pool's own answer.
//
// A fault concerns this database alone, so tests may run in parallel. It ends
// when the function that the method returned is called, and with the test at
// the latest; calling that function again does nothing. The methods are safe
// for concurrent use, and several faults may be on at the same time.
//
//	f := pooltest.Faults(t, db)
//	free := f.DiskFull()
//	err := store.PostTransaction(ctx, arg) // errors.Is(err, lido.ErrFull)
//	free()
type Injector struct {
	t testing.TB
	*reach
}

// Faults returns what provokes faults in db, which must come from [Open],
// [OpenMemory] or [OpenPath], or have been opened under the context of
// [WithFaults]. A database in memory meets them as one on a disk does.
func Faults(t testing.TB, db *pool.DB) *Injector {
	t.Helper()
	name := db.Path()
	if name == pool.Memory {
		c, err := db.OpenConn(context.WithoutCancel(t.Context())) // knows its name, and waits for nobody
		if err != nil {
			t.Fatalf("pooltest: %v", err)
		}
		name = c.Path()
		if err := c.Close(); err != nil {
			t.Fatalf("pooltest: %v", err)
		}
	}
	r := reachOf(name)
	if r == nil {
		t.Fatalf("pooltest: %s is out of reach: open it with pooltest.Open, or with pool.Open under the context of pooltest.WithFaults", db.Path())
	}
	return &Injector{t, r}
}

// until makes undo run once, when it is called or when the test ends.
func (f *Injector) until(undo func()) func() {
	undo = sync.OnceFunc(undo)
	f.t.Cleanup(undo)
	return undo
}

// lockTimeout is how long Busy waits for a write that is under way.
const lockTimeout = 5 * time.Second

// Busy holds the write lock of the database as another process would, until
// release. Reads go on. A write waits for pool.Config.BusyTimeout, which a test
// sets low, or until its context ends, and then fails with lido.ErrBusy or with
// the context's error; nothing of it was applied.
//
// Busy itself waits up to 5 s for a write that is under way.
func (f *Injector) Busy() (release func()) {
	f.t.Helper()
	// Not the test's context: it has ended when its cleanups run.
	ctx := context.WithoutCancel(f.t.Context())
	c, err := sqlite.Open(ctx, f.path, sqlite.Options{VFS: f.vfs, BusyTimeout: lockTimeout})
	if err == nil {
		err = c.Begin(ctx, sqlite.Immediate)
	}
	if err != nil {
		f.t.Fatalf("pooltest: busy: %v", err)
	}
	return f.until(func() {
		if err := c.Close(); err != nil { // rolls back
			f.t.Errorf("pooltest: busy: %v", err)
		}
	})
}

// DiskFull makes every write to the database's files fail, as on a full disk,
// until free. A single write fails with lido.ErrFull, and a Write closure when
// it commits, for until then its changes are in memory; nothing of either was
// applied. [Injector.DiskFullIn] strikes in the middle of a closure.
//
// Reads go on, and so do writes after free: nothing needs to be opened anew.
func (f *Injector) DiskFull() (free func()) {
	rule := f.disk.Add(faultvfs.Rule{Ops: faultvfs.Write, Code: codeFull})
	return f.until(rule.Remove)
}

// DiskFullIn lets the disk be full when the query runs next: that statement
// fails with lido.ErrFull. In a transaction the engine rolls back all that came
// before it too, and the transaction can only be given up; statements after it
// fail, and so does Write, whatever its closure returns.
//
// query is the name of a generated query, or the text of a statement that has
// no name; empty is whichever statement comes next. cancel takes the fault back
// if the query did not run.
func (f *Injector) DiskFullIn(query string) (cancel func()) {
	return f.until(f.arm(&stop{query: query, code: codeFull}))
}

// Interrupt interrupts the query when it runs next: it fails with
// lido.ErrInterrupted. When it is a write in a transaction, the engine rolls
// back all of that, as with [Injector.DiskFullIn], which also says what query
// and cancel are.
//
// A single write or Batch closure that shares its commit with others does not
// fail: it is run again by itself.
func (f *Injector) Interrupt(query string) (cancel func()) {
	return f.until(f.arm(&stop{query: query, code: codeInterrupt}))
}

// Corrupt lets the query meet a damaged page when it runs next: it fails with
// lido.ErrCorrupt. The pool closes the connection and opens another; the file
// itself is whole. [Injector.DiskFullIn] says what query and cancel are.
func (f *Injector) Corrupt(query string) (cancel func()) {
	return f.until(f.arm(&stop{query: query, code: codeCorrupt}))
}

// AbortGroup has the engine throw away the next transaction that several writes
// share, while one that is not the first of them runs. Nobody is told success
// for what was lost: single writes and Batch closures run again, and each row is
// there once. The Batch closure that is running at that moment gets
// lido.ErrInterrupted from its statement; whatever it makes of it, it runs again
// by itself.
//
// done is closed when the fault has struck; cancel takes it back if there was no
// such transaction.
func (f *Injector) AbortGroup() (done <-chan struct{}, cancel func()) {
	struck := make(chan struct{})
	return struck, f.until(f.arm(&stop{inGroup: true, code: codeInterrupt, met: func() { close(struck) }}))
}

// KillWriter breaks the connection that writes, as it is open now: what runs on
// it, or runs on it next, fails with an I/O error, a *lido.Error with Code 10.
// Such a write may have been committed where it fails with
// lido.ErrCommitUnknown. The pool closes the connection and opens another, so
// that the write after that succeeds.
func (f *Injector) KillWriter() { f.disk.Kill(func(readOnly bool) bool { return !readOnly }) }

// KillReaders breaks the connections that read, as they are open now: what runs
// on each, or runs on it next, fails with an I/O error, a *lido.Error with
// Code 10. The pool closes each when it comes back and opens another.
func (f *Injector) KillReaders() { f.disk.Kill(func(readOnly bool) bool { return readOnly }) }

// https://www.sqlite.org/rescode.html
const (
	codeInterrupt = 9
	codeCorrupt   = 11
	codeFull      = 13
)
