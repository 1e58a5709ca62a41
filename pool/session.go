package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/ended"
	"github.com/lidodb/lido/internal/seeded"
	"github.com/lidodb/lido/sqlite"
)

var errGroupLost = errors.New("pool: the engine rolled the group back; its writes run again")

// session is one transaction that a leader runs for a group.
type session struct {
	db     *DB
	res    *Resource[*sqlite.Conn]
	conn   *sqlite.Conn
	leader *member
	trace  *TransactionTrace

	running    *member   // its work is under way
	last       *member   // the last that was taken
	kept       []*member // their work is in the transaction
	failed     []*member // beside work that is not committed yet; err says why
	committing bool
}

// take does the work of m and reports whether another may follow.
func (s *session) take(m *member) (more bool) {
	if m.ctx.Err() != nil {
		m.finish(fmt.Errorf("%s: %w", m.name(), ended.Err(m.ctx)))
		return true
	}
	s.running, s.last = m, m
	err := s.run(m)
	s.running = nil
	switch {
	case err == nil:
		s.kept = append(s.kept, m)
	case errors.Is(err, errBeyond):
		s.db.group.beyond.Add(1)
		m.finish(errBeyond)
	case len(s.kept) == 0 || s.itsOwn(err):
		m.finish(err)
	default:
		// To be told if what it may come from, the others' work, is committed.
		m.err = err
		s.failed = append(s.failed, m)
	}
	if !s.conn.InTransaction() || s.conn.Broken() != nil {
		s.abort()
		return false
	}
	// Nobody else is to work on a connection that was changed.
	return s.conn.Tainted() == ""
}

// itsOwn reports that a member did not fail for what others have done before it:
// its caller has gone, or the connection. That its context has ended since says
// nothing: it may have been told before that a key is taken.
func (s *session) itsOwn(err error) bool {
	return errors.Is(err, errUnfinished) || errors.Is(err, errPanicked) || s.conn.Broken() != nil
}

// run does the work of m in a savepoint.
func (s *session) run(m *member) error {
	c, ctx := s.conn, context.Background()
	if err := c.Control(ctx, "SAVEPOINT lido_member"); err != nil {
		return fmt.Errorf("pool: savepoint: %w", err)
	}
	c.ForgetDeferral()
	// Interrupting a write would throw away what the others have done.
	c.ShieldWrites(len(s.kept) > 0)
	c.LimitTime(s.db.group.memberTime)
	err := m.shared(s.res, m == s.leader)
	c.LimitTime(0)
	c.ShieldWrites(false)
	if err == nil && c.DeferredForeignKeys() && !seeded.UncheckedForeignKey {
		err = &lido.Error{Code: codeConstraint, Extended: codeForeignKey, Message: "FOREIGN KEY constraint failed", Offset: -1}
		if m.query != nil {
			err.(*lido.Error).Query = m.query.Name
		}
	}
	if err == nil {
		if err = c.Control(ctx, "RELEASE lido_member"); err == nil {
			return nil
		}
	}
	if c.InTransaction() && !seeded.MemberNotUndone {
		undo := c.Control(ctx, "ROLLBACK TO lido_member")
		if undo == nil {
			undo = c.Control(ctx, "RELEASE lido_member")
		}
		if undo != nil {
			// What cannot be undone must not be committed.
			err = errors.Join(err, undo, c.Rollback())
		}
	}
	return err
}

// https://www.sqlite.org/rescode.html#constraint_foreignkey
const (
	codeConstraint = 19
	codeForeignKey = codeConstraint | 3<<8
)

// commit commits, and answers those whose work is in the transaction.
func (s *session) commit() {
	db, c := s.db, s.conn
	if len(s.kept) == 0 {
		s.trace.End(sqlite.RolledBack, nil)
		_ = c.Rollback()
		return
	}
	n := int64(len(s.kept))
	s.committing = true
	err := c.Commit()
	switch {
	case err == nil:
		db.commits.Add(n - 1)
		db.committed()
		if n > 1 {
			db.group.members.Add(n)
			db.group.shared.Add(1)
			db.group.largest.Store(max(n, db.group.largest.Load()))
		}
	case c.Broken() != nil:
		err = and(commitError(c, err), c.Rollback())
	default:
		err = and(fmt.Errorf("pool: %w: commit: %w", lido.ErrGroupAborted, err), c.Rollback())
	}
	kept := s.kept
	s.kept = nil
	defer func() { // also when the tracer panics
		for _, m := range kept {
			m.finish(err)
		}
		s.answer(err)
	}()
	s.trace.endGroup(len(kept), err)
}

// answer tells those who have failed why. Where the others' work is not there,
// for err, the reason may not be there either.
func (s *session) answer(err error) {
	failed := s.failed
	s.failed = nil
	for _, m := range failed {
		switch {
		case errors.Is(err, lido.ErrCommitUnknown): // but not of theirs, which was undone before
			m.err = fmt.Errorf("%s: %w: commit: %v", m.name(), lido.ErrGroupAborted, err)
		case err != nil:
			m.err = err
		}
		m.finish(m.err)
	}
}

// abort has those run again whose work went with a transaction that is lost,
// and those who may have failed only for what was in it. One that has ended it
// is among these, and then by itself.
func (s *session) abort() {
	s.trace.End(sqlite.RolledBack, errGroupLost)
	g := &s.db.group
	_ = s.conn.Rollback() // of a connection that is broken and still in it
	kept, failed := s.kept, s.failed
	s.kept, s.failed = nil, nil
	if len(kept)+len(failed) == 0 {
		return
	}
	g.aborted.Add(1)
	if seeded.LostGroup {
		for _, m := range kept {
			m.finish(nil)
		}
		kept = nil
	}
	var culprit *member
	if slices.Contains(failed, s.last) {
		culprit = s.last
	}
	kept = append(kept, failed...)
	slices.SortFunc(kept, func(a, b *member) int { return cmp.Compare(a.number, b.number) })
	kept = slices.DeleteFunc(kept, func(m *member) bool {
		m.tries++
		switch {
		case m.ctx.Err() != nil:
			m.finish(fmt.Errorf("%s: %w: %w", m.name(), lido.ErrGroupAborted, ended.Err(m.ctx)))
		case m == culprit, m.tries == groupTries:
			g.again.Add(1)
			m.finish(errBeyond)
		default:
			g.again.Add(1)
			return false
		}
		return true
	})
	g.putBack(kept...)
}

// end gives the writer back. It runs in every case, and looks after the others
// when a panic or runtime.Goexit ends the leader's goroutine.
func (s *session) end() {
	defer s.res.Release()
	if s.running == nil && s.kept == nil {
		return
	}
	// The leader's caller waits for nothing any more.
	s.kept = slices.DeleteFunc(s.kept, func(m *member) bool { return m == s.leader })
	s.failed = slices.DeleteFunc(s.failed, func(m *member) bool { return m == s.leader })
	if s.committing {
		s.trace.End(sqlite.CommitUnknown, errUnfinished)
		for _, m := range s.kept {
			m.finish(fmt.Errorf("pool: commit: %w", lido.ErrCommitUnknown))
		}
		s.answer(lido.ErrCommitUnknown)
		return
	}
	if s.running != nil && s.running != s.leader {
		s.running.finish(fmt.Errorf("%s: %w", s.running.name(), lido.ErrGroupAborted))
	}
	s.abort()
}
