package sqlite

import (
	"context"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// progressOps is how many of the engine's instructions lie between two looks
// at the context. A thousand cost nothing measurable and take well under a
// millisecond.
const progressOps = 1000

// handles finds a connection from the number that the engine passes to the
// callbacks. It is a global because the callbacks must be top-level functions:
// the collector cannot see a closure that only the engine refers to.
var handles struct {
	sync.RWMutex
	// conns is asked some times for each statement that is compiled, on every
	// processor, and so changed by making another one.
	conns     atomic.Pointer[map[uintptr]*Conn]
	callbacks map[uintptr]*callback // by a number of their own
	last      uintptr
}

// changeConns is called with the lock held.
func changeConns(fn func(conns map[uintptr]*Conn)) {
	conns := make(map[uintptr]*Conn)
	if before := handles.conns.Load(); before != nil {
		maps.Copy(conns, *before)
	}
	fn(conns)
	handles.conns.Store(&conns)
}

func register(c *Conn) {
	handles.Lock()
	defer handles.Unlock()
	handles.last++
	c.handle = handles.last
	changeConns(func(conns map[uintptr]*Conn) { conns[c.handle] = c })
}

func unregister(c *Conn) {
	handles.Lock()
	defer handles.Unlock()
	changeConns(func(conns map[uintptr]*Conn) { delete(conns, c.handle) })
	for _, key := range c.callbacks {
		delete(handles.callbacks, key)
	}
}

func connOf(handle uintptr) *Conn {
	return (*handles.conns.Load())[handle]
}

// Interrupt stops what runs on the connection and makes every statement,
// backup and checkpoint after it fail with lido.ErrInterrupted, until
// ClearInterrupt. Any goroutine may call it at any time before Close. BEGIN,
// COMMIT, ROLLBACK and their kin are neither stopped nor refused, so that a
// transaction can be ended.
//
// https://www.sqlite.org/c3ref/interrupt.html
func (c *Conn) Interrupt() { c.InterruptFor(nil) }

// InterruptFor is Interrupt for a reason, which the errors then have as their
// cause. The first reason stays until ClearInterrupt.
func (c *Conn) InterruptFor(cause error) {
	if cause != nil {
		c.interruptCause.CompareAndSwap(nil, &cause)
	}
	c.interrupted.Store(true)
	// The callbacks do not run in a checkpoint, which looks at the engine's
	// own flag. Elsewhere that flag could hit a COMMIT.
	if c.checkpointing.Load() {
		lib.Xsqlite3_interrupt(nil, c.db)
	}
}

// ClearInterrupt undoes Interrupt. Like all but Interrupt it belongs to the
// goroutine that has the connection.
func (c *Conn) ClearInterrupt() {
	if c.interrupted.Load() {
		c.interrupted.Store(false)
		c.interruptCause.Store(nil)
	}
}

// whyInterrupted is the cause given to InterruptFor.
func (c *Conn) whyInterrupted() error {
	if cause := c.interruptCause.Load(); cause != nil {
		return *cause
	}
	return errInterruptedByOwner
}

// stopped reports whether what runs now has been told to stop.
func (c *Conn) stopped() bool {
	return c.interrupted.Load() || c.gone() ||
		(!c.deadline.IsZero() && time.Now().After(c.deadline))
}

// governing is the context of what runs now, or nil: the callbacks look at it.
func (c *Conn) governing() context.Context {
	if c.stepping {
		return c.stepped.Get().ctx
	}
	return c.ctx
}

func (c *Conn) gone() bool {
	ctx := c.governing()
	return ctx != nil && ctx.Err() != nil
}

// onProgress is the engine's progress handler; anything but 0 interrupts.
func onProgress(_ *libc.TLS, handle uintptr) int32 {
	c := connOf(handle)
	if c != nil && !c.uninterruptible && c.stopped() && !c.hasEnded() {
		return 1
	}
	return 0
}

// hasEnded reports whether what the engine runs has ended. It asks the progress
// handler once more after that, and an interrupt then would be an error although
// a write outside of a transaction is committed.
func (c *Conn) hasEnded() bool {
	return c.inEngine != 0 && (*lib.TVdbe)(pointer(c.inEngine)).FeVdbeState == lib.VDBE_HALT_STATE
}

// onBusy is called when another connection holds the lock that this one needs;
// 0 gives up. Unlike the engine's own busy timeout it watches the context.
//
// https://www.sqlite.org/c3ref/busy_handler.html
func onBusy(_ *libc.TLS, handle uintptr, count int32) int32 {
	c := connOf(handle)
	if c == nil {
		return 0
	}
	now := time.Now()
	if count == 0 {
		c.busySince = now
	}
	left := c.busyTimeout - now.Sub(c.busySince)
	if left <= 0 || c.stopped() {
		return 0
	}
	c.busyWaits.Add(1)
	// Short naps at first, for most locks are held for less than a
	// millisecond; never longer than 20 ms, so that Interrupt is soon seen. The
	// jitter keeps two processes from asking in step.
	nap := min(time.Millisecond<<min(count, 5), 20*time.Millisecond)
	nap = min(nap/2+rand.N(nap), left)
	if !c.deadline.IsZero() {
		nap = min(nap, time.Until(c.deadline)+1) // and past it
	}
	timer := time.NewTimer(nap)
	defer timer.Stop()
	var done <-chan struct{}
	if ctx := c.governing(); ctx != nil {
		done = ctx.Done()
	}
	select {
	case <-timer.C:
		return 1
	case <-done:
		return 0
	}
}

// endable returns ctx if it can end, and nil if there is no use in looking.
func endable(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return nil
	}
	return ctx
}

func (c *Conn) installCallbacks() {
	lib.Xsqlite3_busy_handler(c.tls, c.db, function(onBusy), c.handle)
	lib.Xsqlite3_progress_handler(c.tls, c.db, progressOps, function(onProgress), c.handle)
	lib.Xsqlite3_set_authorizer(c.tls, c.db, function(onAuthorize), c.handle)
}
