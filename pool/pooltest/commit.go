package pooltest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/lidodb/lido/internal/faultvfs"
)

// A commit is what it takes to write the last frame of a transaction to the
// WAL: its header, marked as the last one, then its page.
//
// https://www.sqlite.org/fileformat2.html#wal_file_format

func isCommit(c faultvfs.Call) bool { return c.Commit }

// SlowCommit makes every commit take d longer, until stop. A commit is not
// interrupted: the caller waits for it even when its context has ended, and is
// told that it succeeded.
func (f *Injector) SlowCommit(d time.Duration) (stop func()) {
	rule := f.disk.Add(faultvfs.Rule{Ops: faultvfs.Write, Files: faultvfs.WAL, Match: isCommit,
		Before: func(faultvfs.Call) { time.Sleep(d) }})
	return f.until(rule.Remove)
}

// BlockCommit holds up every commit until release. A value comes from begun for
// each commit that has arrived there and waits, so that a test can look at what
// else goes on meanwhile: reads do, other writes wait for the writer.
func (f *Injector) BlockCommit() (begun <-chan struct{}, release func()) {
	// As many as a test cares to count; a commit is not to wait for its reader.
	arrived, released := make(chan struct{}, 1024), make(chan struct{})
	rule := f.disk.Add(faultvfs.Rule{Ops: faultvfs.Write, Files: faultvfs.WAL, Match: isCommit,
		Before: func(faultvfs.Call) {
			select {
			case arrived <- struct{}{}:
			default:
			}
			<-released
		}})
	return arrived, f.until(func() {
		rule.Remove()
		close(released)
	})
}

// Outcome is what became of a commit that failed with lido.ErrCommitUnknown.
type Outcome bool

// The two outcomes.
const (
	Lost Outcome = false // nothing of it is in the database
	Kept Outcome = true  // all of it is
)

// LoseCommit has the disk fail in the middle of the next commit, so that its
// caller, or all who share it, get lido.ErrCommitUnknown. what decides whether
// the changes are in the database when they are looked for afterwards: a
// program must be right either way. cancel takes the fault back if there was no
// commit.
func (f *Injector) LoseCommit(what Outcome) (cancel func()) {
	if what == Lost {
		rule := f.disk.Add(faultvfs.Rule{Ops: faultvfs.Write, Files: faultvfs.WAL, Match: isCommit, Nth: 1,
			Code: faultvfs.Failure(faultvfs.Write)})
		return f.until(rule.Remove)
	}
	// The frame is written whole before the failure, and the WAL is then read
	// as after a crash, which finds it.
	var last atomic.Int64 // where the page of the last frame goes
	var once sync.Once
	header := f.disk.Add(faultvfs.Rule{Ops: faultvfs.Write, Files: faultvfs.WAL, Match: func(c faultvfs.Call) bool {
		if c.Commit {
			once.Do(func() { last.Store(c.Offset + int64(c.Bytes)) })
		}
		return false
	}})
	page := f.disk.Add(faultvfs.Rule{Ops: faultvfs.Write, Files: faultvfs.WAL, Nth: 1,
		Match:   func(c faultvfs.Call) bool { return !c.Commit && c.Offset == last.Load() && c.Offset != 0 },
		Code:    faultvfs.Failure(faultvfs.Write),
		Through: true,
		After:   func(faultvfs.Call) { f.disk.Recover() },
	})
	return f.until(func() {
		header.Remove()
		page.Remove()
	})
}
