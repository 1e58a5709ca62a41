package pool

import (
	"context"
	"fmt"

	"github.com/lidodb/lido/sqlite"
)

// Synchronous says what a commit survives that was acknowledged: one whose
// call returned nil.
//
//	                    the process dies    the power fails, the kernel crashes
//	SynchronousNormal   it is there         it may be gone, if it is recent
//	SynchronousFull     it is there         it is there
//
// At either level the file is never damaged, and what is gone is the end of the
// history: if a commit is missing, so are all that came after it. Recent means
// since the last time that anything made the WAL reach the disk: a checkpoint,
// or a commit at SynchronousFull, which takes every earlier one with it.
//
// A call that had not returned when it happened may be there or not, but never
// in part. SynchronousFull is as good as the disk's word: one that says it has
// stored what it has only buffered can lose it.
//
// https://www.sqlite.org/pragma.html#pragma_synchronous
type Synchronous int

const (
	// SynchronousNormal (the default) hands each commit to the operating
	// system, and waits for the disk only at a checkpoint.
	SynchronousNormal Synchronous = iota
	// SynchronousFull waits for the disk at each commit. Those who wait
	// together share one wait.
	SynchronousFull
)

// String returns the name SQLite gives the level.
func (s Synchronous) String() string {
	switch s {
	case SynchronousNormal:
		return "NORMAL"
	case SynchronousFull:
		return "FULL"
	}
	return fmt.Sprintf("Synchronous(%d)", int(s))
}

func (s Synchronous) valid() bool { return s == SynchronousNormal || s == SynchronousFull }

// pragma is the number SQLite gives the level.
func (s Synchronous) pragma() int { return int(s) + 1 }

// writeMode is what the context of a call says about its write.
type writeMode struct {
	alone   bool
	level   Synchronous
	leveled bool // level was chosen
}

type writeModeKey struct{}

// modeOf returns what ctx and cfg say about a write.
func (db *DB) modeOf(ctx context.Context) writeMode {
	m, _ := ctx.Value(writeModeKey{}).(writeMode)
	if !m.leveled {
		m.level = db.cfg.Synchronous
	}
	m.alone = m.alone || db.cfg.NoGroupCommit
	return m
}

// setLevel makes c commit as ctx says.
func (db *DB) setLevel(ctx context.Context, c *sqlite.Conn) error {
	if err := c.SetSynchronous(ctx, db.modeOf(ctx).level.pragma()); err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	return nil
}

func withMode(ctx context.Context, change func(m *writeMode)) context.Context {
	m, _ := ctx.Value(writeModeKey{}).(writeMode)
	change(&m)
	return context.WithValue(ctx, writeModeKey{}, m)
}

// WithSynchronous returns a context under which a write is as durable as level
// says, whatever Config.Synchronous says: a single write, Batch, Write, and
// what is committed on a connection from AcquireWriter or WithWriter. Inside a
// transaction it changes nothing; the transaction has its level.
//
// Writes of different levels never share a transaction. A level that is none
// is a mistake of the program, and panics.
func WithSynchronous(ctx context.Context, level Synchronous) context.Context {
	if !level.valid() {
		panic(fmt.Sprintf("pool: WithSynchronous: %v is neither SynchronousNormal nor SynchronousFull", level))
	}
	return withMode(ctx, func(m *writeMode) { m.level, m.leveled = level, true })
}

// Alone returns a context under which a single write or a Batch does not share
// its transaction with others, whatever Config.NoGroupCommit says.
func Alone(ctx context.Context) context.Context {
	return withMode(ctx, func(m *writeMode) { m.alone = true })
}
