package pool

import (
	"fmt"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/callers"
	"github.com/lidodb/lido/sqlite"
)

// A transaction belongs to one goroutine at a time. What two of them do at once
// neither the engine nor the lists of tx would survive, so each call enters
// fate.use first; the one that finds it entered goes away with an error, and the
// transaction, of which one of the two has not seen a part, is not committed.

var errClosureReturned = fmt.Errorf("pool: the transaction's closure has returned: %w", lido.ErrClosed)

// enter begins a call in the transaction, which ends with fate.use.Leave. It
// refuses one beside another goroutine's, and one in a transaction that is over.
func (t *tx) enter() error {
	f := t.fate
	if !f.use.Enter() {
		return t.refused()
	}
	if f.misuse.Load() == nil && f.poisoned == nil && f.until.IsZero() && !t.ended.Load() {
		return nil
	}
	err := t.over()
	if err != nil {
		f.use.Leave()
	}
	return err
}

// await is enter for the end of a savepoint, which has to happen: it waits. It
// reports false if the transaction has ended meanwhile.
func (t *tx) await() bool { return t.fate.use.Await(t.overtaken) }

// finish ends the use of the transaction by its closure, which has returned. It
// waits for a call that another goroutine has under way, and returns the mistake
// if there was one. Finishing again returns the same.
func (t *tx) finish() error {
	f := t.fate
	f.use.End(t.overtaken)
	t.conn.LenderGuards(false)
	if f.nested > 0 && f.misuse.Load() == nil && !t.ended.Load() {
		t.blame("a goroutine that the closure did not wait for is in a savepoint")
	}
	if misuse := f.misuse.Load(); misuse != nil {
		return *misuse
	}
	return nil
}

// refused is the answer to a call that could not enter the transaction.
func (t *tx) refused() error {
	if t.fate.use.Over() {
		return errClosureReturned
	}
	t.blame("one goroutine is in a call, another makes one at " + here())
	return *t.fate.misuse.Load()
}

// overtaken notes that a call is under way although the closure, or that of a savepoint,
// has returned. Nothing of the transaction will be committed, so the call is
// interrupted, unless others share the transaction.
func (t *tx) overtaken() {
	t.blame("a closure has returned, and a goroutine that it did not wait for is in a call")
	if !t.shared {
		t.conn.InterruptFor(lido.ErrConcurrentUse)
	}
}

// blame keeps the first misuse of the transaction.
func (t *tx) blame(what string) {
	err := fmt.Errorf("pool: %s: %s; nothing of the transaction is committed: %w", t.holder(), what, lido.ErrConcurrentUse)
	t.fate.misuse.CompareAndSwap(nil, &err)
}

// refusedFor is the answer to each further call in a transaction that was misused. One
// of them is that of the goroutine that was in a call, and says where it is.
func (t *tx) refusedFor(misuse error) error {
	return fmt.Errorf("pool: call at %s, after: %w", here(), misuse)
}

// holder says what the transaction is and where it was begun.
func (t *tx) holder() string {
	h, _ := borrowing[*sqlite.Conn]{t.res, t.res.held.Load()}.holder()
	return h.Text
}

// here is the place outside the library that called it.
func here() string {
	var by callers.PCs
	callers.Note(&by)
	return by.Place(libraries...)
}
