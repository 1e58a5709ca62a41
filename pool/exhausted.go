package pool

import (
	"fmt"
	"strings"
	"time"

	"github.com/lidodb/lido"
)

// ReadersExhaustedError is what a call gets that has waited for a reader while
// nobody gave one back, and statements outside transactions hold them.
// errors.Is finds lido.ErrReadersExhausted in it, and Cause.
type ReadersExhaustedError struct {
	// Holders are those who hold the readers, the longest first.
	Holders []Holder
	// Waited is how long the call has waited.
	Waited time.Duration
	// Cause is what ended the call's context; nil if it waited for
	// Config.IteratorLifetime.
	Cause error
}

// Error names each holder.
func (e *ReadersExhaustedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pool: no reader was given back for %v; held by ", e.Waited.Round(time.Millisecond))
	for i, h := range e.Holders {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(h.Text)
	}
	b.WriteString("; a loop whose body queries too belongs inside Read: ")
	b.WriteString(lido.ErrReadersExhausted.Error())
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Is finds lido.ErrReadersExhausted.
func (e *ReadersExhaustedError) Is(target error) bool { return target == lido.ErrReadersExhausted }

// Unwrap returns Cause.
func (e *ReadersExhaustedError) Unwrap() error { return e.Cause }

// readersStuck is Options.Stuck of the readers. Read closures end by
// themselves, if they are given the time; a statement's loop may be waiting for
// the very reader that it holds.
func (db *DB) readersStuck(holders []Holder, waited time.Duration, cause error) error {
	for _, h := range holders {
		if h.Query != readClosure {
			return &ReadersExhaustedError{Holders: holders, Waited: waited, Cause: cause}
		}
	}
	return nil
}
