package pool

import (
	"fmt"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Holder says who holds a resource, and since when.
type Holder struct {
	// Text is the query's name, the place in the source, or both, as far as
	// the borrower told with SetHolder, SetHolderPC and SetHolderPCs.
	Text  string
	Since time.Time
}

// Holders returns who holds resources now, the longest first.
func (p *Pool[R]) Holders() []Holder {
	p.mu.Lock()
	defer p.mu.Unlock()
	var hs []Holder
	for r := range p.all {
		since := r.held.Load()
		if since == 0 {
			continue
		}
		h := Holder{Text: r.holderText(), Since: p.start.Add(time.Duration(since))}
		i := len(hs)
		for i > 0 && h.Since.Before(hs[i-1].Since) {
			i--
		}
		hs = append(hs, Holder{})
		copy(hs[i+1:], hs[i:])
		hs[i] = h
	}
	return hs
}

// holderText names the holder from what SetHolder and SetHolderPCs stored.
func (r *Resource[R]) holderText() string {
	var place string
	for i := range r.holderPC {
		if p := placeOf(r.holderPC[i].Load()); p != "" && place != "" {
			place += " from " + p
		} else if p != "" {
			place = p
		}
	}
	q := r.holder.Load()
	switch {
	case q != nil && place != "":
		return q.String() + " (" + place + ")"
	case q != nil:
		return q.String()
	case place != "":
		return place
	}
	return "unknown holder"
}

// placeOf is pc as "package/file.go:12", or empty.
func placeOf(pc uintptr) string {
	if pc == 0 {
		return ""
	}
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	if frame.File == "" {
		return ""
	}
	dir, file := path.Split(frame.File)
	return path.Join(path.Base(dir), file) + ":" + strconv.Itoa(frame.Line)
}

// HeldError is what Pool.Close returns when borrowers did not give back their
// resources in time. Each of these is destroyed when it is released after all.
type HeldError struct {
	// Pool is Options.Name.
	Pool string
	// Holders are those who still hold a resource, the longest first.
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
