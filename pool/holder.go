package pool

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lidodb/lido"
)

// Holder says who holds a resource, and since when.
type Holder struct {
	// Text names the query, as far as the borrower told with SetHolder, and the
	// place in the source where the resource was acquired.
	Text string
	// Query is what SetHolder was given, or nil.
	Query *lido.Query
	// Stack is the stack that acquired the resource, the innermost function
	// first, a line each, without those of the library.
	Stack string
	Since time.Time
}

// libraries are the packages that no user is interested in when the question
// is who holds something.
var libraries = []string{
	"github.com/lidodb/lido", "github.com/lidodb/lido/pool", "github.com/lidodb/lido/stdlib",
	"github.com/jackc/puddle/v2", "database/sql",
}

// borrowing is one resource and one of those who had it.
type borrowing[R any] struct {
	r     *Resource[R]
	since int64
}

// borrowed returns what is held now, the longest first.
func (p *Pool[R]) borrowed() []borrowing[R] {
	p.mu.Lock()
	bs := make([]borrowing[R], 0, len(p.all))
	for r := range p.all {
		if since := r.held.Load(); since != 0 {
			bs = append(bs, borrowing[R]{r, since})
		}
	}
	p.mu.Unlock()
	slices.SortFunc(bs, func(a, b borrowing[R]) int { return int(a.since - b.since) })
	return bs
}

// holder says who it is, or false if it is over.
func (b borrowing[R]) holder() (h Holder, ok bool) {
	r := b.r
	ok = r.visit(b.since, func() {
		by := r.by
		h = Holder{Query: r.holder.Load(), Since: r.pool.start.Add(time.Duration(b.since))}
		h.Stack = by.Stack(libraries...)
		h.Text = by.Place(libraries...)
	})
	switch {
	case h.Query != nil && h.Text != "":
		h.Text = h.Query.String() + " (" + h.Text + ")"
	case h.Query != nil:
		h.Text = h.Query.String()
	case h.Text == "":
		h.Text = "unknown holder"
	}
	return h, ok
}

// Holders returns who holds resources now, the longest first.
func (p *Pool[R]) Holders() []Holder {
	var hs []Holder
	for _, b := range p.borrowed() {
		if h, ok := b.holder(); ok {
			hs = append(hs, h)
		}
	}
	return hs
}

// reportHeld tells OnHeldTooLong of each resource that has been held for
// HeldTooLong, and again whenever the time has doubled.
func (p *Pool[R]) reportHeld() {
	now := p.now()
	for _, b := range p.borrowed() {
		r, age := b.r, now-b.since
		if r.reported.since != b.since {
			r.reported.since, r.reported.next = b.since, int64(p.opt.HeldTooLong)
		}
		if age < r.reported.next {
			continue
		}
		if h, ok := b.holder(); ok {
			r.reported.next = 2 * age
			p.opt.OnHeldTooLong(h)
		}
	}
}

// HeldError is what Pool.Close returns when borrowers did not give back their
// resources in time. Each of these is destroyed when it is released after all.
type HeldError struct {
	// Pool is Options.Name.
	Pool string
	// Holders are those who still hold a resource, the longest first, with the
	// stacks that acquired it.
	Holders []Holder
	// Busy counts what is still being opened or closed, held by nobody.
	Busy int
	// At is when Close gave up; Cause is what ended its context.
	At    time.Time
	Cause error
}

// Error names each holder and since when it holds.
func (e *HeldError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pool: close %s pool: ", e.Pool)
	if len(e.Holders) > 0 {
		fmt.Fprintf(&b, "%d still held by ", len(e.Holders))
		for i, h := range e.Holders {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%s since %s (%v)", h.Text, h.Since.Format(time.RFC3339),
				e.At.Sub(h.Since).Round(time.Millisecond))
		}
		if e.Busy > 0 {
			b.WriteString("; ")
		}
	}
	if e.Busy > 0 || len(e.Holders) == 0 {
		fmt.Fprintf(&b, "%d still opening or closing", e.Busy)
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns Cause.
func (e *HeldError) Unwrap() error { return e.Cause }
